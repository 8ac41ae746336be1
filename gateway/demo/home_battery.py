"""The demo's batteries: an hour's rule, and a home's profile with its battery at work. Pure.

A battery takes half of what PV brings beyond the load and gives half of what is missing, within
its nameplate (`gateway.hems.profiles.Battery`); the other half is left for the neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.demo.live_values import Moment
from gateway.hems.profiles import Battery, Home

AT_FIRST_PERCENT = 30
"""Of its capacity: amber on the page, and on its way up while the sun shines."""
SHARE = 2
HOURS_AT_REST = 3
"""Before the first one: the market opens an hour early."""


@dataclass(frozen=True, slots=True)
class StoredHome:
    """A home with a battery: `home.load_wh` has what the battery took and gave in it."""

    home: Home
    flow_wh: Sequence[int]
    """Per hour at the battery's terminals: positive is charged, negative discharged."""
    stored_wh: Sequence[int]
    """At the beginning of each hour."""

    def stored_at(self, moment: Moment) -> int:
        """Wh in the battery within an hour."""
        before = self.stored_wh[moment.row]
        after = self.stored_wh[(moment.row + 1) % len(self.stored_wh)]
        return before + (after - before) * moment.permille // 1_000


def with_battery(home: Home, first_row: int) -> StoredHome:
    """The home from `first_row` on, once around the data set."""
    count = len(home.load_wh)
    load_wh, flow_wh, stored_wh = list(home.load_wh), [0] * count, [0] * count
    stored = home.battery.capacity_wh * AT_FIRST_PERCENT // 100
    for number in range(count):
        row = (first_row + number) % count
        stored_wh[row] = stored
        flow, stored = hour_of(home.battery, stored, home.pv_wh[row] - home.load_wh[row])
        flow_wh[row] = flow
        load_wh[row] += flow
    for row in ((first_row - number) % count for number in range(1, HOURS_AT_REST + 1)):
        load_wh[row], flow_wh[row] = home.load_wh[row], 0
        stored_wh[row] = stored_wh[first_row]
    return StoredHome(replace(home, load_wh=tuple(load_wh)), flow_wh, stored_wh)


def hour_of(battery: Battery, stored_wh: int, surplus_wh: int) -> tuple[int, int]:
    """(flow, stored afterwards) of one hour; the loss of a full cycle is taken when charging."""
    if surplus_wh <= 0:
        given = min(-surplus_wh // SHARE, battery.power_w, stored_wh)
        return -given, stored_wh - given
    room = (battery.capacity_wh - stored_wh) * 1_000 // battery.efficiency_permille
    taken = min(surplus_wh // SHARE, battery.power_w, room)
    return taken, stored_wh + taken * battery.efficiency_permille // 1_000
