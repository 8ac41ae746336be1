"""Use cases of reading one household's orders, as far back as they go, with what became of them.

Whoever makes an `OwnOrders` has checked that the reader may see this household. Everything comes
from the read model; energy in Wh, prices in micro-tokens per kWh.
"""

from collections.abc import Mapping, Sequence

from chaincode.energy import keys, records
from chaincode.energy.arguments import AMOUNT_UTOKEN_MAX, ENERGY_WH_MAX
from chaincode.energy.market.auction_records import AuctionResult, FillsPage, Match, TallyPage
from chaincode.energy.market.matches import page_matches
from chaincode.energy.market.records import Listing, MarketOrder
from gateway.books.ledger_records import LedgerRecords
from gateway.books.order_progress import (
    OrderPlace,
    OrderProgress,
    OrderState,
    Reason,
    newest_first,
    progress_of,
)
from gateway.books.own_records import OwnRecords
from gateway.readmodel import market_queries
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import OrderRecord, Slice, TransactionRecord

INVALID_MAX = 500
"""Of the latest transactions that were recorded as invalid: nobody honest has so many."""
_DIGITS_MAX = len(str(max(ENERGY_WH_MAX, AMOUNT_UTOKEN_MAX)))
"""Of an amount; what nobody endorsed may have any number, and Python reads 4,300 at most."""
_PLACING = {"market:place_bid": "bid", "market:place_offer": "offer"}
_REPLACING = "orders:replace"


class OwnOrders:
    """One household's orders at the read model's height."""

    def __init__(self, readmodel: ReadModel, idgrid: str) -> None:
        self._readmodel = readmodel
        self._ledger = LedgerRecords(readmodel)
        self._own = OwnRecords(readmodel, idgrid)
        self.idgrid = idgrid

    def of_listings(self, listings: Sequence[Listing]) -> list[OrderProgress]:
        """Its orders in these listings with state and reason, also those that came to nothing.

        The latest delivery first.
        """
        return self._in(listings, self._invalid())

    def page(self, *, below: OrderPlace | None = None, limit: int) -> Slice[OrderProgress]:
        """Its orders in all listings, the latest delivery first.

        `below` is the place the page before ended at; its text is the cursor. What is placed
        meanwhile moves nothing that was there: places do not change.
        """
        last = below.listing_id if below is not None else None
        invalid = self._invalid()
        # Beside as many as are shown: the listing the page before ended in, and one for `next`.
        placed_in = market_queries.listings_ordered_in(
            self._readmodel, self.idgrid, last=last, limit=limit + 2
        )
        names = {*placed_in, *(one.listing_id for one in invalid if _is_up_to(one, last))}
        listings: list[Listing] = []
        for name in sorted(names, reverse=True):
            listing = self._ledger.find(Listing, keys.listing(name))
            listings += [listing] if listing is not None else []
            if len(listings) == limit + 2:
                break
        found = [one for one in self._in(listings, invalid) if below is None or one.place < below]
        following = str(found[limit - 1].place) if len(found) > limit else None
        return Slice(found[:limit], following)

    def _in(
        self, listings: Sequence[Listing], invalid: Sequence[OrderProgress]
    ) -> list[OrderProgress]:
        found: list[OrderProgress] = []
        lines = self._own.lines()
        for listing in listings:
            placed = [
                (records.decode(MarketOrder, entry.value), entry.version.block_number)
                for _, entry in self._ledger.under("order", listing.listing_id, self.idgrid)
            ]
            if not placed:
                continue
            result = self._own.result(listing.listing_id)
            matches = self._matches(listing, result)
            found += [
                progress_of(
                    order,
                    block_number=block_number,
                    listing=listing,
                    result=result,
                    matches=matches,
                    line=lines.get(listing.listing_id),
                )
                for order, block_number in placed
            ]
        shown = {listing.listing_id for listing in listings}
        taken_back = market_queries.cancelled_orders(self._readmodel, self.idgrid, shown)
        found += [_taken_back(order) for order in taken_back]
        # What was sent twice is in the ledger twice, the second time as invalid.
        once = {one.order_id: one for one in invalid if one.listing_id in shown}
        return newest_first([*(once | {one.order_id: one for one in found}).values()])

    def _matches(self, listing: Listing, result: AuctionResult | None) -> Mapping[str, Match]:
        """The listing's matches by order, also of a book that was cleared in pages."""
        if result is None:
            return {}
        matches = result.typed_matches()
        for first in result.pages:
            tally = self._ledger.find(TallyPage, keys.tally(listing.listing_id, first))
            fills = self._ledger.find(FillsPage, keys.fills(listing.listing_id, first))
            if tally is not None and fills is not None:
                matches += page_matches(listing, result, tally, fills)
        return {match.order_id: match for match in matches if match.idgrid == self.idgrid}

    def _invalid(self) -> list[OrderProgress]:
        """What it meant to order and a block has as invalid, the newest first."""
        refused = self._readmodel.invalid_of(self.idgrid, limit=INVALID_MAX)
        read = (_invalid(record, self._side_of(record)) for record in refused)
        return [one for one in read if one is not None]

    def _side_of(self, record: TransactionRecord) -> str | None:
        """Which side an order is on, if it is one; one to take another's place is on its side."""
        if record.function != _REPLACING:
            return _PLACING.get(record.function)
        if len(record.arguments) <= 1:
            return None
        listing_id, replaced = record.arguments[:2]
        order = market_queries.order(self._readmodel, self.idgrid, listing_id, replaced)
        return order.side if order is not None else None


def _is_up_to(one: OrderProgress, listing_id: str | None) -> bool:
    return listing_id is None or one.listing_id <= listing_id


def _taken_back(order: OrderRecord) -> OrderProgress:
    return OrderProgress(
        listing_id=order.listing_id,
        order_id=order.order_id,
        side=order.side,
        energy_wh=order.energy_wh,
        price_utoken_per_kwh=order.price_utoken_per_kwh,
        block_number=order.placed.block_number,
        state=OrderState.CANCELLED,
        reason=Reason.TAKEN_BACK,
    )


def _invalid(record: TransactionRecord, side: str | None) -> OrderProgress | None:
    """The order a transaction meant to place, if its arguments can be read."""
    is_at_end = side == "offer" or record.function == _REPLACING
    amounts = record.arguments[-2:] if is_at_end else record.arguments[1:3]
    if side is None or len(amounts) != len(("energy", "price")):
        return None
    if not all(map(_is_amount, amounts)):
        return None
    return OrderProgress(
        listing_id=record.arguments[0],
        order_id=record.tx_id,
        side=side,
        energy_wh=int(amounts[0]),
        price_utoken_per_kwh=int(amounts[1]),
        block_number=record.block_number,
        state=OrderState.INVALID,
        code=record.code.name,
    )


def _is_amount(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
