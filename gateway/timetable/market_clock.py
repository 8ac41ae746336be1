"""The demo's accelerated clock: when each market hour opens, closes, delivers. Pure arithmetic.

A market hour lasts `hour_ms` of real time. Orders for an hour are taken during the hour before,
until a quarter of it is left; so one listing takes orders while the one before delivers, as in a
real intraday market. A machine that stood still must not cost an hour its orders: an hour that
could be opened only late is moved, and all after it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chaincode.energy.hours import listing_id_at

LATE_PERCENT = 25
"""Of an hour: so much later than planned its market may open."""


@dataclass(frozen=True, slots=True)
class HourPlan:
    """One delivery hour: its name and its real instants in ms."""

    listing_id: str
    delivery_start: datetime
    """The hour of the data set, UTC."""
    open_at_ms: int
    gate_closure_ms: int
    delivery_start_ms: int
    delivery_end_ms: int
    settlement_end_ms: int


@dataclass(frozen=True, slots=True)
class MarketClock:
    """`first_delivery_ms` is the real instant at which the first hour's delivery starts."""

    first_delivery_ms: int
    hour_ms: int
    first_hour: datetime

    def hour(self, index: int) -> HourPlan:
        """The plan of the hour `index`, from 0."""
        start_ms = self.first_delivery_ms + index * self.hour_ms
        delivery_start = self.first_hour + timedelta(hours=index)
        return HourPlan(
            listing_id=listing_id_at(int(delivery_start.timestamp()) * 1_000),
            delivery_start=delivery_start,
            open_at_ms=start_ms - self.hour_ms,
            gate_closure_ms=start_ms - self.hour_ms // 4,
            delivery_start_ms=start_ms,
            delivery_end_ms=start_ms + self.hour_ms,
            settlement_end_ms=start_ms + 2 * self.hour_ms,
        )

    def moved_for(self, index: int, now_ms: int) -> "MarketClock":
        """The clock by which the hour `index` can open in time: this one, or a later one.

        Later by whole hours, so that ends of hours stay ends of hours for meters and oracle.
        """
        late_ms = now_ms - self.hour(index).open_at_ms
        if late_ms <= self.hour_ms * LATE_PERCENT // 100:
            return self
        hours = -(-late_ms // self.hour_ms)
        return replace(self, first_delivery_ms=self.first_delivery_ms + hours * self.hour_ms)
