"""The newest block of each validator, asked of the validators themselves."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from grpc import aio

from ledger.client.blocks import newest_block
from ledger.crypto.hashing import block_hash
from ledger.errors import InvalidMessage
from ledger.model.block import SLOT_COMMIT_HASH
from ledger.model.codec_block import consenter_metadata, decode_commit_hash
from network.layout import NetworkLayout
from network.plan import PeerPlan, Plan
from network.running.clients import admin_identity, channel_to

ANSWER_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Head:
    """Where one validator's ledger stands."""

    height: int
    """Number of blocks."""
    block_hash: bytes
    state_hash: bytes
    """Commit hash after the newest block: equal on all validators at the same height."""
    round: int | None = None
    """In which the newest block was agreed; None for the genesis block."""


async def head(plan: Plan, peer: PeerPlan, layout: NetworkLayout) -> Head | None:
    """The validator's head; None when it does not answer."""
    channel = channel_to(peer.address, layout)
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            block = await newest_block(channel, admin_identity(peer, layout), plan.channel_id)
    except (aio.AioRpcError, InvalidMessage, TimeoutError):
        return None
    finally:
        await channel.close()
    agreed = consenter_metadata(block)
    return Head(
        height=block.number + 1,
        block_hash=block_hash(block.header),
        state_hash=decode_commit_hash(block.metadata[SLOT_COMMIT_HASH]),
        round=agreed.round if agreed else None,
    )


async def heads(
    plan: Plan, layout: NetworkLayout, peers: Sequence[PeerPlan] | None = None
) -> list[Head | None]:
    """Heads in the order of the peers (all of the plan's by default)."""
    asked = plan.peers if peers is None else peers
    return list(await asyncio.gather(*(head(plan, peer, layout) for peer in asked)))
