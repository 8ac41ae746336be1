"""What the market page shows: the live listing, the reader's orders, the prices so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaincode.energy.registry.records import Res
from gateway.books.community import AccountView
from gateway.books.order_progress import OrderPlace, OrderProgress
from gateway.books.own_orders import OwnOrders
from gateway.identity.sessions import Viewer
from gateway.readmodel.records import Slice
from gateway.services import Services
from gateway.web.languages import N_, Language
from gateway.web.listing_panel import ListingPanel, listing_panel
from gateway.web.price_history import HourRow, last_priced, price_history
from gateway.web.readiness import Readiness, readiness

ORDERS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class OwnDesk:
    """What a household needs to trade."""

    idgrid: str
    account: AccountView | None
    sources: Sequence[Res]
    orders: Slice[OrderProgress]
    """The first rows; `/market/orders` goes on."""
    readiness: Readiness


@dataclass(frozen=True, slots=True)
class PriceInUnits:
    """A price per kWh in every unit the community shows."""

    name: str
    shown: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MarketView:
    """The whole page; `desk` is for a household."""

    panel: ListingPanel | None
    hours: Sequence[HourRow]
    units: Sequence[PriceInUnits]
    desk: OwnDesk | None


def market_view(services: Services, viewer: Viewer | None, words: Language) -> MarketView:
    """Everything the page shows to this viewer."""
    idgrid = viewer.idgrid if viewer else ""
    hours = price_history(services, words)
    return MarketView(
        panel=listing_panel(services, words, viewer_idgrid=idgrid),
        hours=hours,
        units=_in_units(services, hours),
        desk=_desk(services, idgrid) if idgrid else None,
    )


def own_orders(
    services: Services, idgrid: str, *, below: OrderPlace | None = None
) -> Slice[OrderProgress]:
    """A page of a household's orders; `below` is where the page before ended."""
    return OwnOrders(services.readmodel, idgrid).page(below=below, limit=ORDERS_SHOWN)


def _in_units(services: Services, hours: Sequence[HourRow]) -> list[PriceInUnits]:
    """The latest clearing price with the two prices of the utility around it."""
    last = last_priced(hours)
    if last is None:
        return []
    prices = (
        (N_("clearing price"), last.price_utoken_per_kwh or 0),
        (N_("Feed-in"), last.listing.floor_utoken_per_kwh),
        (N_("Retail"), last.listing.cap_utoken_per_kwh),
    )
    return [PriceInUnits(name, services.currencies.in_all(price)) for name, price in prices]


def tradable_sources(services: Services, idgrid: str) -> list[Res]:
    """Approved sources of a household, with which it may offer."""
    return [
        source
        for source in services.community.sources()
        if source.owner_idgrid == idgrid
        and source.status == "approved"
        and source.authorised_ms is not None
    ]


def _desk(services: Services, idgrid: str) -> OwnDesk:
    return OwnDesk(
        idgrid=idgrid,
        account=services.community.account(idgrid),
        sources=tradable_sources(services, idgrid),
        orders=own_orders(services, idgrid),
        readiness=readiness(services, idgrid),
    )
