"""Price and settlement of the latest delivery hours, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chaincode.energy.market.records import Listing
from gateway.services import Services
from gateway.web.languages import Language, local_start
from gateway.web.listing_panel import clearing_of
from gateway.web.price_chart import PricedHour
from gateway.web.state_texts import LISTING_STATES

HOURS_SHOWN = 48


@dataclass(frozen=True, slots=True)
class HourRow:
    """One delivery hour; None for what is not known yet. `start` is local time."""

    listing: Listing
    start: datetime
    state_text: str
    price_utoken_per_kwh: int | None
    matched_wh: int
    settled_wh: int | None
    local_share_percent: int | None
    paid_utoken: int | None


def price_history(
    services: Services, words: Language, hours_max: int = HOURS_SHOWN
) -> list[HourRow]:
    """The latest hours that have a listing."""
    return [_row(services, words, listing) for listing in services.market.latest(hours_max)]


def last_priced(hours: Sequence[HourRow]) -> HourRow | None:
    """The latest hour with a price."""
    return next((hour for hour in hours if hour.price_utoken_per_kwh is not None), None)


def priced_hours(hours: Sequence[HourRow], words: Language) -> list[PricedHour]:
    """Oldest first, with the band between feed-in tariff and retail price."""
    return [
        PricedHour(
            label=words.clock(hour.start),
            price=hour.price_utoken_per_kwh,
            floor=hour.listing.floor_utoken_per_kwh,
            cap=hour.listing.cap_utoken_per_kwh,
        )
        for hour in reversed(hours)
    ]


def _row(services: Services, words: Language, listing: Listing) -> HourRow:
    clearing = clearing_of(services.market.result(listing.listing_id))
    settled = services.market.settlement(listing.listing_id) or {}
    imported_wh = settled.get("imported_wh", 0)
    settled_wh = settled.get("settled_wh")
    return HourRow(
        listing=listing,
        start=local_start(listing.listing_id, services.local_time),
        state_text=words.text(LISTING_STATES.get(listing.state, listing.state)),
        price_utoken_per_kwh=clearing.price if clearing else None,
        matched_wh=clearing.quantity_wh if clearing else 0,
        settled_wh=settled_wh,
        local_share_percent=100 * (settled_wh or 0) // imported_wh if imported_wh else None,
        paid_utoken=settled.get("total_utoken"),
    )
