"""One chaincode onto a channel, by the administrators whose keys are on this machine.

Package, install on every peer, approve for every member, commit: what members elsewhere do by
hand with `gridledger chaincode`. What has been done already is left alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ledger.endorsement.lifecycle.definitions import FullDefinition
from ledger.endorsement.packages.package import read_package
from network.chaincode.lifecycle_client import ChaincodeRefused, LifecycleClient
from network.plan import PeerPlan

WaitForBlock = Callable[[int], Awaitable[None]]
"""Until the peers that can be reached have a block."""


@dataclass(frozen=True, slots=True)
class PeerAdmin:
    """The administrator of a member, at one of its peers."""

    peer: PeerPlan
    client: LifecycleClient


@dataclass(frozen=True, slots=True)
class Deployment:
    """What every member is to agree on, and the package this machine made of it."""

    definition: FullDefinition
    package_raw: bytes

    @property
    def package_id(self) -> str:
        """The package's id."""
        return read_package(self.package_raw).package_id


async def deploy(wanted: Deployment, admins: Sequence[PeerAdmin], wait: WaitForBlock) -> bool:
    """Whether a definition was committed now; raises ChaincodeRefused."""
    first = admins[0].client
    found = await first.committed(wanted.definition.name)
    is_committed = found is not None and found[0].sequence >= wanted.definition.sequence
    if found is not None and is_committed:
        wanted = Deployment(found[0], wanted.package_raw)
    prepared = await asyncio.gather(
        *(_prepare(wanted, own, admins) for own in _by_member(admins)), return_exceptions=True
    )
    blocks = [_result(outcome) for outcome in prepared]
    if is_committed:
        return False
    await wait(max(blocks))
    await wait(await first.commit(wanted.definition))
    return True


def _result(outcome: int | BaseException) -> int:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _by_member(admins: Sequence[PeerAdmin]) -> list[list[PeerAdmin]]:
    members: dict[str, list[PeerAdmin]] = {}
    for admin in admins:
        members.setdefault(admin.peer.mspid, []).append(admin)
    return list(members.values())


async def _prepare(
    wanted: Deployment, own: Sequence[PeerAdmin], admins: Sequence[PeerAdmin]
) -> int:
    """One member installs and approves; the block with its approval, 0 if it had approved."""
    definition, client = wanted.definition, own[0].client
    approval = await client.approved(definition.name, definition.sequence)
    agrees = approval is not None and approval.definition == definition
    if approval is not None and agrees and approval.package_id:
        await asyncio.gather(*(_install(wanted, approval.package_id, one, admins) for one in own))
        return 0
    await asyncio.gather(*(_install(wanted, wanted.package_id, one, admins) for one in own))
    if approval is not None and agrees:
        return 0  # it runs none, and says so
    return await client.approve(definition, wanted.package_id)


async def _install(
    wanted: Deployment, package_id: str, admin: PeerAdmin, admins: Sequence[PeerAdmin]
) -> None:
    if package_id in await admin.client.installed():
        return
    if package_id == wanted.package_id:
        await admin.client.install(wanted.package_raw)
        return
    for other in admins:
        if package_id in await other.client.installed():
            await admin.client.install(await other.client.package(package_id))
            return
    raise ChaincodeRefused(
        f"{admin.peer.id} lacks the package {package_id} that its member approved, and no other"
        " peer has it; install it with `gridledger chaincode install`"
    )
