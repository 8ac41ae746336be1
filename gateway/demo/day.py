"""The market day of the demo: every hour opened, traded, delivered, metered and settled."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.agent.household import Household
from gateway.agent.strategy import MarketTerms
from gateway.demo.direct_deals import DirectDeals
from gateway.demo.report import HourReport
from gateway.demo.table import LiveTable, Row
from gateway.demo.tariffs import FEED_IN_UTOKEN_PER_KWH, Tariffs
from gateway.errors import LedgerRefusal
from gateway.hems.fleet import Fleet
from gateway.hems.profiles import Profiles
from gateway.ledger_access.refusals import refusal_code
from gateway.oracle.reporting import ReportingNode
from gateway.timetable.market_clock import HourPlan, MarketClock
from gateway.timetable.scheduler import Scheduler, sleep_until

MAX_ORDER_WH = 10_000


@dataclass(slots=True)
class MarketDay:
    """Everyone who takes part."""

    clock: MarketClock
    """Another one when an hour had to be moved."""
    clock_ms: Callable[[], int]
    scheduler: Scheduler
    oracle: ReportingNode
    households: Sequence[Household]
    fleet: Fleet
    profiles: Profiles
    tariffs: Tariffs
    deals: DirectDeals
    table: LiveTable
    utc_offset: timedelta

    async def run(self, hours: int) -> list[HourReport]:
        """Run that many hours; they overlap as a real market's do."""
        loop = asyncio.get_running_loop()
        opened: list[asyncio.Future[HourPlan]] = [loop.create_future() for _ in range(hours)]
        reported = [asyncio.Event() for _ in range(hours)]
        async with asyncio.TaskGroup() as group:
            reporting = group.create_task(self.oracle.run())
            group.create_task(self._open_all(opened))
            group.create_task(self._meters(opened, reported))
            results = [
                group.create_task(self._hour(plan, is_reported))
                for plan, is_reported in zip(opened, reported, strict=True)
            ]
            await asyncio.wait(results)
            reporting.cancel()
        return [result.result() for result in results]

    async def go_on(self, first: int) -> None:
        """For ever, from hour number `first` on: readings without a market, at nobody's ledger."""
        for index in itertools.count(first):
            await self._read(self.clock.hour(index))

    async def _open_all(self, opened: Sequence[asyncio.Future[HourPlan]]) -> None:
        for index, plan in enumerate(opened):
            plan.set_result(await self._open(index))

    async def _open(self, index: int) -> HourPlan:
        """The hour as it takes orders now; one that would get none any more is moved before."""
        while True:
            await sleep_until(self.clock.hour(index).open_at_ms, self.clock_ms)
            self.clock = self.clock.moved_for(index, self.clock_ms())
            hour = self.clock.hour(index)
            try:
                await self.scheduler.open_listing(
                    hour, floor=FEED_IN_UTOKEN_PER_KWH, cap=self._retail_price(hour)
                )
            except LedgerRefusal as refusal:
                if refusal_code(refusal) != "TOO_LATE":
                    raise
            else:
                return hour

    async def _read(self, hour: HourPlan) -> None:
        await sleep_until(hour.delivery_end_ms, self.clock_ms)
        self.fleet.run_hour(hour.delivery_start)
        await self.fleet.publish_all(hour.delivery_end_ms)

    async def _meters(
        self, opened: Sequence[asyncio.Future[HourPlan]], reported: Sequence[asyncio.Event]
    ) -> None:
        """One reading at each end of every hour; neighbouring hours share theirs.

        Before an hour that was moved nothing flows, and every end of an hour is read all the same.
        """
        following_ms = (await opened[0]).delivery_start_ms
        for plan, is_reported in zip(opened, reported, strict=True):
            hour = await plan
            for end_ms in range(following_ms, hour.delivery_start_ms + 1, self.clock.hour_ms):
                await sleep_until(end_ms, self.clock_ms)
                await self.fleet.publish_all(end_ms)
                await self.oracle.reported(end_ms)
            await self._read(hour)
            await self.oracle.reported(hour.delivery_end_ms)
            is_reported.set()
            following_ms = hour.delivery_end_ms + self.clock.hour_ms

    async def _hour(self, opened: asyncio.Future[HourPlan], reported: asyncio.Event) -> HourReport:
        hour = await opened
        row = Row(label=self._label(hour))
        cap = self._retail_price(hour)
        row.retail_price_utoken_per_kwh = cap
        self._show(hour, row, "taking orders")
        await asyncio.gather(self._trade(hour, row, cap), self.tariffs.announce(hour, cap))
        result = await self.scheduler.close_and_clear(hour)
        row.offers, row.bids = result["offer_count"], result["bid_count"]
        row.price_utoken_per_kwh = result["price_utoken_per_kwh"]
        row.matched_wh = result["quantity_wh"]
        self._show(hour, row, "delivering")
        await reported.wait()
        settled = await self.scheduler.settle(hour)
        await self.deals.settle(hour)
        row.settled_wh, row.imported_wh = settled["settled_wh"], settled["imported_wh"]
        self._show(hour, row, "settled")
        return _report(hour, row, settled)

    async def _trade(self, hour: HourPlan, row: Row, cap: int) -> None:
        """Every household decides and orders for itself, all at once; then two of them deal."""
        terms = MarketTerms(hour.listing_id, FEED_IN_UTOKEN_PER_KWH, cap, MAX_ORDER_WH)
        wishes = await asyncio.gather(
            *(
                home.on_listing(
                    terms, hour.delivery_start, apart_wh=self.deals.apart_wh(home, hour)
                )
                for home in self.households
            )
        )
        sides = [wish.side for wish in wishes if wish is not None]
        row.offers, row.bids = sides.count("offer"), sides.count("bid")
        self._show(hour, row, "orders placed")
        await self.deals.strike(hour)

    def _retail_price(self, hour: HourPlan) -> int:
        return retail_price(self.profiles, hour.delivery_start)

    def _label(self, hour: HourPlan) -> str:
        local = hour.delivery_start + self.utc_offset
        return f"{local.day} {local:%b} {local:%H:%M}"

    def _show(self, hour: HourPlan, row: Row, state: str) -> None:
        row.state = state
        self.table.update(hour.listing_id, row)


def retail_price(profiles: Profiles, delivery_start: datetime) -> int:
    """The data set's tariff for an hour, in utoken per kWh."""
    return profiles.retail_price_utoken_per_kwh[profiles.hour_index(delivery_start)]


def _report(hour: HourPlan, row: Row, settled: dict[str, Any]) -> HourReport:
    return HourReport(
        listing_id=hour.listing_id,
        label=row.label,
        offers=row.offers,
        bids=row.bids,
        price_utoken_per_kwh=row.price_utoken_per_kwh,
        retail_price_utoken_per_kwh=row.retail_price_utoken_per_kwh,
        matched_wh=settled["matched_wh"],
        settled_wh=settled["settled_wh"],
        imported_wh=settled["imported_wh"],
        exported_wh=settled["exported_wh"],
        paid_utoken=settled["total_utoken"],
    )
