"""The market's timetable: opens listings, closes bidding, clears, settles, each exactly once.

Every step may be repeated: the contract answers a second call with what is there already, so a
scheduler that was restarted walks through the same hour again without harm.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

from gateway.errors import LedgerRefusal
from gateway.ledger_access.actor import Actor
from gateway.ledger_access.refusals import refusal_code
from gateway.timetable.market_clock import HourPlan
from gateway.timetable.settling import SETTLED, settle_listing

SETTLE_WAITED_MS = 60_000
"""For readings that are reported: this scheduler's peer may be blocks behind the oracle's."""
SETTLE_RETRY_MS = 300
WAKE_MARGIN_MS = 5

logger = logging.getLogger(__name__)


class Scheduler:
    """One listing at a time; several hours may run side by side."""

    def __init__(self, actor: Actor, clock_ms: Callable[[], int]) -> None:
        self._actor = actor
        self._clock_ms = clock_ms

    async def open_listing(self, hour: HourPlan, *, floor: int, cap: int) -> None:
        """Open the market of an hour; prices in micro-tokens per kWh."""
        await sleep_until(hour.open_at_ms, self._clock_ms)
        parameters = {
            "preset": "hourly",
            "floor_utoken_per_kwh": floor,
            "cap_utoken_per_kwh": cap,
            "opens_at_ms": hour.open_at_ms,
            "gate_closure_ms": hour.gate_closure_ms,
            "delivery_start_ms": hour.delivery_start_ms,
            "delivery_end_ms": hour.delivery_end_ms,
            "settlement_end_ms": hour.settlement_end_ms,
            "reading_tolerance_ms": 0,
        }
        await self._actor.submit_unless(
            "ALREADY_EXISTS", "market:open_listing", hour.listing_id, json.dumps(parameters)
        )

    async def close_and_clear(self, hour: HourPlan) -> dict[str, Any]:
        """At gate closure: no more orders, one price; at delivery start: delivering."""
        await sleep_until(hour.gate_closure_ms, self._clock_ms)
        await self._actor.submit("market:close_bidding", hour.listing_id)
        result: dict[str, Any] = await self._actor.submit("market:clear", hour.listing_id)
        await sleep_until(hour.delivery_start_ms, self._clock_ms)
        await self._actor.submit("market:start_delivery", hour.listing_id)
        return result

    async def settle(self, hour: HourPlan) -> dict[str, Any]:
        """After delivery, once the readings are there.

        Raises `LedgerRefusal` with READINGS_MISSING when they are not after `SETTLE_WAITED_MS`.
        """
        await sleep_until(hour.delivery_end_ms, self._clock_ms)
        give_up_ms = self._clock_ms() + SETTLE_WAITED_MS
        while True:
            try:
                state = await settle_listing(self._actor, hour.listing_id)
                if state == SETTLED:
                    break
                logger.warning("%s is %s: readings are missing", hour.listing_id, state)
            except LedgerRefusal as refusal:
                if refusal_code(refusal) != "READINGS_MISSING" or self._clock_ms() >= give_up_ms:
                    raise
                logger.info("%s waits for readings: %s", hour.listing_id, refusal.cause)
            await asyncio.sleep(SETTLE_RETRY_MS / 1000)
        settled: dict[str, Any] = await self._actor.evaluate(
            "market:get_settlement", hour.listing_id
        )
        return settled


async def sleep_until(instant_ms: int, clock_ms: Callable[[], int]) -> None:
    """Return right after this instant, never before it."""
    remaining_ms = instant_ms - clock_ms()
    if remaining_ms > 0:
        await asyncio.sleep((remaining_ms + WAKE_MARGIN_MS) / 1000)
