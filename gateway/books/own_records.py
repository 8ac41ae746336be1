"""Use cases of reading what the ledger keeps about one household: energy, money, activity.

Whoever makes an `OwnRecords` has checked that the reader may see this household. Everything comes
from the read model; energy in Wh, money in micro-tokens, prices in micro-tokens per kWh.
"""

from chaincode.energy import keys, records
from chaincode.energy.market.auction_records import AuctionResult
from chaincode.energy.market.records import Listing
from chaincode.energy.market.standing_rules import StandingOrder
from chaincode.energy.settlement.planning import added
from chaincode.energy.settlement.records import SettlementLine
from gateway.books.ledger_records import LedgerRecords
from gateway.books.savings import Savings, Tariffs, of_month_around, savings_over
from gateway.books.standing_preview import HOURS_PER_WEEK, PastHour
from gateway.local_time import LocalTime
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import Position, Slice, TransactionRecord
from gateway.readmodel.snapshots import PAGE_MAX

ACTIVITY_PAGES_MAX = 8
"""Pages of the transactions that concern the household, looked through for those it signed."""


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
