"""So many validators paused that no quorum is left: nothing commits; then a block comes soon."""

import asyncio
import signal
import time
from dataclasses import dataclass

from ledger.consensus.limits import MAX_TIMEOUT_MS
from ledger.consensus.quorum import quorum
from tests.chaos.run import Scene

BLOCK_WITHIN_S = 2 * MAX_TIMEOUT_MS / 1000
"""Twice the cap of the round timer."""
WARM_UP_COMMITS = 20
UNDER_WAY_S = 3.0
"""For answers that were under way when the two were paused."""


@dataclass(frozen=True)
class PauseResult:
    """What was measured."""

    paused: int
    """Validators."""
    paused_s: float
    commits_while_paused: int
    block_after_s: float


def paused_of(validators: int) -> int:
    """How many must stand still so that the others are no quorum."""
    return validators - quorum(validators) + 1


async def pause_too_many(scene: Scene, *, seconds: float) -> PauseResult:
    """Pause the last of the plan; raises TimeoutError without a block in time."""
    for _ in range(WARM_UP_COMMITS):
        await scene.load.next_commit()
    members = scene.validators.members
    victims = members[-paused_of(len(members)) :]
    scene.validators.signal(signal.SIGSTOP, *victims)
    paused = time.monotonic()
    await asyncio.sleep(min(UNDER_WAY_S, seconds / 2))
    before = scene.load.acknowledged
    await asyncio.sleep(seconds - (time.monotonic() - paused))
    during = scene.load.acknowledged - before
    scene.validators.signal(signal.SIGCONT, *victims)
    resumed = time.monotonic()
    async with asyncio.timeout(BLOCK_WITHIN_S):
        await scene.load.next_commit()
    return PauseResult(
        paused=len(victims),
        paused_s=resumed - paused,
        commits_while_paused=during,
        block_after_s=time.monotonic() - resumed,
    )
