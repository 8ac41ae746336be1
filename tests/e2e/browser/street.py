"""A street with a history: homes with and without sun, settled hours and a gap."""

from dataclasses import dataclass
from datetime import timedelta

from chaincode.energy.hours import listing_id_at
from tests.e2e.browser.village import Village
from tests.unit.energy.community import (
    CAP,
    FLOOR,
    Community,
    Household,
    hour_of,
    milliseconds,
)

HOUR = timedelta(hours=1)
FIRST_HOUR = "2026-01-14T09"
"""06:00 in the street, three hours behind UTC."""
SILENT_HOUR = "2026-01-14T20"
"""No listing was opened for it: a gap in every chart."""
OPEN_HOUR = "2026-01-15T15"
SUN_WH = (
    0,
    0,
    0,
    0,
    0,
    0,
    200,
    700,
    1500,
    2300,
    2900,
    3300,
    3500,
    3400,
    3000,
    2300,
    1500,
    800,
    250,
)
LOAD_WH = (350, 300, 280, 260, 260, 300, 600, 900, 700, 500, 480, 520)
LOAD_WH += (800, 700, 520, 500, 600, 900, 1400, 1800, 1600, 1200, 800, 500)
LOCAL_UTC_HOURS = -3
ORDER_WH_MIN = 50


@dataclass
class Street:
    """Who lives there."""

    sunny: Household
    modest: Household
    flat: Household
    bakery: Household

    @property
    def homes(self) -> tuple[Household, ...]:
        return (self.sunny, self.modest, self.flat, self.bakery)

    def net_wh(self, home: Household, hour: str) -> int:
        """Sun less load of an hour; each home has its own share of both."""
        local = (int(hour[-2:]) + LOCAL_UTC_HOURS) % 24
        sun = SUN_WH[local] if local < len(SUN_WH) else 0
        roof = {self.sunny.idgrid: 100, self.modest.idgrid: 45}.get(home.idgrid, 0)
        need = {self.bakery.idgrid: 180, self.sunny.idgrid: 80}.get(home.idgrid, 100)
        return sun * roof // 100 - LOAD_WH[local] * need // 100


def settle_in(it: Village) -> Street:
    """Four homes with tokens and meters, two of them with panels."""

    def join(community: Community) -> Street:
        return Street(
            sunny=community.join(),
            modest=community.join(),
            flat=community.join(role="consumer"),
            bakery=community.join(role="consumer"),
        )

    return it.act(join)


def live_through(it: Village, street: Street, *, hours: int) -> None:
    """So many hours traded, delivered and settled, and each home's meter read at every end."""
    ids = [listing_id_at(milliseconds(hour_of(FIRST_HOUR) + at * HOUR)) for at in range(hours + 1)]
    before = ""
    for hour in ids:
        is_last = hour == ids[-1]
        traded = "" if is_last or hour == SILENT_HOUR else hour
        it.act(lambda community, a=before, b=traded, at=hour: _turn(community, street, a, b, at))
        for home in street.homes:
            net_wh = street.net_wh(home, before) if before else 0
            it.read(home, load_wh=max(0, -net_wh), pv_wh=max(0, net_wh))
        before = traded


def open_with_orders(it: Village, street: Street, hour: str = OPEN_HOUR) -> None:
    """A listing that takes orders, with one of every home but the modest one."""

    def begin(community: Community) -> None:
        _open(community, hour)
        for home in street.homes:
            if home is not street.modest:
                _order(community, street, home, hour)

    it.act(begin)


def _turn(community: Community, street: Street, before: str, hour: str, at: str) -> None:
    """The turn of the hour `at`: `before` ends and is settled, `hour` was traded and begins."""
    if hour:
        _open(community, hour)
        for home in street.homes:
            _order(community, street, home, hour)
        community.close_and_clear(hour)
    for home in street.homes if before else ():
        net_wh = street.net_wh(home, before)
        home.import_wh += max(0, -net_wh)
        home.export_wh += max(0, net_wh)
    community.report(hour_of(at))
    if before:
        community.settle(before)
    if hour:
        community.scheduler.submit("market:start_delivery", hour)


def _open(community: Community, hour: str) -> None:
    community.ledger.at(hour_of(hour) - timedelta(minutes=11))
    community.open(hour)


def _order(community: Community, street: Street, home: Household, hour: str) -> None:
    net_wh = street.net_wh(home, hour)
    if abs(net_wh) < ORDER_WH_MIN:
        return
    spread = CAP - FLOOR
    if net_wh > 0 and home.res_id:
        price = FLOOR + spread * (10 + 3 * (int(hour[-2:]) % 7)) // 100
        community.offer(home, net_wh, price, hour)
    elif net_wh < 0:
        place = street.homes.index(home)
        community.bid(home, -net_wh, FLOOR + spread * (35 + 15 * place) // 100, hour)
