"""What the first page shows: price and power now, this month's saving, the next gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.books.community import AccountView
from gateway.books.own_records import OwnRecords
from gateway.books.savings import Savings
from gateway.books.standing_preview import LookBack, StandingWish, look_back, proposed
from gateway.hems.power_now import PowerNow, newest_power, power_between
from gateway.identity.sessions import Viewer
from gateway.identity.sight import OwnReadings, own_measured
from gateway.services import Services
from gateway.web.languages import Language, local_start
from gateway.web.listing_panel import ListingPanel, listing_panel
from gateway.web.manager_panel import ManagerPanel, manager_panel
from gateway.web.price_chart import price_chart_svg
from gateway.web.price_history import HourRow, last_priced, price_history, priced_hours
from gateway.web.readiness import Readiness, readiness

HOURS_SHOWN = 24


@dataclass(frozen=True, slots=True)
class PriceNow:
    """The price of the hour being delivered, else of the latest one that cleared."""

    hour: HourRow
    is_delivering: bool

    @property
    def below_retail_percent(self) -> int:
        """How much cheaper than the utility's retail price, in whole percent."""
        retail = self.hour.listing.cap_utoken_per_kwh
        return 100 * (retail - (self.hour.price_utoken_per_kwh or 0)) // retail


@dataclass(frozen=True, slots=True)
class Proposal:
    """A standing order to place with one tap, and what it would have done last week."""

    wish: StandingWish
    past: LookBack


@dataclass(frozen=True, slots=True)
class HouseholdHome:
    """A household's part of the page."""

    idgrid: str
    account: AccountView | None
    power: PowerNow | None
    month: datetime | None
    savings: Savings | None
    standing_count: int
    proposals: Sequence[Proposal]
    readiness: Readiness


@dataclass(frozen=True, slots=True)
class HomeView:
    """The whole page."""

    panel: ListingPanel | None
    price: PriceNow | None
    price_chart: str
    traded_wh: int
    household: HouseholdHome | None
    manager: ManagerPanel | None


def home_view(services: Services, viewer: Viewer | None, words: Language) -> HomeView:
    """Everything the page shows to this viewer."""
    hours = price_history(services, words, HOURS_SHOWN)
    idgrid = viewer.idgrid if viewer else ""
    return HomeView(
        panel=listing_panel(services, words, viewer_idgrid=idgrid),
        price=_price_now(hours),
        price_chart=price_chart_svg(priced_hours(hours, words), words),
        traded_wh=sum(hour.settled_wh or 0 for hour in hours),
        household=_household(services, idgrid) if idgrid else None,
        manager=manager_panel(services) if viewer and viewer.is_manager else None,
    )


def _price_now(hours: Sequence[HourRow]) -> PriceNow | None:
    for hour in hours:
        if hour.listing.state == "DELIVERING" and hour.price_utoken_per_kwh is not None:
            return PriceNow(hour, is_delivering=True)
    last = last_priced(hours)
    return None if last is None else PriceNow(last, is_delivering=False)


def _household(services: Services, idgrid: str) -> HouseholdHome:
    own = OwnRecords(services.readmodel, idgrid)
    latest = next(iter(own.lines()), None)
    standing = own.standing_orders()
    return HouseholdHome(
        idgrid=idgrid,
        account=services.community.account(idgrid),
        power=power_now(services, idgrid),
        month=None if latest is None else local_start(latest, services.local_time),
        savings=None if latest is None else own.savings(latest, services.local_time),
        standing_count=len(standing),
        proposals=[] if standing else _proposals(own),
        readiness=readiness(services, idgrid),
    )


def _proposals(own: OwnRecords) -> list[Proposal]:
    past = own.past_hours()
    wishes = [proposed(side, past) for side in ("bid", "offer")]
    proposals = [Proposal(wish, look_back(wish, past)) for wish in wishes if wish is not None]
    return [proposal for proposal in proposals if proposal.past.traded_hours]


def power_now(services: Services, idgrid: str) -> PowerNow | None:
    """At the household's grid connection: what its meter told last."""
    for meter in services.community.meters():
        if meter.owner_idgrid == idgrid and meter.is_at_connection:
            readings = OwnReadings(services.readings, meter)
            latest = readings.latest()
            before = latest and readings.before(latest.t_end_ms)
            between = power_between(before, latest, hour_ms=services.energy_hour_ms)
            measured = own_measured(meter, services.measurements.latest(meter.meter_id))
            return newest_power(between, measured)
    return None
