"""Use cases of reading the market: listings, order books, results, settlements.

Everything comes from the read model; energy in Wh, money in micro-tokens, price in micro-tokens
per kWh, times in ms UTC.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chaincode.energy import keys, records
from chaincode.energy.hours import TIME_MS_MAX
from chaincode.energy.market.auction_records import AuctionResult, FillsPage, TallyPage
from chaincode.energy.market.matches import page_matches
from chaincode.energy.market.records import Listing, MarketOrder
from chaincode.energy.market.trades import Trade, trades_of
from gateway.books.ledger_records import LedgerRecords
from gateway.readmodel import market_queries
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import ListingSummary, Slice


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order and its place on the ledger, which decides ties."""

    order: MarketOrder
    block_number: int
    index: int


class Market:
    """Questions about the market, answered at the read model's height."""

    def __init__(self, readmodel: ReadModel) -> None:
        self._readmodel = readmodel
        self._ledger = LedgerRecords(readmodel)

    @property
    def height(self) -> int:
        """Blocks the answers are based on."""
        return self._ledger.height

    def page(self, limit: int, *, before: str | None = None) -> Slice[Listing]:
        """Listings, the latest delivery first; `before` is a listing's id."""
        found = market_queries.listings(self._readmodel, before=before, limit=limit)
        return Slice(self._of(found.items), found.next)

    def latest(self, limit: int) -> list[Listing]:
        """So many listings, the latest delivery first."""
        return list(self.page(limit).items)

    def delivering_after(self, at_ms: int) -> list[Listing]:
        """Listings whose delivery begins after an instant, a page of them at most."""
        found = market_queries.listings_delivering(self._readmodel, at_ms + 1, TIME_MS_MAX)
        return self._of(found)

    def listing(self, listing_id: str) -> Listing | None:
        """One listing."""
        return self._ledger.find(Listing, keys.listing(listing_id))

    def current_listing(self) -> Listing | None:
        """The listing that takes orders (the earliest gate closure), else the latest one."""
        to_close = market_queries.next_to_close(self._readmodel)
        if to_close is not None:
            return self.listing(to_close.listing_id)
        return next(iter(self.latest(1)), None)

    def _of(self, summaries: Iterable[ListingSummary]) -> list[Listing]:
        found = [self.listing(one.listing_id) for one in summaries]
        return [listing for listing in found if listing is not None]

    def orders(self, listing_id: str) -> list[PlacedOrder]:
        """Orders of a listing in ledger order."""
        placed = [
            PlacedOrder(
                order=records.decode(MarketOrder, entry.value),
                block_number=entry.version.block_number,
                index=entry.version.tx_number,
            )
            for _, entry in self._ledger.under("order", listing_id)
        ]
        return sorted(placed, key=lambda item: (item.block_number, item.index))

    def result(self, listing_id: str) -> dict[str, Any] | None:
        """What the auction decided, as the contract recorded it."""
        return self._ledger.json(keys.result(listing_id))

    def trades(self, listing_id: str) -> list[Trade]:
        """Who serves whom in a cleared listing, always in the same order; reads the whole book."""
        listing = self.listing(listing_id)
        result = self._ledger.find(AuctionResult, keys.result(listing_id))
        if listing is None or result is None:
            return []
        if not result.pages:
            placed = [item.order for item in self.orders(listing_id)]
            return trades_of(result, placed, result.typed_matches())
        pages = self._pages(result)
        orders = [order for tally, _ in pages for order in tally.orders()]
        matches = [
            match
            for tally, fills in pages
            for match in page_matches(listing, result, tally, fills)
        ]
        return trades_of(result, orders, matches)

    def _pages(self, result: AuctionResult) -> list[tuple[TallyPage, FillsPage]]:
        find, listing_id = self._ledger.find, result.listing_id
        found = [
            (
                find(TallyPage, keys.tally(listing_id, first)),
                find(FillsPage, keys.fills(listing_id, first)),
            )
            for first in result.pages
        ]
        return [
            (tally, fills) for tally, fills in found if tally is not None and fills is not None
        ]

    def settlement(self, listing_id: str) -> dict[str, Any] | None:
        """Totals of a settled listing, as the contract recorded them."""
        return self._ledger.json(keys.settlement(listing_id))

    def household_lines(self, idgrid: str) -> list[dict[str, Any]]:
        """A household's settled hours, the latest first."""
        return [
            {"listing_id": key.rpartition("~")[2]} | json.loads(entry.value)
            for key, entry in reversed(self._ledger.under("line", idgrid))
        ]
