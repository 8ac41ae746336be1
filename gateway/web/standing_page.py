"""What the page of a standing order begins with, also for a household without a past."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaincode.energy.oracle.prices import FEED_IN, RETAIL
from chaincode.energy.oracle.records import PricePoint
from gateway.books.ledger_records import LedgerRecords
from gateway.books.standing_preview import PastHour, StandingWish, first_wish, proposed
from gateway.services import Services


@dataclass(frozen=True, slots=True)
class Beginning:
    """The wish to begin with; `is_own` if it comes from the household's own hours.

    No wish before the first listing of a community that has published no prices.
    """

    wish: StandingWish | None
    is_own: bool


def beginning(services: Services, side: str, past: Sequence[PastHour]) -> Beginning:
    """The household's own proposal, else a first wish at the prices of now."""
    own = proposed(side, past)
    if own is not None:
        return Beginning(own, is_own=True)
    price = _utility_price(services, side)
    return Beginning(None if price is None else first_wish(side, price), is_own=False)


def _utility_price(services: Services, side: str) -> int | None:
    """Cap (to buy) or floor (to sell) of the current listing, else the tariff in force."""
    listing = services.market.current_listing()
    if listing is not None:
        return listing.cap_utoken_per_kwh if side == "bid" else listing.floor_utoken_per_kwh
    series = RETAIL if side == "bid" else FEED_IN
    points = LedgerRecords(services.readmodel).all(PricePoint, "price", series)
    now_ms = services.clock_ms()
    in_force = [point for point in points if point.effective_from_ms <= now_ms]
    return in_force[-1].price_utoken_per_kwh if in_force else None
