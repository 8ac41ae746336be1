"""Keeping the read model up to date, for ever: it survives peers that come and go."""

import asyncio
import logging

from gateway.errors import LedgerRefusal
from gateway.ledger_access.block_signal import BlockSignal
from gateway.ports import Ledger
from gateway.readmodel.projector import BlockMissing, Projector
from ledger.audit.chain import ChainBroken

RECONNECT_MS_MIN, RECONNECT_MS_MAX = 200, 10_000

logger = logging.getLogger(__name__)


async def follow_blocks(ledger: Ledger, projector: Projector, signal: BlockSignal) -> None:
    """Apply blocks from where the read model stands, and announce each."""
    pause_ms = RECONNECT_MS_MIN
    while True:
        try:
            height = await asyncio.to_thread(projector.prepare)
            await signal.announce(height)
            async for block in ledger.blocks(height):
                transactions = await asyncio.to_thread(projector.apply, block)
                await signal.announce(block.number + 1, transactions)
                pause_ms = RECONNECT_MS_MIN
        except LedgerRefusal as refusal:
            logger.warning("block stream: %s; again in %d ms", refusal, pause_ms)
        except (BlockMissing, ChainBroken) as error:
            logger.warning("the read model changed meanwhile, or is damaged: %s", error)
        await asyncio.sleep(pause_ms / 1000)
        pause_ms = min(2 * pause_ms, RECONNECT_MS_MAX)
