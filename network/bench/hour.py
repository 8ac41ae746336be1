"""An hour of a big community on a running network: registered, traded, metered, settled.

Half of the households offer, the other half bids for a little less, so that everybody is matched.
Closing and clearing the listing is timed, and settling it; the way there is not.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from chaincode.energy.hours import listing_id_at
from ledger.client.gateway import GatewayClient
from network.bench.auction import ClearedBook, close_and_clear
from network.bench.parallel import in_parallel
from network.bench.settlement import BenchMeter, SettledHour, report, settle_listing
from network.bench.trial_households import (
    Household,
    Submit,
    TrialHouseholds,
    submitting,
)
from network.layout import NetworkLayout
from network.plan import Plan
from network.running.clients import wait_everywhere
from network.running.lifecycle import validator_pids

IN_FLIGHT = 64
ORDERS_PER_SECOND_MIN = 40
"""The gate stays open so long that even a slow machine places all orders."""
OFFER_WH, BID_WH = 1_000, 900
OFFERED_AT, BID_AT = 90_000, 120_000
DEPOSIT_UTOKEN = 10**9
DELIVERY_MS = 1_000
EXPORTED_WH, IMPORTED_WH = 950, 880
MILLISECONDS = 1_000


@dataclass(frozen=True, slots=True)
class _Home:
    """A household, its meter, and the side it trades on."""

    household: Household
    meter: BenchMeter
    is_seller: bool


class BigHour:
    """See the module's docstring; `name` tells its grid ids from those of other trials."""

    def __init__(
        self,
        plan: Plan,
        layout: NetworkLayout,
        clients: Sequence[GatewayClient],
        *,
        name: str,
        orders_each: int = 1,
    ) -> None:
        self._plan, self._layout = plan, layout
        self._client = clients[0]
        self._clients = itertools.cycle(clients)
        self._trial = TrialHouseholds(plan, layout, name=name)
        self._orders_each = orders_each
        self._processes = validator_pids(plan, layout)
        self._homes: list[_Home] = []

    async def settle_in(self, count: int) -> None:
        """Register and approve `count` households; buyers get money."""
        await self._everywhere([self._trial.configure(submitting(self._client))])
        self._homes = [
            _Home(household, BenchMeter(f"m-{household.res_id}"), is_seller=bool(number % 2))
            for number, household in enumerate(map(self._trial.household, range(count)))
        ]
        await self._everywhere(map(self._join, self._homes))

    async def settle(self, progress: Callable[[str], None]) -> tuple[ClearedBook, SettledHour]:
        """Trade, deliver and meter one hour, then settle it."""
        listing_id, ends_ms, cleared = await self._trade(progress)
        progress(f"cleared {cleared.orders} orders in {cleared.total_s:.2f} s")
        for instant_ms, moved in ((ends_ms - DELIVERY_MS, 0), (ends_ms, 1)):
            await _sleep_until(instant_ms)
            for home in self._homes:
                home.meter.export_wh += moved * EXPORTED_WH * home.is_seller
                home.meter.import_wh += moved * IMPORTED_WH * (not home.is_seller)
            meters = [home.meter for home in self._homes]
            await report(self._client, self._trial.oracle, meters, instant_ms)
        progress(f"settling {len(self._homes)} households")
        settled = await settle_listing(
            self._client, self._trial.operator, listing_id, processes=self._processes
        )
        return cleared, settled

    async def _trade(self, progress: Callable[[str], None]) -> tuple[str, int, ClearedBook]:
        """The listing, cleared, and the instant its delivery ends."""
        now_ms = int(time.time() * MILLISECONDS)
        orders = len(self._homes) * self._orders_each
        closes_ms = now_ms + 10_000 + orders * MILLISECONDS // ORDERS_PER_SECOND_MIN
        listing_id = listing_id_at(now_ms)
        opening = self._trial.open_listing(
            submitting(self._client),
            listing_id,
            opens_ms=now_ms,
            gate_closure_ms=closes_ms,
            delivery_ms=DELIVERY_MS,
            reading_tolerance_ms=0,
        )
        await self._everywhere([opening])
        progress(f"placing {orders} orders; the gate closes at a set time")
        await self._everywhere(self._order(listing_id, home) for home in self._homes)
        await _sleep_until(closes_ms)
        progress(f"clearing {orders} orders")
        cleared = await close_and_clear(
            self._client, self._trial.operator, listing_id, processes=self._processes
        )
        return listing_id, closes_ms + DELIVERY_MS, cleared

    async def _join(self, home: _Home) -> int:
        return await self._trial.register(
            submitting(next(self._clients)),
            home.household,
            meter_key_pem=home.meter.public_key_pem,
            deposit_utoken=0 if home.is_seller else DEPOSIT_UTOKEN,
        )

    async def _order(self, listing_id: str, home: _Home) -> int:
        """One after the other: two orders of a household in one block would conflict."""
        submit: Submit = submitting(next(self._clients))
        identity, block = home.household.identity, 0
        for number in range(self._orders_each):
            if home.is_seller:
                price = str(OFFERED_AT + number)
                offer = (home.household.res_id, str(OFFER_WH // self._orders_each), price)
                block = await submit(identity, "market:place_offer", listing_id, *offer)
            else:
                bid = (str(BID_WH // self._orders_each), str(BID_AT - number))
                block = await submit(identity, "market:place_bid", listing_id, *bid)
        return block

    async def _everywhere(self, work: Iterable[Awaitable[int]]) -> None:
        """Do it all, some at a time, and wait until every validator has the last block of it."""
        blocks = await in_parallel(work, in_flight=IN_FLIGHT)
        await wait_everywhere(self._plan, self._layout, max(blocks, default=0))


async def _sleep_until(instant_ms: int) -> None:
    await asyncio.sleep(max(0.0, instant_ms / MILLISECONDS - time.time()))
