"""What is done to validators of a running network, and how long each takes to be back."""

import asyncio
import random
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Protocol

from network.plan import MemberPlan
from network.running.heads import Head, heads
from tests.chaos.chaos_plan import ChaosPlan
from tests.chaos.validators import Validators, note_wipe, returns_to_vote, wipes

RECOVERY_WANTED_S = 20.0
"""What is expected; how many took longer is reported."""
RECOVERY_TIMEOUT_S = 120.0
"""What fails the run."""
POLL_S = 0.1


class Wires(Protocol):
    """The connections among validators, by index in the plan."""

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def cut(self, index: int) -> None: ...
    async def mute(self, index: int) -> None: ...
    async def slow(self, index: int) -> None: ...
    async def heal(self, index: int) -> None: ...


@dataclass
class Perturber:
    """Draws perturbations from a seed and carries them out."""

    plan: ChaosPlan
    validators: Validators
    wires: Wires
    other_environment: Mapping[str, str]
    """What an upgraded validator is started with."""
    seed: int
    done: dict[str, int] = field(default_factory=dict)
    recovery_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        weights = asdict(self.plan.weights)
        # Every kind once before any is drawn again: a short run shows them all.
        self._due = [kind for kind, weight in weights.items() if weight]
        self._chance.shuffle(self._due)
        self._weights = weights

    async def run(self, seconds: float) -> None:
        """One after the other until the time is over, every kind was there, and all are back."""
        deadline = time.monotonic() + seconds
        while self._due or time.monotonic() < deadline:
            kind = self._due.pop() if self._due else self._draw()
            most = 1 if kind == "wipe" else self.plan.perturbed_at_once_max
            count = self._chance.randint(1, most)
            victims = self._chance.sample(self.validators.members, count)
            print(f"  {kind:<8} {', '.join(victim.id for victim in victims)}", flush=True)
            await getattr(self, kind)(victims)
            self.done[kind] = self.done.get(kind, 0) + count
            self.recovery_s += await recovered(self.validators, victims, since=time.monotonic())
            await asyncio.sleep(self.plan.rest_s * self._chance.random())

    def _draw(self) -> str:
        kinds = list(self._weights)
        return self._chance.choices(kinds, list(self._weights.values()))[0]

    # -- the kinds --------------------------------------------------------------------------------

    async def kill(self, victims: list[MemberPlan]) -> None:
        await self.validators.kill(*victims)
        await asyncio.sleep(self._chance.random())
        self.validators.start(*victims)

    async def restart(self, victims: list[MemberPlan]) -> None:
        await self.validators.stop(*victims)
        self.validators.start(*victims)

    async def upgrade(self, victims: list[MemberPlan]) -> None:
        await self.validators.stop(*victims)
        self.validators.start(*victims, environment=self.other_environment)

    async def wipe(self, victims: list[MemberPlan]) -> None:
        await self.validators.kill(*victims)
        for victim in victims:
            await asyncio.to_thread(shutil.rmtree, self.validators.folder(victim).ledger_dir)
            note_wipe(self.validators, victim)
        self.validators.start(*victims)
        # More observers than f would stop everything for an operator, as promised.
        await asyncio.gather(*(_votes_again(self.validators, victim) for victim in victims))

    async def pause(self, victims: list[MemberPlan]) -> None:
        self.validators.signal(signal.SIGSTOP, *victims)
        await asyncio.sleep(self.plan.lasts_s)
        self.validators.signal(signal.SIGCONT, *victims)

    async def cut(self, victims: list[MemberPlan]) -> None:
        await self._wired(self.wires.cut, victims)

    async def mute(self, victims: list[MemberPlan]) -> None:
        await self._wired(self.wires.mute, victims)

    async def slow(self, victims: list[MemberPlan]) -> None:
        await self._wired(self.wires.slow, victims)

    async def _wired(self, change, victims: list[MemberPlan]) -> None:
        indexes = [self.validators.members.index(victim) for victim in victims]
        for index in indexes:
            await change(index)
        await asyncio.sleep(self.plan.lasts_s)
        for index in indexes:
            await self.wires.heal(index)


async def recovered(
    validators: Validators, victims: list[MemberPlan], *, since: float
) -> list[float]:
    """Seconds from `since` (monotonic) until each victim has a block made after now.

    The load must be running. Raises TimeoutError.
    """
    others = [member for member in validators.members if member not in victims] or victims
    known = [head.height for head in await _heads(validators, others) if head is not None]
    target = max(known, default=1) + 1

    async def one(victim: MemberPlan) -> float:
        while True:
            [head] = await _heads(validators, [victim])
            if head is not None and head.height >= target:
                return time.monotonic() - since
            await asyncio.sleep(POLL_S)

    async with asyncio.timeout(RECOVERY_TIMEOUT_S):
        return list(await asyncio.gather(*(one(victim) for victim in victims)))


async def _votes_again(validators: Validators, victim: MemberPlan) -> None:
    async with asyncio.timeout(RECOVERY_TIMEOUT_S):
        while True:
            if returns_to_vote(validators, victim) == wipes(validators, victim):
                return
            await asyncio.sleep(POLL_S)


async def agreed(validators: Validators) -> Head:
    """Wait until all validators answer with one head twice in a row; raises TimeoutError."""
    before: Head | None = None
    async with asyncio.timeout(RECOVERY_TIMEOUT_S):
        while True:
            found = await _heads(validators, list(validators.members))
            first = found[0]
            if first is not None and set(found) == {first}:
                if first == before:
                    return first
                before = first
            await asyncio.sleep(POLL_S)


async def _heads(validators: Validators, members: list[MemberPlan]) -> list[Head | None]:
    return await heads(validators.plan, validators.layout, members)
