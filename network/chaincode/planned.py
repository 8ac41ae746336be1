"""The plan's chaincodes onto the channel: the last step of `network up`.

Each goes through the lifecycle as any other chaincode does: packaged from the module the plan
names, installed on every peer, approved by every member, committed.
"""

import asyncio
from contextlib import AsyncExitStack

from ledger.crypto.channel_policies import DEFAULT_APPLICATION_POLICY
from ledger.crypto.collections_text import parse_collections
from ledger.crypto.policy_text import parse_policy
from ledger.endorsement.lifecycle.definitions import FullDefinition
from ledger.model.policy_codec import encode_application_policy
from network.chaincode.deployment import Deployment, PeerAdmin, deploy
from network.chaincode.lifecycle_client import LifecycleClient
from network.chaincode.packaging import python_package
from network.layout import NetworkLayout
from network.plan import ChaincodePlan, PeerPlan, Plan
from network.running.clients import admin_identity, channel_to, wait_everywhere
from network.running.processes import is_listening


def lifecycle_client(plan: Plan, peer: PeerPlan, layout: NetworkLayout) -> LifecycleClient:
    """The lifecycle at that peer, for its member's administrator."""
    channel = channel_to(peer.address, layout)
    return LifecycleClient(channel, plan.channel_id, admin_identity(peer, layout))


async def commit_definitions(plan: Plan, layout: NetworkLayout) -> list[str]:
    """Deploy what the plan names on the peers that run; the names of what is committed now."""
    async with AsyncExitStack() as clients:
        admins = []
        for peer in plan.peers:
            if not await asyncio.to_thread(is_listening, peer.address):
                continue
            client = lifecycle_client(plan, peer, layout)
            clients.push_async_callback(client.close)
            admins.append(PeerAdmin(peer, client))

        async def wait(block_number: int) -> None:
            await wait_everywhere(plan, layout, block_number)

        return [
            chaincode.name
            for chaincode in plan.chaincodes
            if await deploy(deployment_of(chaincode), admins, wait)
        ]


def deployment_of(chaincode: ChaincodePlan) -> Deployment:
    """What the plan says about one chaincode; raises PackageRefused if it cannot be packaged."""
    policy = DEFAULT_APPLICATION_POLICY
    if chaincode.endorsement_policy:
        policy = encode_application_policy(parse_policy(chaincode.endorsement_policy))
    definition = FullDefinition(
        name=chaincode.name,
        sequence=chaincode.sequence,
        version=chaincode.version,
        policy=policy,
        collections=parse_collections(chaincode.collections),
    )
    label = f"{chaincode.name}_{chaincode.version}"
    return Deployment(definition, python_package(chaincode.module, label))
