"""Boxes that are coloured by range: voltage, power, state of charge, each with its thresholds.

The voltage bands are those of EN 50160 around 230 V: within 10 % is normal, the last 4 % of it are
shown as a warning. Power is compared with the power of the grid connection in the household's
contract; without one with what a listing lets a household order.
"""

from dataclasses import dataclass
from enum import StrEnum

NOMINAL_MV = 230_000
VOLTAGE_WARNS_PERMILLE = 60
VOLTAGE_FAILS_PERMILLE = 100
POWER_WARNS_PERCENT = 80
POWER_FAILS_PERCENT = 100
CHARGE_WARNS_PERCENT = 40
CHARGE_FAILS_PERCENT = 20


class Range(StrEnum):
    """Where a value lies; also the name of its colour."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Values from which a box changes: warns and fails, below and above; None has no such end."""

    fails_below: int | None
    warns_below: int | None
    warns_above: int | None
    fails_above: int | None

    def range_of(self, value: int | None) -> Range:
        """The range a value is in; a bound itself still belongs to the better range."""
        if value is None:
            return Range.UNKNOWN
        if _is_outside(value, self.fails_below, self.fails_above):
            return Range.BAD
        return Range.WARN if _is_outside(value, self.warns_below, self.warns_above) else Range.GOOD


def voltage_bounds() -> Bounds:
    """In mV."""

    def off(permille: int) -> int:
        return NOMINAL_MV * permille // 1_000

    return Bounds(
        fails_below=NOMINAL_MV - off(VOLTAGE_FAILS_PERMILLE),
        warns_below=NOMINAL_MV - off(VOLTAGE_WARNS_PERMILLE),
        warns_above=NOMINAL_MV + off(VOLTAGE_WARNS_PERMILLE),
        fails_above=NOMINAL_MV + off(VOLTAGE_FAILS_PERMILLE),
    )


def power_bounds(connection_w: int) -> Bounds:
    """In W, of the power through the connection in either direction."""
    return Bounds(
        fails_below=None,
        warns_below=None,
        warns_above=connection_w * POWER_WARNS_PERCENT // 100,
        fails_above=connection_w * POWER_FAILS_PERCENT // 100,
    )


def charge_bounds() -> Bounds:
    """In percent of a battery's capacity."""
    return Bounds(
        fails_below=CHARGE_FAILS_PERCENT,
        warns_below=CHARGE_WARNS_PERCENT,
        warns_above=None,
        fails_above=None,
    )


def _is_outside(value: int, low: int | None, high: int | None) -> bool:
    return (low is not None and value < low) or (high is not None and value > high)
