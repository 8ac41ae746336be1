"""The market's timetable as any member may run it: does what is due in every listing.

Opens listings by the community's defaults, ends bidding, clears, settles, places standing orders
and hourly profiles. Several members run it side by side: the contract judges the time and lets
each step happen once, so whoever is late finds nothing to do. The clock here only decides when to
ask.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from chaincode.energy.hours import DAY_MS, HOUR_MS, listing_id_at
from chaincode.energy.market.records import Listing, MarketDefaults
from chaincode.energy.market.timing import INSTANTS
from chaincode.energy.timetable import default_timing, due_step
from gateway.errors import LedgerRefusal
from gateway.ledger_access.refusals import refusal_code

POLL_MS_DEFAULT = 1_000
LOOK_BACK_MS = 2 * DAY_MS
LOOK_AHEAD_MS = DAY_MS
WAKE_MARGIN_MS = 5
STANDING_POLL_MS = 10_000
"""How often an open listing is asked for standing orders; the query reads all of them."""
AT_ONCE_MAX = 50
"""Standing orders on their way at once; they are of different households."""
STEPS_MAX = 100
"""Steps of one listing in one round; a settlement of many pages takes one each."""
NOT_NOW = frozenset(
    {
        "ALREADY_EXISTS",
        "ALREADY_SETTLED",
        "LISTING_CANCELLED",
        "NOT_CLEARED",
        "READINGS_MISSING",
        "TOO_EARLY",
        "TOO_LATE",
    }
)
"""Refusals of a step that somebody else was faster with, or that has to wait."""

logger = logging.getLogger(__name__)


class Acting(Protocol):
    """Who signs: see `gateway.ledger_access.actor.Actor`."""

    async def submit(self, function: str, *args: str) -> Any:
        """Run a function and wait for its block."""

    async def evaluate(self, function: str, *args: str) -> Any:
        """Ask without changing anything."""


class Timetable:
    """One member's scheduler."""

    def __init__(self, actor: Acting, clock_ms: Callable[[], int]) -> None:
        self._actor = actor
        self._clock_ms = clock_ms
        self._refused: set[tuple[str, ...]] = set()
        self._standing_ms: dict[str, int] = {}
        self.next_instant_ms = 0

    async def run(self, *, poll_ms: int) -> None:
        """A round at every instant of a listing, and every `poll_ms`, for ever.

        A peer that is away is asked again.
        """
        while True:
            try:
                await self.round()
            except LedgerRefusal as refusal:
                logger.warning("the ledger did not answer as expected: %s", refusal)
            until_next_ms = self.next_instant_ms - self._clock_ms() + WAKE_MARGIN_MS
            await asyncio.sleep(min(poll_ms, max(until_next_ms, WAKE_MARGIN_MS)) / 1000)

    async def round(self) -> int:
        """Do everything that is due now; returns how many steps were taken."""
        now_ms = self._clock_ms()
        raw = await self._actor.evaluate("listings:get_defaults")
        pinned = MarketDefaults(**raw) if raw["parameters"] else None
        known = await self._listings(now_ms)
        oldest = listing_id_at(now_ms - LOOK_BACK_MS)
        self._refused = {wish for wish in self._refused if wish[1] >= oldest}
        self.next_instant_ms = _next_instant(known, pinned, now_ms)
        steps = 0
        for listing_id in sorted({*known, *_hours_ahead(now_ms)}):
            listing = known.get(listing_id)
            if due_step(listing, pinned, listing_id=listing_id, now_ms=now_ms) != "nothing":
                steps += await self._advance(listing_id)
            elif listing is not None:
                steps += await self._beside(listing, now_ms)
        return steps

    async def _listings(self, now_ms: int) -> dict[str, Listing]:
        """Listings around now; those before and after have nothing to do."""
        bounds = listing_id_at(now_ms - LOOK_BACK_MS), listing_id_at(now_ms + LOOK_AHEAD_MS)
        found = await self._actor.evaluate("market:list_listings", *bounds)
        return {entry["listing_id"]: Listing(**entry) for entry in found}

    async def _advance(self, listing_id: str) -> int:
        """Steps of one listing until nothing is due."""
        for steps in range(STEPS_MAX):
            done = await self._tried("listings:advance", listing_id)
            if done is None or done["step"] == "nothing":
                return steps
            logger.info("%s: %s", listing_id, done["step"])
        return STEPS_MAX

    async def _beside(self, listing: Listing, now_ms: int) -> int:
        """What goes on beside the phases: standing orders, hidden orders, money of a stop."""
        name = listing.listing_id
        if listing.state == "AUTHORIZE_OFFERS" and now_ms >= listing.opens_at_ms:
            return await self._standing(name, now_ms)
        if listing.state == "CANCELLED":
            stop = await self._actor.evaluate("listings:get_stop", name)
            if stop["next_key"] != "end":
                return 1 if await self._tried("listings:refund", name) else 0
        if listing.is_sealed and listing.state in ("CLEARED", "DELIVERING", "SETTLED"):
            hidden = await self._actor.evaluate("sealed:hidden", name)
            return 1 if hidden and await self._tried("sealed:void", name) else 0
        return 0

    async def _standing(self, listing_id: str, now_ms: int) -> int:
        """Place what households have signed before; each at most once a listing."""
        asked_ms = self._standing_ms.get(listing_id)
        if asked_ms is not None and now_ms - asked_ms < STANDING_POLL_MS:
            return 0
        self._standing_ms = {
            name: ms for name, ms in self._standing_ms.items() if now_ms - ms < LOOK_AHEAD_MS
        } | {listing_id: now_ms}
        due = await self._actor.evaluate("standing:due", listing_id)
        profiles = await self._actor.evaluate("standing:due_profiles", listing_id)
        wishes = [("standing:carry_out", listing_id, *pair) for pair in due]
        wishes += [("standing:carry_out_profile", listing_id, idgrid) for idgrid in profiles]
        wishes = [wish for wish in wishes if wish not in self._refused]
        placed = 0
        for start in range(0, len(wishes), AT_ONCE_MAX):
            part = wishes[start : start + AT_ONCE_MAX]
            placed += sum(await asyncio.gather(*map(self._carried_out, part)))
        return placed

    async def _carried_out(self, wish: tuple[str, ...]) -> int:
        """1 if the order was placed; a refusal is for the household to mend, said once."""
        try:
            made = await self._actor.submit(*wish)
        except LedgerRefusal as refusal:
            if refusal_code(refusal) is None:
                raise
            logger.warning("%s: %s", " ".join(wish), refusal.cause)
            self._refused.add(wish)
            return 0
        return int(made["is_new"])

    async def _tried(self, function: str, listing_id: str) -> Any:
        """The answer, None if it is not the time for it or somebody else has done it."""
        try:
            return await self._actor.submit(function, listing_id)
        except LedgerRefusal as refusal:
            if refusal_code(refusal) not in NOT_NOW and refusal.status != "ABORTED":
                raise
            logger.debug("%s %s: %s", function, listing_id, refusal.cause)
            return None


def _next_instant(known: dict[str, Listing], pinned: MarketDefaults | None, now_ms: int) -> int:
    """The next instant at which a phase of a listing begins or ends; a day ahead if none does."""
    instants = [getattr(listing, name) for listing in known.values() for name in INSTANTS]
    instants += [listing.reveal_until_ms for listing in known.values()]
    for listing_id in _hours_ahead(now_ms):
        timing = default_timing(pinned, listing_id) if pinned is not None else None
        if timing is not None and listing_id not in known:
            instants += [getattr(timing, name) for name in INSTANTS]
    return min((i for i in instants if i > now_ms), default=now_ms + LOOK_AHEAD_MS)


def _hours_ahead(now_ms: int) -> Iterator[str]:
    """Listings that may have to be opened: their delivery hour is now or within a day."""
    for time_ms in range(now_ms, now_ms + LOOK_AHEAD_MS, HOUR_MS):
        yield listing_id_at(time_ms)
