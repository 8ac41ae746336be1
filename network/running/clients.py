"""Clients of a network's peers, with the keys that lie in the members' folders."""

import asyncio

from grpc import aio

from ledger.crypto.signing import Signer, SigningIdentity
from ledger.rpc.client import GatewayClient
from ledger.rpc.deliver_client import follow_blocks
from ledger.rpc.transport import client_channel
from network.layout import NetworkLayout
from network.plan import PeerPlan, Plan

BLOCK_TIMEOUT_S = 30.0
"""So long a peer may take to have a block that others have."""


def admin_identity(peer: PeerPlan, layout: NetworkLayout) -> SigningIdentity:
    """The administrator of the peer's member, from the member's folder."""
    pair = layout.member(peer.member_id).credential("admin")
    signer = Signer(pair.key.read_bytes())
    return SigningIdentity(peer.mspid, pair.certificate.read_bytes(), signer)


def connect(plan: Plan, peer: PeerPlan, layout: NetworkLayout) -> GatewayClient:
    """A client of that peer."""
    return GatewayClient.connect(peer.address, layout.tls_ca_bundle.read_bytes(), plan.channel_id)


async def wait_everywhere(plan: Plan, layout: NetworkLayout, block_number: int) -> None:
    """Wait until every validator that answers has the block, so that any of them serves it."""

    async def has_block(peer: PeerPlan) -> None:
        channel = client_channel(peer.address, layout.tls_ca_bundle.read_bytes())
        identity = admin_identity(peer, layout)
        try:
            async with asyncio.timeout(BLOCK_TIMEOUT_S):
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
