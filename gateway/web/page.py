"""What the page shows, computed from the market's views; the template only lays it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chaincode.energy.hours import delivery_hour_ms
from chaincode.energy.market.records import Listing
from chaincode.energy.registry.records import Meter, Participant, Res
from gateway.community import AccountView
from gateway.market import Market, PlacedOrder
from gateway.readmodel.records import BlockRecord
from gateway.services import Services
from gateway.sessions import Viewer
from gateway.web.curves import Clearing, Step, curves_svg
from gateway.web.price_chart import PricedHour, price_chart_svg

HOURS_SHOWN = 24
BLOCKS_SHOWN = 6
ORDERS_SHOWN = 8
SETTLEMENTS_SHOWN = 8
WH_PER_KWH = 1_000
UTOKEN_PER_TOKEN = 1_000_000

STATE_TEXTS = {
    "AUTHORIZE_OFFERS": "taking orders",
    "REVEALING": "orders are being revealed",
    "BIDS_CLOSED": "gate closed",
    "CLEARING": "clearing",
    "CLEARED": "cleared",
    "DELIVERING": "delivering",
    "SETTLING": "settling",
    "SETTLED": "settled",
    "DISPUTED": "disputed",
    "CANCELLED": "cancelled",
}
SHORT_STATE_TEXTS = STATE_TEXTS | {
    "AUTHORIZE_OFFERS": "open",
    "REVEALING": "revealing",
    "BIDS_CLOSED": "closed",
}


@dataclass(frozen=True, slots=True)
class HourRow:
    """One delivery hour in the table of results."""

    listing_id: str
    label: str
    state: str
    price_utoken_per_kwh: int | None
    matched_wh: int
    settled_wh: int | None
    local_share_percent: int | None
    paid_utoken: int | None


@dataclass(frozen=True, slots=True)
class ListingPanel:
    """The listing in the middle of the page."""

    listing: Listing
    label: str
    span: str
    state_text: str
    offers: Sequence[PlacedOrder]
    bids: Sequence[PlacedOrder]
    clearing: Clearing | None
    curves: str
    own_order_ids: frozenset[str]

    @property
    def offered_wh(self) -> int:
        """Energy of all offers."""
        return sum(item.order.energy_wh for item in self.offers)

    @property
    def wanted_wh(self) -> int:
        """Energy of all bids."""
        return sum(item.order.energy_wh for item in self.bids)

    @property
    def best_offer(self) -> int | None:
        """The lowest reserve price that counts: never under the feed-in tariff."""
        prices = [item.order.price_utoken_per_kwh for item in self.offers[:1]]
        return max(prices[0], self.listing.floor_utoken_per_kwh) if prices else None

    @property
    def best_bid(self) -> int | None:
        """The highest limit that counts: never above the retail price."""
        prices = [item.order.price_utoken_per_kwh for item in self.bids[:1]]
        return min(prices[0], self.listing.cap_utoken_per_kwh) if prices else None


@dataclass(frozen=True, slots=True)
class HouseholdPanel:
    """What a household sees of itself."""

    idgrid: str
    account: AccountView | None
    participant: Participant | None
    orders: Sequence[PlacedOrder]
    settlements: Sequence[dict[str, Any]]
    meter_id: str | None
    import_wh: int | None
    export_wh: int | None


@dataclass(frozen=True, slots=True)
class ManagerPanel:
    """What the community manager sees."""

    participants: Sequence[Participant]
    accounts: dict[str, AccountView]
    meters: Sequence[Meter]
    sources: Sequence[Res]
    refused_readings: dict[str, int]
    is_conserved: bool


@dataclass(frozen=True, slots=True)
class PageView:
    """The whole page."""

    community_name: str
    height: int
    now_ms: int
    hour_ms: int
    utc_offset_minutes: int
    panel: ListingPanel | None
    hours: Sequence[HourRow]
    price_chart: str
    blocks: Sequence[BlockRecord]
    viewer: Viewer | None
    household: HouseholdPanel | None
    manager: ManagerPanel | None

    @property
    def last_priced(self) -> HourRow | None:
        """The latest hour with a price."""
        return next((hour for hour in self.hours if hour.price_utoken_per_kwh is not None), None)

    @property
    def traded_wh(self) -> int:
        """Energy settled inside the community in the hours shown."""
        return sum(hour.settled_wh or 0 for hour in self.hours)


def page_view(services: Services, viewer: Viewer | None) -> PageView:
    """Everything the page shows to this viewer."""
    market = services.market
    hours = [
        _hour_row(market, listing, services.utc_offset_minutes)
        for listing in market.listings()[:HOURS_SHOWN]
    ]
    return PageView(
        community_name=services.community_name,
        height=market.height,
        now_ms=services.clock_ms(),
        hour_ms=services.energy_hour_ms,
        utc_offset_minutes=services.utc_offset_minutes,
        panel=_listing_panel(services, viewer),
        hours=hours,
        price_chart=price_chart_svg(_priced(market, hours)),
        blocks=services.readmodel.blocks(None, BLOCKS_SHOWN).items,
        viewer=viewer,
        household=_household_panel(services, viewer.idgrid) if viewer and viewer.idgrid else None,
        manager=_manager_panel(services) if viewer and viewer.is_manager else None,
    )


def hour_label(listing_id: str, utc_offset_minutes: int) -> str:
    """`2016-08-01T20` -> `1 Aug 13:00` in local time."""
    local = _local_start(listing_id, utc_offset_minutes)
    return f"{local.day} {local:%b} {local:%H:%M}"


def hour_span(listing_id: str, utc_offset_minutes: int) -> str:
    """`2016-08-01T20` -> `13:00–14:00` in local time."""
    local = _local_start(listing_id, utc_offset_minutes)
    return f"{local:%H:%M}–{local + timedelta(hours=1):%H:%M}"


def _local_start(listing_id: str, utc_offset_minutes: int) -> datetime:
    start = datetime.fromtimestamp(delivery_hour_ms(listing_id) // 1_000, tz=UTC)
    return start + timedelta(minutes=utc_offset_minutes)


def tokens(utoken: int | None, places: int = 2) -> str:
    """Micro-tokens as tokens, `–` for nothing."""
    return "–" if utoken is None else f"{utoken / UTOKEN_PER_TOKEN:,.{places}f}"


def kwh(energy_wh: int | None) -> str:
    """Wh as kWh, `–` for nothing."""
    return "–" if energy_wh is None else f"{energy_wh / WH_PER_KWH:,.2f}"


def _listing_panel(services: Services, viewer: Viewer | None) -> ListingPanel | None:
    market = services.market
    listing = market.current_listing()
    if listing is None:
        return None
    placed = market.orders(listing.listing_id)
    offers = sorted(
        (item for item in placed if item.order.side == "offer"),
        key=lambda item: item.order.price_utoken_per_kwh,
    )
    bids = sorted(
        (item for item in placed if item.order.side == "bid"),
        key=lambda item: -item.order.price_utoken_per_kwh,
    )
    label = hour_label(listing.listing_id, services.utc_offset_minutes)
    clearing = _clearing(market.result(listing.listing_id))
    own = viewer.idgrid if viewer else ""
    return ListingPanel(
        listing=listing,
        label=label,
        span=hour_span(listing.listing_id, services.utc_offset_minutes),
        state_text=STATE_TEXTS.get(listing.state, listing.state),
        offers=offers,
        bids=bids,
        clearing=clearing,
        curves=curves_svg(
            offers=_steps(offers),
            bids=_steps(bids),
            clearing=clearing,
            title=f"Supply and demand for {label}",
        ),
        own_order_ids=frozenset(
            item.order.order_id for item in placed if own and item.order.idgrid == own
        ),
    )


def _steps(orders: Sequence[PlacedOrder]) -> list[Step]:
    return [Step(item.order.price_utoken_per_kwh, item.order.energy_wh) for item in orders]


def _clearing(result: dict[str, Any] | None) -> Clearing | None:
    if result is None or result.get("price_utoken_per_kwh") is None:
        return None
    return Clearing(price=result["price_utoken_per_kwh"], quantity_wh=result["quantity_wh"])


def _hour_row(market: Market, listing: Listing, utc_offset_minutes: int) -> HourRow:
    result = market.result(listing.listing_id)
    clearing = _clearing(result)
    settled = market.settlement(listing.listing_id) or {}
    imported_wh = settled.get("imported_wh", 0)
    settled_wh = settled.get("settled_wh")
    return HourRow(
        listing_id=listing.listing_id,
        label=hour_label(listing.listing_id, utc_offset_minutes),
        state=SHORT_STATE_TEXTS.get(listing.state, listing.state.lower()),
        price_utoken_per_kwh=clearing.price if clearing else None,
        matched_wh=clearing.quantity_wh if clearing else 0,
        settled_wh=settled_wh,
        local_share_percent=100 * (settled_wh or 0) // imported_wh if imported_wh else None,
        paid_utoken=settled.get("total_utoken"),
    )


def _priced(market: Market, hours: Sequence[HourRow]) -> list[PricedHour]:
    """Oldest first, with the band between feed-in tariff and retail price."""
    listings = {listing.listing_id: listing for listing in market.listings()}
    return [
        PricedHour(
            label=hour.label.rpartition(" ")[2],
            price=hour.price_utoken_per_kwh,
            floor=listings[hour.listing_id].floor_utoken_per_kwh,
            cap=listings[hour.listing_id].cap_utoken_per_kwh,
        )
        for hour in reversed(hours)
    ]


def _household_panel(services: Services, idgrid: str) -> HouseholdPanel:
    market = services.market
    orders = [
        item
        for listing in market.listings()[:HOURS_SHOWN]
        for item in market.orders(listing.listing_id)
        if item.order.idgrid == idgrid
    ]
    own = [m for m in services.community.meters() if m.owner_idgrid == idgrid and m.res_id is None]
    reading = services.readings.latest(own[0].meter_id) if own else None
    return HouseholdPanel(
        idgrid=idgrid,
        account=services.community.account(idgrid),
        participant=services.community.participant(idgrid),
        orders=orders[:ORDERS_SHOWN],
        settlements=market.household_lines(idgrid)[:SETTLEMENTS_SHOWN],
        meter_id=own[0].meter_id if own else None,
        import_wh=reading.import_wh if reading else None,
        export_wh=reading.export_wh if reading else None,
    )


def _manager_panel(services: Services) -> ManagerPanel:
    return ManagerPanel(
        participants=services.community.participants(),
        accounts={account.idgrid: account for account in services.community.accounts()},
        meters=services.community.meters(),
        sources=services.community.sources(),
        refused_readings=dict(services.readings.refused),
        is_conserved=services.community.money().is_conserved,
    )
