"""Use cases of reading what the ledger keeps about one household: orders, energy, money, activity.

Whoever makes an `OwnRecords` has checked that the reader may see this household. Everything comes
from the read model; energy in Wh, money in micro-tokens, prices in micro-tokens per kWh.
"""

from collections.abc import Mapping, Sequence

from chaincode.energy import keys, records
from chaincode.energy.market.auction_records import AuctionResult, FillsPage, Match, TallyPage
from chaincode.energy.market.matches import page_matches
from chaincode.energy.market.records import Listing, MarketOrder
from chaincode.energy.market.standing_rules import StandingOrder
from chaincode.energy.settlement.planning import added
from chaincode.energy.settlement.records import SettlementLine
from gateway.books.ledger_records import LedgerRecords
from gateway.books.order_progress import (
    OrderProgress,
    OrderState,
    Reason,
    newest_first,
    progress_of,
)
from gateway.books.savings import Savings, Tariffs, of_month_around, savings_over
from gateway.books.standing_preview import HOURS_PER_WEEK, PastHour
from gateway.local_time import LocalTime
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import Position, Slice, TransactionRecord
from gateway.readmodel.snapshots import PAGE_MAX
from ledger.model.codes import ValidationCode

ACTIVITY_PAGES_MAX = 8
"""Pages of the transactions that concern the household, looked through for those it signed."""
ORDERS_SEARCHED_MAX = 200
"""Of its latest transactions, for orders that came to nothing."""
_PLACING = {"market:place_bid": "bid", "market:place_offer": "offer"}
_REPLACING = "orders:replace"


class OwnRecords:
    """One household's records at the read model's height."""

    def __init__(self, readmodel: ReadModel, idgrid: str) -> None:
        self._readmodel = readmodel
        self._ledger = LedgerRecords(readmodel)
        self.idgrid = idgrid

    def lines(self) -> dict[str, SettlementLine]:
        """Settled hours with their corrections added, by listing, the latest first."""
        found: dict[str, SettlementLine] = {}
        for kind in ("line", "correction"):
            for key, entry in self._ledger.under(kind, self.idgrid):
                listing_id = key.split("~")[2]
                line = records.decode(SettlementLine, entry.value)
                found[listing_id] = added(found.get(listing_id), line)
        return dict(sorted(found.items(), reverse=True))

    def savings(self, listing_id: str, local: LocalTime) -> Savings:
        """Against the utility alone, of the settled hours of the local month an hour is in."""
        return savings_over(
            (line, tariffs)
            for listing_id, line in of_month_around(listing_id, self.lines(), local).items()
            if (tariffs := self._tariffs(listing_id)) is not None
        )

    def past_hours(self, hours_max: int = HOURS_PER_WEEK) -> list[PastHour]:
        """The latest settled hours with their prices, the newest first."""
        found = []
        for listing_id, line in list(self.lines().items())[:hours_max]:
            tariffs = self._tariffs(listing_id)
            if tariffs is not None:
                result = self.result(listing_id)
                found.append(
                    PastHour(
                        price_utoken_per_kwh=result.price_utoken_per_kwh if result else None,
                        retail_utoken_per_kwh=tariffs.retail_utoken_per_kwh,
                        feed_in_utoken_per_kwh=tariffs.feed_in_utoken_per_kwh,
                        imported_wh=line.imported_wh,
                        exported_wh=line.exported_wh,
                    )
                )
        return found

    def standing_orders(self) -> list[StandingOrder]:
        """What the household signed once for many listings."""
        return self._ledger.all(StandingOrder, "standing", self.idgrid)

    def orders(self, listings: Sequence[Listing]) -> list[OrderProgress]:
        """Its orders in these listings with state and reason, also those that came to nothing.

        The latest delivery first.
        """
        found: list[OrderProgress] = []
        lines = self.lines()
        for listing in listings:
            placed = [
                (records.decode(MarketOrder, entry.value), entry.version.block_number)
                for _, entry in self._ledger.under("order", listing.listing_id, self.idgrid)
            ]
            if not placed:
                continue
            result = self.result(listing.listing_id)
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
        present = {item.order_id for item in found}
        shown = {listing.listing_id for listing in listings}
        return newest_first([*found, *self._came_to_nothing(present, shown)])

    def activity(self, limit: int) -> Slice[TransactionRecord]:
        """Transactions this household signed, the newest first.

        `next` is where the explorer's page of the household goes on: there may be more.
        """
        found: list[TransactionRecord] = []
        below: str | None = None
        for _ in range(ACTIVITY_PAGES_MAX):
            page = self._readmodel.activity(
                self.idgrid, below=Position.of_cursor(below), limit=PAGE_MAX
            )
            found += filter(self._is_signed_here, page.items)
            below = page.next
            if below is None or len(found) > limit:
                break
        if len(found) > limit:
            last = found[limit - 1]
            below = str(Position(last.block_number, last.index))
        return Slice(found[:limit], below)

    def _is_signed_here(self, record: TransactionRecord) -> bool:
        signer = self._readmodel.identity(record.creator)
        return signer is not None and signer.idgrid == self.idgrid

    def result(self, listing_id: str) -> AuctionResult | None:
        """What the auction of a listing decided."""
        return self._ledger.find(AuctionResult, keys.result(listing_id))

    def _tariffs(self, listing_id: str) -> Tariffs | None:
        listing = self._ledger.find(Listing, keys.listing(listing_id))
        if listing is None:
            return None
        return Tariffs(listing.cap_utoken_per_kwh, listing.floor_utoken_per_kwh)

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

    def _came_to_nothing(self, present: set[str], shown: set[str]) -> list[OrderProgress]:
        """Orders that were recorded as invalid or taken back before the gate closed."""
        latest = self.activity(ORDERS_SEARCHED_MAX).items
        sides: dict[str, str] = {}
        for record in reversed(latest):
            if (side := _side_of(record, sides)) is not None:
                sides[record.tx_id] = side
        return [
            nothing
            for record in latest
            if record.tx_id not in present
            and record.tx_id in sides
            and (nothing := _without_effect(record, sides[record.tx_id])) is not None
            and nothing.listing_id in shown
        ]


def _side_of(record: TransactionRecord, earlier: Mapping[str, str]) -> str | None:
    """Which side an order is on; one that took another's place is on that one's side."""
    if record.function == _REPLACING:
        replaced = record.arguments[1] if len(record.arguments) > 1 else ""
        return earlier.get(replaced)
    return _PLACING.get(record.function)


def _without_effect(record: TransactionRecord, side: str) -> OrderProgress | None:
    """The order a transaction meant to place, if its arguments can be read."""
    is_at_end = side == "offer" or record.function == _REPLACING
    amounts = record.arguments[-2:] if is_at_end else record.arguments[1:3]
    if len(amounts) != len(("energy", "price")):
        return None
    if not all(text.isascii() and text.isdigit() for text in amounts):
        return None
    is_valid = record.code is ValidationCode.VALID
    return OrderProgress(
        listing_id=record.arguments[0],
        order_id=record.tx_id,
        side=side,
        energy_wh=int(amounts[0]),
        price_utoken_per_kwh=int(amounts[1]),
        block_number=record.block_number,
        state=OrderState.CANCELLED if is_valid else OrderState.INVALID,
        reason=Reason.TAKEN_BACK if is_valid else Reason.NONE,
        code="" if is_valid else record.code.name,
    )
