"""Filling the read model from block 0, and telling how far it is."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gateway.ports import Ledger
from gateway.readmodel.projector import Projector


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How far a rebuild is."""

    blocks: int
    transactions: int
    height: int
    """Blocks there were when it began."""


async def rebuild(
    ledger: Ledger, projector: Projector, *, show: Callable[[Rebuilt], None]
) -> Rebuilt:
    """Empty the read model and fill it up to the height the ledger has now.

    `show` is called after every block. A refusal of the ledger ends it; it can be run again, and a
    gateway that starts meanwhile continues where it stopped.
    """
    height = await ledger.height()
    await asyncio.to_thread(projector.empty)
    done = Rebuilt(0, 0, height)
    async for block in ledger.blocks(0):
        applied = await asyncio.to_thread(projector.apply, block)
        done = Rebuilt(done.blocks + 1, done.transactions + len(applied), height)
        show(done)
        if done.blocks >= height:
            break
    return done
