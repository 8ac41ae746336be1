"""The demo's tariffs and sharing keys, as the community manager publishes them on the ledger.

The retail price follows the data set's tariff on the market's clock; feed-in tariff and fixed
parts of a sharing key are announced for the first of a month, on the clock of everybody.
"""

import asyncio
import json
from collections.abc import Callable, Sequence

from chaincode.energy.hours import DAY_MS, MINUTE_MS
from chaincode.energy.oracle.prices import FEED_IN, RETAIL
from chaincode.energy.sharing.agreeing import PARTS
from chaincode.energy.sharing.records import KeyKind
from gateway.ledger_access.actor import Actor
from gateway.local_time import LocalTime
from gateway.timetable.market_clock import HourPlan

FEED_IN_UTOKEN_PER_KWH = 80_000
"""What the utility pays for a kWh; the data set has no feed-in tariff."""
NEXT_FEED_IN_UTOKEN_PER_KWH = 84_000
"""Announced for the month to come; this demo's listings keep the one in force."""
TARIFF_VALID_MS = 365 * DAY_MS
SLOT_MINUTES = 15
AT_ONCE = "0"


def next_slot_ms(now_ms: int) -> int:
    """The next quarter of an hour to begin."""
    slot_ms = SLOT_MINUTES * MINUTE_MS
    return (now_ms // slot_ms + 1) * slot_ms


def coming_month_ms(now_ms: int, local_time: LocalTime) -> int:
    """The first of a month that is at least a day away."""
    tomorrow_ms = now_ms + DAY_MS
    return local_time.month_ms(local_time.month_of(tomorrow_ms))[1]


def equal_parts(idgrids: Sequence[str]) -> dict[str, int]:
    """Millionths by IDgrid, together 1,000,000; the first ones have one more."""
    part, left = divmod(PARTS, len(idgrids))
    return {idgrid: part + (number < left) for number, idgrid in enumerate(idgrids)}


class Tariffs:
    """Publishes with the manager's key what households and contracts then find on the ledger."""

    def __init__(
        self, manager: Actor, *, local_time: LocalTime, clock_ms: Callable[[], int]
    ) -> None:
        self._manager = manager
        self._local_time = local_time
        self._clock_ms = clock_ms
        self._retail: int | None = None

    async def begin(self, idgrids: Sequence[str], *, retail: int) -> None:
        """Both tariffs and both versions of the sharing key; prices in utoken per kWh."""
        month_ms = coming_month_ms(self._clock_ms(), self._local_time)
        self._retail = retail
        await asyncio.gather(
            self._publish(RETAIL, retail, AT_ONCE),
            self._feed_in(month_ms),
            self._share(idgrids, month_ms),
        )

    async def announce(self, hour: HourPlan, retail: int) -> None:
        """The retail price from the beginning of this hour's delivery, if it is another one."""
        if retail == self._retail:
            return
        self._retail = retail
        await self._publish(RETAIL, retail, str(hour.delivery_start_ms))

    async def _feed_in(self, month_ms: int) -> None:
        await self._publish(FEED_IN, FEED_IN_UTOKEN_PER_KWH, AT_ONCE)
        await self._publish(FEED_IN, NEXT_FEED_IN_UTOKEN_PER_KWH, str(month_ms))

    async def _publish(self, series: str, price: int, from_ms: str) -> None:
        """Too late for an hour that has begun: then the listing alone has its price."""
        await self._manager.submit_unless(
            "PRICE_IN_THE_PAST",
            "oracle:publish_price",
            *(series, str(price), from_ms, str(TARIFF_VALID_MS)),
        )

    async def _share(self, idgrids: Sequence[str], month_ms: int) -> None:
        """By use from the next quarter of an hour on, in fixed parts from the month on."""
        by_use = {
            "kind": KeyKind.DYNAMIC,
            "slot_minutes": SLOT_MINUTES,
            "effective_from_ms": next_slot_ms(self._clock_ms()),
        }
        fixed = {
            "kind": KeyKind.STATIC,
            "slot_minutes": SLOT_MINUTES,
            "effective_from_ms": month_ms,
            "parts": equal_parts(idgrids),
        }
        for key in (by_use, fixed):
            await self._manager.submit_unless("KEY_IN_THE_PAST", "sharing:agree", json.dumps(key))
