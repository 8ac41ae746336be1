"""`kill -9` again and again: one, some or all validators at once, at random moments under load."""

import asyncio
import random
import time
from dataclasses import dataclass, field

from network.plan import MemberPlan
from tests.chaos.load import Load
from tests.chaos.perturbations import recovered
from tests.chaos.validators import Validators

HASTY_ROUNDS = 0.25
"""So many rounds do not wait for recovery: the next kill meets validators that catch up."""
AFTER_COMMIT = 0.5
"""So many kills come within milliseconds of a commit, the others at any time."""
COMMIT_LASTS_S = 0.02
ANY_TIME_S = 0.8
DOWN_S = 0.3
PROGRESS_TIMEOUT_S = 120.0


@dataclass
class KillLoop:
    """Counts what it does."""

    validators: Validators
    load: Load
    seed: int
    kills: int = 0
    rounds: int = 0
    all_at_once: int = 0
    recovery_s: list[float] = field(default_factory=list)

    async def run(self, kills: int) -> None:
        """Until so many processes were killed."""
        chance = random.Random(self.seed)
        members = self.validators.members
        while self.kills < kills:
            sizes = [1] * 5 + [2] * 3 + [len(members)] * 2
            count = min(chance.choice(sizes), kills - self.kills)
            await self._round(chance, chance.sample(members, count))
        await recovered(self.validators, list(members), since=time.monotonic())

    async def _round(self, chance: random.Random, victims: list[MemberPlan]) -> None:
        if chance.random() < AFTER_COMMIT:
            async with asyncio.timeout(PROGRESS_TIMEOUT_S):
                await self.load.next_commit()
            await asyncio.sleep(COMMIT_LASTS_S * chance.random())
        else:
            await asyncio.sleep(ANY_TIME_S * chance.random())
        self.kills += await self.validators.kill(*victims)
        self.rounds += 1
        self.all_at_once += len(victims) == len(self.validators.members)
        await asyncio.sleep(DOWN_S * chance.random())
        restarted = time.monotonic()
        self.validators.start(*victims)
        await self.validators.ready(*victims)
        if chance.random() >= HASTY_ROUNDS:
            self.recovery_s += await recovered(self.validators, victims, since=restarted)
            async with asyncio.timeout(PROGRESS_TIMEOUT_S):
                await self.load.next_commit()
