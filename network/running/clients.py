"""Clients of a network's peers, with the keys that lie in the members' folders."""

import asyncio

from grpc import aio

from ledger.client.blocks import follow_blocks
from ledger.client.connection import client_channel
from ledger.client.gateway import GatewayClient
from ledger.crypto.signing import Signer, SigningIdentity
from network.layout import NetworkLayout
from network.plan import PeerPlan, Plan

BLOCK_TIMEOUT_S = 30.0
"""So long a peer may take to have a block that others have."""


def admin_identity(peer: PeerPlan, layout: NetworkLayout) -> SigningIdentity:
    """The administrator of the peer's member, from the member's folder."""
    pair = layout.member(peer.member_id).credential("admin")
    signer = Signer(pair.key.read_bytes())
    return SigningIdentity(peer.mspid, pair.certificate.read_bytes(), signer)


def channel_to(address: str, layout: NetworkLayout) -> aio.Channel:
    """A channel to the peer at an address (host:port for clients) of this network."""
    return client_channel(address, layout.tls_ca_bundle.read_bytes())


def connect(plan: Plan, peer: PeerPlan, layout: NetworkLayout) -> GatewayClient:
    """A client of that peer."""
    return GatewayClient(channel_to(peer.address, layout), plan.channel_id)


async def wait_everywhere(plan: Plan, layout: NetworkLayout, block_number: int) -> None:
    """Wait until every validator that answers has the block, so that any of them serves it."""

    async def has_block(peer: PeerPlan) -> None:
        channel = channel_to(peer.address, layout)
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
