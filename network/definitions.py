"""Committing the plan's chaincode definitions to the channel: the last step of a first `up`.

Every operator approves what its own configuration names; the definition is an ordinary
transaction of `_lifecycle` that a majority of members' peers endorse.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
from grpc import aio

from ledger.crypto.signing import Signer, SigningIdentity
from ledger.endorsement.definitions import FullDefinition
from ledger.endorsement.lifecycle import (
    decode_sequence,
    encode_commit_arguments,
    encode_query_arguments,
)
from ledger.endorsement.simulator import LIFECYCLE_NAMESPACE
from ledger.node.chaincode_host import definition_of
from ledger.node.config import ChaincodeSettings
from ledger.rpc.client import CommitFailed, GatewayClient
from ledger.rpc.deliver_client import follow_blocks
from ledger.rpc.transport import client_channel
from network.layout import NetworkLayout
from network.plan import PeerPlan, Plan

T = TypeVar("T")

READY_TIMEOUT_S = 30.0
RETRY_INTERVAL_S = 0.1


def admin_identity(peer: PeerPlan, layout: NetworkLayout) -> SigningIdentity:
    """The administrator of the peer's member, from the member's folder."""
    pair = layout.member(peer.member_id).credential("admin")
    signer = Signer(pair.key.read_bytes())
    return SigningIdentity(peer.mspid, pair.certificate.read_bytes(), signer)


def connect(plan: Plan, peer: PeerPlan, layout: NetworkLayout) -> GatewayClient:
    """A client of that peer."""
    return GatewayClient.connect(peer.address, layout.tls_ca_bundle.read_bytes(), plan.channel_id)


async def commit_definitions(plan: Plan, layout: NetworkLayout) -> list[str]:
    """Commit the definitions that are not on the channel yet; returns their names."""
    member = plan.members[0]
    identity = admin_identity(member, layout)
    client = connect(plan, member, layout)
    committed = []
    try:
        for chaincode in plan.chaincodes:
            definition = definition_of(
                ChaincodeSettings(
                    name=chaincode.name,
                    version=chaincode.version,
                    sequence=chaincode.sequence,
                    module=chaincode.module,
                    policy=chaincode.endorsement_policy,
                    collections=chaincode.collections,
                )
            )
            if await _sequence(client, identity, chaincode.name) < chaincode.sequence:
                block_number = await _commit(client, identity, definition)
                await wait_everywhere(plan, layout, block_number)
                committed.append(chaincode.name)
    finally:
        await client.close()
    return committed


async def _sequence(client: GatewayClient, identity: SigningIdentity, name: str) -> int:
    """The committed sequence; 0 when there is no definition."""
    function, argument = encode_query_arguments(name)
    try:
        raw = await client.evaluate_transaction(
            identity, LIFECYCLE_NAMESPACE, function.decode(), argument
        )
    except aio.AioRpcError as error:
        if error.code() in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.FAILED_PRECONDITION):
            return 0
        raise
    return decode_sequence(raw)


async def _commit(
    client: GatewayClient, identity: SigningIdentity, definition: FullDefinition
) -> int:
    """Commit one definition, waiting until enough validators are connected; its block number.

    A submission that failed may have reached some validators all the same: the same transaction is
    handed in again, never a second one. Raises CommitFailed when it is recorded as invalid.
    """
    function, argument = encode_commit_arguments(definition)

    async def endorsed() -> tuple[str, bytes]:
        proposal = client.propose(
            identity.serialized, LIFECYCLE_NAMESPACE, function.decode(), [argument]
        )
        return proposal.tx_id, await client.endorse(proposal, identity.sign(proposal.raw))

    async with asyncio.timeout(READY_TIMEOUT_S):
        tx_id, payload = await _once_available(endorsed)
        signature = identity.sign(payload)

        async def handed_in() -> None:
            try:
                await client.submit(tx_id, payload, signature)
            except aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.ALREADY_EXISTS:  # an earlier try came through
                    raise

        await _once_available(handed_in)
        status = await client.commit_status(tx_id, identity)
    if not status.is_valid:
        raise CommitFailed(tx_id, status)
    return status.block_number


async def _once_available(call: Callable[[], Awaitable[T]]) -> T:
    """Repeat a call while its answer is UNAVAILABLE."""
    while True:
        try:
            return await call()
        except aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            await asyncio.sleep(RETRY_INTERVAL_S)


async def wait_everywhere(plan: Plan, layout: NetworkLayout, block_number: int) -> None:
    """Wait until every validator that answers has the block, so that any of them serves it."""

    async def has_block(peer: PeerPlan) -> None:
        channel = client_channel(peer.address, layout.tls_ca_bundle.read_bytes())
        identity = admin_identity(peer, layout)
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                blocks = follow_blocks(
                    channel, identity, plan.channel_id, block_number, block_number
                )
                async for _ in blocks:
                    return
        except (aio.AioRpcError, TimeoutError):
            return  # it is down, or catches up later
        finally:
            await channel.close()

    await asyncio.gather(*(has_block(peer) for peer in plan.peers))
