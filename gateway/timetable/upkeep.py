"""What nobody in particular has to do, as any member may run it: deals settled, prices watched.

Settles the marketplace's deals once readings are there, ends reservations and posts whose time is
over so that their money is free, raises the alarm when a listing's retail price cannot be trusted,
and gathers the payouts of accounts that have many. Several members may run it side by side: the
contract judges the time and takes each step once. The clock here only decides when to ask.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from chaincode.energy.hours import DAY_MS, MINUTE_MS, listing_id_at
from chaincode.energy.market.price_check import NOT_CLEARED, verdict_on
from chaincode.energy.marketplace.posting import AHEAD_MS_MAX
from chaincode.energy.marketplace.records import Post
from chaincode.energy.marketplace.schedule import NOTHING, due_step
from chaincode.energy.oracle.prices import RETAIL
from gateway.errors import LedgerRefusal
from gateway.ledger_access.refusals import refusal_code
from gateway.oracle.answering import Acting

POLL_MS = 10_000
LOOK_BACK_MS = 3 * DAY_MS
"""Longer than a deal can wait for its end."""
GATHER_MS = MINUTE_MS
"""How often some thousand payouts are looked at."""
NOT_NOW = frozenset(
    {
        "ALREADY_SETTLED",
        "NOT_PURCHASED",
        "NOT_SETTLED",
        "READINGS_MISSING",
        "TOO_EARLY",
        "TOO_LATE",
    }
)
"""Refusals of a step that somebody else was faster with, or that has to wait."""

logger = logging.getLogger(__name__)


class Upkeep:
    """One member's share in what has to be done by somebody."""

    def __init__(self, actor: Acting, clock_ms: Callable[[], int]) -> None:
        self._actor = actor
        self._clock_ms = clock_ms
        self._gather_at_ms = 0
        self._gathered_to = ""

    async def run(self) -> None:
        """A round every `POLL_MS`, for ever. A peer that is away is asked again."""
        while True:
            try:
                await self.round()
            except LedgerRefusal as refusal:
                logger.warning("the ledger did not answer as expected: %s", refusal)
            await asyncio.sleep(POLL_MS / 1000)

    async def round(self) -> int:
        """Do everything that is due now; returns how many steps were taken."""
        now_ms = self._clock_ms()
        steps = 0
        async for post in self._posts(now_ms):
            step = due_step(post, now_ms)
            if step != NOTHING:
                steps += await self._tried(f"marketplace:{step}", post.post_id)
        steps += await self._watch_prices(now_ms)
        return steps + await self._gather_payouts(now_ms)

    async def _posts(self, now_ms: int) -> AsyncIterator[Post]:
        first, last = listing_id_at(now_ms - LOOK_BACK_MS), listing_id_at(now_ms + AHEAD_MS_MAX)
        after = ""
        while True:
            page = await self._actor.evaluate("marketplace:list_posts", first, after, last)
            for entry in page["posts"]:
                del entry["label"]
                yield Post(**entry)
            after = page["next"]
            if not after:
                return

    async def _watch_prices(self, now_ms: int) -> int:
        """Raise the alarm of every listing that is not cleared and needs it, once."""
        try:
            price = await self._actor.evaluate("oracle:price_in_force", RETAIL)
        except LedgerRefusal as refusal:
            if refusal_code(refusal) == "UNKNOWN_PRICE":
                return 0  # the community names its prices itself
            raise
        bounds = listing_id_at(now_ms - DAY_MS), listing_id_at(now_ms + DAY_MS)
        steps = 0
        for listing in await self._actor.evaluate("market:list_listings", *bounds):
            verdict = verdict_on(
                cap=listing["cap_utoken_per_kwh"],
                price=price["price_utoken_per_kwh"],
                is_price_stale=price["is_stale"],
            )
            is_raised = listing["has_stale_price"] or verdict == "fresh"
            if listing["state"] in NOT_CLEARED and not is_raised:
                steps += await self._tried("oracle:check_price", listing["listing_id"])
        return steps

    async def _gather_payouts(self, now_ms: int) -> int:
        """Fold the accounts that have many payouts, some thousand payouts further each time."""
        if now_ms < self._gather_at_ms:
            return 0
        self._gather_at_ms = now_ms + GATHER_MS
        found = await self._actor.evaluate("tokens:crowded", self._gathered_to)
        self._gathered_to = found["following"]
        return sum([await self._tried("tokens:fold_account", name) for name in found["accounts"]])

    async def _tried(self, function: str, name: str) -> int:
        """1 if the step was taken; 0 if it is not the time for it or somebody else was faster."""
        try:
            await self._actor.submit(function, name)
        except LedgerRefusal as refusal:
            code = refusal_code(refusal)
            if code is None and refusal.status != "ABORTED":
                raise
            level = logging.DEBUG if code is None or code in NOT_NOW else logging.WARNING
            logger.log(level, "%s %s: %s", function, name, refusal.cause)
            return 0
        logger.info("%s %s", function, name)
        return 1
