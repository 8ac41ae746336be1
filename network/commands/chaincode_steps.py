"""The steps of `gridledger chaincode` by which members agree on a chaincode."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ledger.crypto.channel_policies import DEFAULT_APPLICATION_POLICY
from ledger.crypto.collections_text import parse_collections
from ledger.crypto.policy_text import format_policy, parse_policy
from ledger.endorsement.lifecycle.definitions import FullDefinition
from ledger.endorsement.packages.package import read_package
from ledger.model.policy import PolicyReference
from ledger.model.policy_codec import decode_application_policy, encode_application_policy
from ledger.model.private_collections import static_collections
from network.chaincode.arguments import WrongArguments
from network.chaincode.dry_run import DryRunReport, dry_run
from network.chaincode.lifecycle_client import ChaincodeRefused, LifecycleClient
from network.chaincode.planned import lifecycle_client
from network.membership.channel import ActingMember
from network.plan import PeerPlan, load_plan
from network.running.clients import wait_everywhere
from network.running.lifecycle import require_network

SHOWN_CHARACTERS_MAX = 200


def acting_for(options: argparse.Namespace) -> ActingMember:
    """Where an action works and for whom, from the options every action has."""
    plan = load_plan(options.plan)
    member = plan.members[0] if options.member is None else plan.member(options.member)
    return ActingMember(plan, require_network(plan), member)


@asynccontextmanager
async def lifecycle_of(
    acting: ActingMember, peer: PeerPlan | None = None
) -> AsyncIterator[LifecycleClient]:
    """The lifecycle at a peer of the member, its first if none is named."""
    client = lifecycle_client(acting.plan, peer or acting.member, acting.layout)
    try:
        yield client
    finally:
        await client.close()


async def install(options: argparse.Namespace) -> int:
    """A package onto every peer of the member."""
    acting = acting_for(options)
    raw = options.package.read_bytes()
    package_id = read_package(raw).package_id
    for peer in acting.member.peers:
        async with lifecycle_of(acting, peer) as client:
            if package_id in await client.installed():
                print(f"{peer.id}: installed already")
            else:
                print(f"{peer.id}: installed {await client.install(raw)}")
    print(package_id)
    return 0


async def installed(options: argparse.Namespace) -> int:
    """What the member's first peer has."""
    async with lifecycle_of(acting_for(options)) as client:
        for package_id, chaincodes in (await client.installed()).items():
            used = ", ".join(f"{name} {version}" for name, version in chaincodes)
            print(f"{package_id}  {used or 'not in use'}")
    return 0


async def definitions(options: argparse.Namespace) -> int:
    """All definitions, or one with who approved it."""
    async with lifecycle_of(acting_for(options)) as client:
        if options.name is None:
            for definition in await client.all_committed():
                print(_line(definition))
            return 0
        found = await client.committed(options.name)
    if found is None:
        raise ChaincodeRefused(f"no chaincode {options.name} is committed on the channel")
    definition, approvals = found
    print(_line(definition))
    print(f"  endorsed by {_policy_text(definition.policy)}")
    for name in static_collections(definition.collections):
        print(f"  collection {name}")
    for mspid, has_approved in sorted(approvals.items()):
        print(f"  {mspid:<18} {'approved' if has_approved else 'has not approved'}")
    return 0


async def approve(options: argparse.Namespace) -> int:
    """Approve for the member; a package is tried on the state first."""
    acting = acting_for(options)
    async with lifecycle_of(acting) as client:
        definition = await _definition(options, client)
        package_id: str = options.package_id
        if package_id and not options.no_dry_run and await _can_be_tried(client, package_id):
            report = await dry_run(client, definition.name, definition.version, package_id)
            _print_report(report)
            if any(report.failures):
                raise ChaincodeRefused(
                    f"{package_id} fails on the present state, nothing was approved"
                    " (--no-dry-run approves all the same)"
                )
        block_number = await client.approve(definition, package_id)
        await wait_everywhere(acting.plan, acting.layout, block_number)
    print(f"{acting.member.mspid} approved {_line(definition)}, block {block_number}")
    if not package_id:
        print("without --package-id its peers do not run it")
    return 0


async def readiness(options: argparse.Namespace) -> int:
    """Who approved; status 1 while somebody did not."""
    async with lifecycle_of(acting_for(options)) as client:
        found = await client.readiness(await _definition(options, client))
    for mspid, has_approved in sorted(found.approvals.items()):
        differing = ", ".join(found.mismatches.get(mspid, ()))
        why = "has not approved it" if differing == "ChaincodeParameters" else (
            f"approved another {differing}"
        )  # fmt: skip
        print(f"{mspid:<18} {'approved' if has_approved else why}")
    return 0 if all(found.approvals.values()) else 1


async def commit(options: argparse.Namespace) -> int:
    """Commit, and wait until every validator that answers has it."""
    acting = acting_for(options)
    async with lifecycle_of(acting) as client:
        definition = await _definition(options, client)
        block_number = await client.commit(definition)
    await wait_everywhere(acting.plan, acting.layout, block_number)
    print(f"committed {_line(definition)}, block {block_number}")
    return 0


async def try_package(options: argparse.Namespace) -> int:
    """A dry run; status 1 when a query fails."""
    async with lifecycle_of(acting_for(options)) as client:
        version = options.version or options.package_id.partition(":")[0]
        report = await dry_run(client, options.name, version, options.package_id)
    _print_report(report)
    return 1 if any(report.failures) else 0


async def _definition(options: argparse.Namespace, client: LifecycleClient) -> FullDefinition:
    sequence = options.sequence
    if sequence is None:
        found = await client.committed(options.name)
        sequence = 1 if found is None else found[0].sequence + 1
    policy = DEFAULT_APPLICATION_POLICY
    if options.policy:
        policy = encode_application_policy(parse_policy(options.policy))
    collections = b""
    if options.collections is not None:
        text = await asyncio.to_thread(options.collections.read_text, encoding="utf-8")
        collections = parse_collections(text)
    return FullDefinition(
        name=options.name,
        sequence=sequence,
        version=options.version,
        policy=policy,
        collections=collections,
        init_required=options.init_required,
    )


async def _can_be_tried(client: LifecycleClient, package_id: str) -> bool:
    """Only what is installed and is run by the peer itself; a service may not be up yet."""
    if package_id not in await client.installed():
        raise WrongArguments(
            f"{package_id} is not installed on the member's peer;"
            " run: gridledger chaincode install FILE"
        )
    return read_package(await client.package(package_id)).kind == "python"


def _print_report(report: DryRunReport) -> None:
    print(f"tried on the state after {report.height} blocks:")
    for trial in report.trials:
        shown = trial.message or trial.payload.decode("utf-8", "replace")
        verdict = "FAILS" if trial.has_failed else str(trial.status)
        print(f"  {trial.function:<32} {verdict:>5}  {shown[:SHOWN_CHARACTERS_MAX]}")
    if not report.trials:
        print("  it starts and describes itself; it has no query without parameters")


def _line(definition: FullDefinition) -> str:
    initialised = ", init required" if definition.init_required else ""
    return (
        f"{definition.name} version {definition.version}, sequence {definition.sequence}"
        f"{initialised}"
    )


def _policy_text(raw: bytes) -> str:
    policy = decode_application_policy(raw)
    return policy.path if isinstance(policy, PolicyReference) else format_policy(policy)
