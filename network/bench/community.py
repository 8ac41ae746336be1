"""The community a benchmark trades in: prosumers with approved sources, and open listings.

Every measured transaction is one `market:place_offer` of a household that has no other order in
that listing, so all transactions do the same work and none conflicts with another.
"""

import itertools
from collections.abc import Awaitable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chaincode.energy.hours import listing_id_at
from ledger.client.gateway import GatewayClient
from network.bench.parallel import in_parallel
from network.bench.trial_households import Household, Submit, TrialHouseholds, submitting
from network.layout import NetworkLayout
from network.plan import Plan
from network.running.clients import wait_everywhere

SETUP_IN_FLIGHT = 64
OFFER_WH = 1_500
RESERVE_UTOKEN_PER_KWH = 90_000
FIRST_DELIVERY_HOUR = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Offer:
    """One measured transaction."""

    household: Household
    listing_id: str

    @property
    def arguments(self) -> tuple[str, ...]:
        """Arguments of market:place_offer."""
        return (
            self.listing_id,
            self.household.res_id,
            str(OFFER_WH),
            str(RESERVE_UTOKEN_PER_KWH),
        )


class Community:
    """Registers households and opens listings through the ledger, as the manager would.

    Each step ends when every validator has it: the next one may ask any of them.
    """

    def __init__(self, plan: Plan, layout: NetworkLayout, clients: list[GatewayClient]) -> None:
        self._plan, self._layout = plan, layout
        self._clients = itertools.cycle(clients)
        self._trial = TrialHouseholds(plan, layout, name="bench")
        self._listings = itertools.count()
        self._households: list[Household] = []

    async def settle_in(self, count: int) -> None:
        """Register and approve `count` prosumers, each with a meter and a source."""
        await self._everywhere([self._trial.configure(self._through_one_peer())])
        self._households = [self._trial.household(number) for number in range(count)]
        await self._everywhere(
            self._trial.register(self._through_one_peer(), household)
            for household in self._households
        )

    async def offers(self, count: int) -> list[Offer]:
        """`count` offers to place; opens the listings they are for."""
        listings = -(-count // len(self._households))
        ids = [self._next_listing_id() for _ in range(listings)]
        await self._everywhere(
            self._trial.open_listing(self._through_one_peer(), listing_id) for listing_id in ids
        )
        pairs: Iterator[Offer] = (Offer(h, listing) for listing in ids for h in self._households)
        return list(itertools.islice(pairs, count))

    @property
    def households(self) -> list[Household]:
        """Everybody registered."""
        return self._households

    async def open_until(self, gate_closure_ms: int) -> str:
        """A listing whose gate closes then."""
        listing_id = self._next_listing_id()
        opening = self._trial.open_listing(
            self._through_one_peer(), listing_id, gate_closure_ms=gate_closure_ms
        )
        await self._everywhere([opening])
        return listing_id

    def _through_one_peer(self) -> Submit:
        """The next peer in turn, for all of some work."""
        return submitting(next(self._clients))

    async def _everywhere(self, work: Iterable[Awaitable[int]]) -> None:
        """Do it all, some at a time, and wait until every validator has the last block of it."""
        blocks = await in_parallel(work, in_flight=SETUP_IN_FLIGHT)
        await wait_everywhere(self._plan, self._layout, max(blocks, default=0))

    def _next_listing_id(self) -> str:
        hour = FIRST_DELIVERY_HOUR + timedelta(hours=next(self._listings))
        return listing_id_at(int(hour.timestamp()) * 1_000)
