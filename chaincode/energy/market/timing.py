"""When a listing opens, closes, delivers and settles: pure functions of the delivery hour.

A listing is named by the hour in which its delivery starts; times as in `hours`.
"""

from dataclasses import dataclass

from chaincode.energy.hours import DAY_MS, HOUR_MS, MINUTE_MS, delivery_hour_ms

UTC_OFFSET_MINUTES_MAX = 14 * 60
PRESETS = ("hourly", "energy_auction", "day_market", "custom")
INSTANTS = (
    "opens_at_ms",
    "gate_closure_ms",
    "delivery_start_ms",
    "delivery_end_ms",
    "settlement_end_ms",
)
"""The fields of `Timing`, as parameters of a listing."""

# (bids open, gate closure = delivery start, delivery end) in minutes of the local day, after
# the published schedule of a Chilean solar community: 10:30-13:00-14:00 and 14:00-16:30-17:30.
_DAY_MARKET_SESSIONS = ((630, 780, 840), (840, 990, 1050))


@dataclass(frozen=True, slots=True)
class Timing:
    """The five instants of a listing, in ms; each not before the one above it."""

    opens_at_ms: int
    gate_closure_ms: int
    delivery_start_ms: int
    delivery_end_ms: int
    settlement_end_ms: int

    @property
    def in_order(self) -> bool:
        """Whether every phase ends after it began; clearing may take no time at all."""
        return (
            0 <= self.opens_at_ms < self.gate_closure_ms <= self.delivery_start_ms
            and self.delivery_start_ms < self.delivery_end_ms <= self.settlement_end_ms
        )


def preset_timing(preset: str, listing_id: str, *, utc_offset_minutes: int = 0) -> Timing | None:
    """The instants of one listing under a named schedule; neighbours may overlap.

    * `custom`: None, every instant is given when the listing opens.
    * `hourly`: orders from 60 to 5 minutes before delivery, 60 min delivery, 15 min to settle.
    * `energy_auction`: 10 min orders, 2 min matching, 60 min delivery, 3 min settlement.
    * `day_market`: two sessions a local day (orders 10:30-13:00 and 14:00-16:30, delivery
      13:00-14:00 and 16:30-17:30); `utc_offset_minutes` is the local offset, east positive.

    Raises `ValueError` for an unknown preset, a malformed id, an impossible offset, or an hour
    in which the preset has no market.
    """
    hour_ms = delivery_hour_ms(listing_id)
    if abs(utc_offset_minutes) > UTC_OFFSET_MINUTES_MAX:
        raise ValueError(f"utc_offset_minutes {utc_offset_minutes} is out of range")
    if preset == "custom":
        return None
    if preset == "hourly":
        return _around(hour_ms, opens_before=60, closes_before=5, settles_within=15)
    if preset == "energy_auction":
        return _around(hour_ms, opens_before=12, closes_before=2, settles_within=3)
    if preset == "day_market":
        return _day_market(hour_ms, utc_offset_minutes)
    raise ValueError(f"unknown preset {preset!r}; known: {', '.join(PRESETS)}")


def _around(hour_ms: int, *, opens_before: int, closes_before: int, settles_within: int) -> Timing:
    return Timing(
        opens_at_ms=hour_ms - opens_before * MINUTE_MS,
        gate_closure_ms=hour_ms - closes_before * MINUTE_MS,
        delivery_start_ms=hour_ms,
        delivery_end_ms=hour_ms + HOUR_MS,
        settlement_end_ms=hour_ms + HOUR_MS + settles_within * MINUTE_MS,
    )


def _day_market(hour_ms: int, utc_offset_minutes: int) -> Timing:
    """The session whose delivery starts inside this UTC hour."""
    offset_ms = utc_offset_minutes * MINUTE_MS
    for day_shift in (-1, 0, 1):
        local_day_ms = ((hour_ms + offset_ms) // DAY_MS + day_shift) * DAY_MS
        midnight_ms = local_day_ms - offset_ms
        for opens, delivers, ends in _DAY_MARKET_SESSIONS:
            start_ms = midnight_ms + delivers * MINUTE_MS
            if hour_ms <= start_ms < hour_ms + HOUR_MS:
                return Timing(
                    opens_at_ms=midnight_ms + opens * MINUTE_MS,
                    gate_closure_ms=start_ms,
                    delivery_start_ms=start_ms,
                    delivery_end_ms=midnight_ms + ends * MINUTE_MS,
                    settlement_end_ms=midnight_ms + ends * MINUTE_MS + 15 * MINUTE_MS,
                )
    raise ValueError("the day market has no delivery in this hour")
