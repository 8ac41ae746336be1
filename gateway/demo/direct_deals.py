"""Two neighbours of the demo who deal from house to house, and two who wait for somebody to.

All of it is signed by the households and goes through the gateway. What a deal needs is kept out
of the auction by both (`apart_wh`), or the auction would take it off their meters first.
"""

import asyncio
import logging
from collections.abc import Callable

from chaincode.energy.hours import HOUR_MS, listing_id_at
from gateway.agent.client import OrderRefused
from gateway.agent.household import Household
from gateway.local_time import LocalTime
from gateway.timetable.market_clock import HourPlan

DEAL_PERCENT = 25
"""Of what both have: of the seller's surplus or the buyer's need, whichever is less."""
DEAL_MIN_WH = 20
PRICE_UTOKEN_PER_KWH = 150_000
"""Between feed-in tariff and retail price, so both gain."""
WAITING_WH = 1_500
WH_PER_KWH = 1_000
NOON = 12
TRIES_MAX = 3

logger = logging.getLogger(__name__)


def lot_utoken(energy_wh: int) -> int:
    """The price of a lot, in micro-tokens."""
    return energy_wh * PRICE_UTOKEN_PER_KWH // WH_PER_KWH


class DirectDeals:
    """A seller and a buyer, hour by hour; `say` prints a line above the table."""

    def __init__(self, *, seller: Household, buyer: Household, say: Callable[[str], None]) -> None:
        self._seller = seller
        self._buyer = buyer
        self._say = say
        self._bought: dict[str, str] = {}
        """Post by listing."""

    def lot_wh(self, hour: HourPlan) -> int:
        """What the two expect to exchange in this hour; 0 if it is not worth a deal."""
        surplus_wh = self._seller.net_wh(hour.delivery_start)
        need_wh = -self._buyer.net_wh(hour.delivery_start)
        energy_wh = min(surplus_wh, need_wh) * DEAL_PERCENT // 100
        return energy_wh if energy_wh >= DEAL_MIN_WH else 0

    def apart_wh(self, household: Household, hour: HourPlan) -> int:
        """How much of the hour a household keeps out of the auction."""
        return self.lot_wh(hour) if household in (self._seller, self._buyer) else 0

    async def strike(self, hour: HourPlan) -> None:
        """The seller offers, the buyer buys; too late in the hour before, there is no deal."""
        energy_wh = self.lot_wh(hour)
        if not energy_wh:
            return
        lot = lot_utoken(energy_wh)
        try:
            post_id = await self._seller.offer_directly(hour.listing_id, energy_wh, lot)
            terms = [hour.listing_id, str(energy_wh), str(lot)]
            await self._buyer.submit("marketplace:buy", [post_id, *terms])
        except OrderRefused as refused:
            logger.warning("no deal for %s: %s", hour.listing_id, refused)
            return
        self._bought[hour.listing_id] = post_id
        self._say(
            f"  deal {post_id}: {energy_wh / WH_PER_KWH:.3f} kWh"
            f" {self._seller.idgrid} → {self._buyer.idgrid}"
        )

    async def settle(self, hour: HourPlan) -> None:
        """After the hour's auction has settled: the seller asks to be paid by the meters."""
        post_id = self._bought.pop(hour.listing_id, None)
        if post_id is None:
            return
        try:
            await self._seller.submit("marketplace:settle", [post_id])
        except OrderRefused as refused:
            logger.warning("%s is not settled: %s", post_id, refused)


async def wait_for_takers(
    *, seller: Household, buyer: Household, now_ms: int, local_time: LocalTime
) -> None:
    """One offer and one request for tomorrow noon: they stay open while the demo does."""
    today_ends_ms = local_time.day_ms(local_time.day_of(now_ms))[1]
    hour = listing_id_at(today_ends_ms + NOON * HOUR_MS)
    lot = lot_utoken(WAITING_WH)
    await asyncio.gather(
        seller.offer_directly(hour, WAITING_WH, lot),
        buyer.submit("marketplace:post_request", [hour, str(WAITING_WH), str(lot)]),
    )
