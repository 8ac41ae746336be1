"""A Node chaincode on the channel: a service for each peer, and the members' agreement."""

from collections.abc import Iterable
from pathlib import Path

from network.plan import Plan
from tests.interop.chaincode_services import ChaincodeServices
from tests.interop.lifecycle_steps import LifecycleSteps, Wish


def deploy_service(
    plan: Plan, plan_path: Path, services: ChaincodeServices, wish: Wish, source: Path
) -> None:
    """Package, install, start, approve for every member, commit."""
    label = f"{wish.name}_{wish.version}"
    package = plan_path.parent / f"{label}.tar.gz"
    members = [LifecycleSteps(plan_path, member.id) for member in plan.members]
    first = members[0]
    first.package_service(services.address_template(label), label, package)
    for steps in members:
        steps.install(package)
    package_id = only(label, first.installed())
    services.start_all(label, source, package_id, plan.peers)
    for steps in members:
        steps.approve(wish, package_id)
    first.commit(wish)


def only(label: str, package_ids: Iterable[str]) -> str:
    """The id of the package with that label."""
    [package_id] = [one for one in package_ids if one.rpartition(":")[0] == label]
    return package_id
