"""Committing the plan's chaincode definitions to the channel: the last step of a first `up`.

Every operator approves what its own configuration names; the definition is an ordinary
transaction of `_lifecycle` that a majority of members' peers endorse.
"""

import asyncio

import grpc
from grpc import aio

from ledger.crypto.signing import Signer, SigningIdentity
from ledger.endorsement.lifecycle import LIFECYCLE, Approval, approval_of, commit_arguments
from ledger.rpc.client import GatewayClient
from ledger.wire.lifecycle_pb2 import QueryChaincodeDefinitionArgs, QueryChaincodeDefinitionResult
from network.layout import NetworkLayout
from network.plan import MemberPlan, Plan

READY_TIMEOUT_S = 30.0
RETRY_INTERVAL_S = 0.1


def admin_identity(member: MemberPlan, layout: NetworkLayout) -> SigningIdentity:
    """The member's administrator, from its folder."""
    pair = layout.member(member.id).credential("admin")
    signer = Signer(pair.key.read_bytes())
    return SigningIdentity(member.mspid, pair.certificate.read_bytes(), signer)


def connect(plan: Plan, member: MemberPlan, layout: NetworkLayout) -> GatewayClient:
    """A client of that member's peer."""
    return GatewayClient.connect(
        member.address, layout.tls_ca_bundle.read_bytes(), plan.channel_id
    )


async def commit_definitions(plan: Plan, layout: NetworkLayout) -> list[str]:
    """Commit the definitions that are not on the channel yet; returns their names."""
    member = plan.members[0]
    identity = admin_identity(member, layout)
    client = connect(plan, member, layout)
    committed = []
    try:
        for chaincode in plan.chaincodes:
            approval = approval_of(
                name=chaincode.name,
                version=chaincode.version,
                sequence=chaincode.sequence,
                policy_text=chaincode.endorsement_policy,
            )
            if await _sequence(client, identity, chaincode.name) < chaincode.sequence:
                await _commit(client, identity, approval)
                committed.append(chaincode.name)
    finally:
        await client.close()
    return committed


async def _sequence(client: GatewayClient, identity: SigningIdentity, name: str) -> int:
    """The committed sequence; 0 when there is no definition."""
    argument = QueryChaincodeDefinitionArgs(name=name).SerializeToString()
    try:
        raw = await client.evaluate_transaction(
            identity, LIFECYCLE, "QueryChaincodeDefinition", argument
        )
    except aio.AioRpcError as error:
        if error.code() == grpc.StatusCode.UNKNOWN:
            return 0
        raise
    return QueryChaincodeDefinitionResult.FromString(raw).sequence


async def _commit(client: GatewayClient, identity: SigningIdentity, approval: Approval) -> None:
    """Commit one definition, waiting until enough validators are connected to each other."""
    async with asyncio.timeout(READY_TIMEOUT_S):
        while True:
            try:
                await client.submit_transaction(
                    identity, LIFECYCLE, "CommitChaincodeDefinition", commit_arguments(approval)
                )
            except aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE:
                    raise
                await asyncio.sleep(RETRY_INTERVAL_S)
            else:
                return
