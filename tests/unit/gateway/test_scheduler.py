"""The scheduler of a market that runs by its own clock, on the real contracts."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import LedgerRefusal
from gateway.ledger_access.refusals import refusal_code
from gateway.timetable.market_clock import HourPlan
from gateway.timetable.scheduler import SETTLE_WAITED_MS, Scheduler
from tests.support.paced_loop import paced_loop, run_paced
from tests.unit.energy.community import LISTING, Community, hour_of
from tests.unit.energy.settlement.trades import one_trade
from tests.unit.gateway.acting import LedgerActor

HOUR = HourPlan(LISTING, hour_of(LISTING), 0, 0, 0, 0, 0)
"""It is over for the scheduler's clock; the contracts have their own."""


class Actor(LedgerActor):
    """As an `Actor` of a network; `meanwhile` happens before each of its transactions."""

    def __init__(self, client: Any, meanwhile: Callable[[], None]) -> None:
        super().__init__(client)
        self._meanwhile = meanwhile

    async def submit(self, function: str, *args: str) -> Any:
        self._meanwhile()
        return await super().submit(function, *args)


def settling(community: Community, meanwhile: Callable[[], None] = lambda: None) -> Scheduler:
    """Its clock is the loop's."""
    community.ledger.at(hour_of(LISTING) + timedelta(hours=1))
    return Scheduler(Actor(community.scheduler, meanwhile), lambda: paced_loop().elapsed_ms())


def test_readings_that_a_slow_peer_has_half_a_minute_later_settle_the_hour() -> None:
    community, seller, buyer = one_trade()
    settled: list[dict[str, Any]] = []

    def deliver() -> None:
        if paced_loop().elapsed_ms() >= SETTLE_WAITED_MS // 2 and not seller.export_wh:
            community.deliver({seller.idgrid: (0, 8_000), buyer.idgrid: (8_000, 0)})

    async def play() -> None:
        settled.append(await settling(community, deliver).settle(HOUR))

    run_paced(play(), speed=200)
    assert settled[0]["settled_wh"] == 8_000


def test_readings_that_never_come_end_the_wait_with_the_ledgers_refusal() -> None:
    community, _, _ = one_trade()

    async def play() -> None:
        with pytest.raises(LedgerRefusal) as refused:
            await settling(community).settle(HOUR)
        assert refusal_code(refused.value) == "READINGS_MISSING"
        assert paced_loop().elapsed_ms() >= SETTLE_WAITED_MS

    run_paced(play(), speed=200)
