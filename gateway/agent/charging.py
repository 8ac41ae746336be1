"""When a car charges: the cheapest hours of its window that are enough. Pure.

A charger is flexible inside a window, say 19:00 to 06:00, and must have delivered its energy at
its end (003:714). The rule: of the whole hours of the window take as many as the energy needs,
those with the lowest expected price, the earlier of two that cost the same. The dearest of them,
the last of these, is the one that charges less than the full power if the energy is no multiple
of it. Planned anew each hour with what is left, it makes up for an hour that gave less, and in
the end charges whatever it costs. Energy in Wh, power in W, instants in ms UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from chaincode.energy.hours import DAY_MS, HOUR_MS

WH_PER_KWH = 1_000


@dataclass(frozen=True, slots=True)
class Charge:
    """What a car needs: `energy_wh` between two instants, at `power_w` while it charges.

    Raises `ValueError` if the window has too few whole hours for it, or exceeds a day.
    """

    from_ms: int
    until_ms: int
    energy_wh: int
    power_w: int

    def __post_init__(self) -> None:
        """Check that it can be done at all."""
        if self.energy_wh <= 0 or self.power_w <= 0:
            raise ValueError("energy and power of a charge are positive")
        if self.until_ms - self.from_ms > DAY_MS:
            raise ValueError("the window of a charge is at most a day")
        if self.hours_needed > len(self.hours):
            raise ValueError(
                f"{self.energy_wh} Wh at {self.power_w} W take {self.hours_needed} hours,"
                f" the window has {len(self.hours)}"
            )

    @property
    def hours(self) -> range:
        """The instants at which the window's whole hours begin."""
        return whole_hours(self.from_ms, self.until_ms)

    @property
    def hours_needed(self) -> int:
        """How many hours the energy takes at full power."""
        return -(-self.energy_wh // self.power_w)


def whole_hours(from_ms: int, until_ms: int) -> range:
    """The instants at which the whole hours between two instants begin."""
    first = -(-from_ms // HOUR_MS) * HOUR_MS
    return range(first, until_ms - HOUR_MS + 1, HOUR_MS)


def window_of(evening: date, *, begins: time, ends: time, zone: tzinfo) -> tuple[int, int]:
    """Where a night begins and ends by the clocks of `zone`; summer time may begin or end."""
    start = datetime.combine(evening, begins, tzinfo=zone)
    day = evening if ends > begins else evening + timedelta(days=1)
    end = datetime.combine(day, ends, tzinfo=zone)
    return int(start.timestamp()) * 1_000, int(end.timestamp()) * 1_000


def overnight(
    evening: date, *, begins: time, ends: time, zone: tzinfo, energy_wh: int, power_w: int
) -> Charge:
    """The charge of one night; raises `ValueError` as `Charge` does."""
    from_ms, until_ms = window_of(evening, begins=begins, ends=ends, zone=zone)
    return Charge(from_ms, until_ms, energy_wh=energy_wh, power_w=power_w)


def as_far_as_possible(
    from_ms: int, until_ms: int, *, energy_wh: int, power_w: int
) -> Charge | None:
    """As much as the window's hours give, a day of it at most; nothing if it has no whole hour."""
    until_ms = min(until_ms, from_ms + DAY_MS)
    possible_wh = len(whole_hours(from_ms, until_ms)) * power_w
    if not possible_wh:
        return None
    return Charge(from_ms, until_ms, min(energy_wh, possible_wh), power_w)


def plan(
    charge: Charge,
    prices_utoken_per_kwh: Mapping[int, int],
    *,
    now_ms: int = 0,
    charged_wh: int = 0,
) -> dict[int, int]:
    """Energy per hour, by the instant it begins, in order of time.

    Only hours that have not begun by `now_ms`. One without an expected price counts as dearer than
    all others. When too few hours are left, all of them are taken.
    """
    missing_wh = max(charge.energy_wh - charged_wh, 0)
    unknown = max(prices_utoken_per_kwh.values(), default=0) + 1
    left = [hour for hour in charge.hours if hour >= now_ms]
    left.sort(key=lambda hour: (prices_utoken_per_kwh.get(hour, unknown), hour))
    chosen = {}
    for hour in left:
        if missing_wh <= 0:
            break
        chosen[hour] = min(charge.power_w, missing_wh)
        missing_wh -= chosen[hour]
    return dict(sorted(chosen.items()))


def counted_wh(metered_wh: int, t_end_ms: int, now_ms: int, power_w: int) -> int:
    """Energy charged by now: what the meter says as of `t_end_ms`, and the power since.

    `power_w` is what was switched on for the last hour. Without it the quarter of an hour that
    has no reading yet would be charged a second time.
    """
    unread_ms = min(max(now_ms - t_end_ms, 0), HOUR_MS)
    return max(metered_wh, 0) + power_w * unread_ms // HOUR_MS


def cost_utoken(planned: Mapping[int, int], prices_utoken_per_kwh: Mapping[int, int]) -> int:
    """What a plan costs at these prices, rounded up for each hour."""
    return sum(
        -(-energy_wh * prices_utoken_per_kwh[hour] // WH_PER_KWH)
        for hour, energy_wh in planned.items()
    )


def standing_order(
    charge: Charge, planned: Mapping[int, int], *, price_utoken_per_kwh: int, budget_utoken: int
) -> dict[str, Any]:
    """What the charger signs for its plan (`standing:place`): its limits on the ledger.

    Whoever carries the order out buys the planned hours and no others, at most `price`, and locks
    at most `budget_utoken` in all.
    """
    return {
        "side": "bid",
        "energy_wh": max(planned.values()),
        "price_utoken_per_kwh": price_utoken_per_kwh,
        "hours_utc": sorted({hour % DAY_MS // HOUR_MS for hour in planned}),
        "from_ms": min(planned),
        "until_ms": min(charge.until_ms, max(planned) + HOUR_MS),
        "listings_max": len(planned),
        "budget_utoken": budget_utoken,
    }
