"""Prices and amounts in the units people know: token, gwei, ETH, EUR, CLP. Outside the contracts.

The ledger counts micro-tokens. A community says what one micro-token is in another unit, as an
exact fraction; nothing is computed with the result, it is shown. In the published example
60,000 gwei are 102 CLP, with one micro-token as one gwei: 102/60000 CLP per micro-token.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

UTOKEN_PER_TOKEN = 1_000_000
GWEI_PER_ETH = 10**9
DIGITS_MAX = 18


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: how many of it one micro-token is, and with how many digits it is shown."""

    per_utoken: Fraction
    digits: int

    def __post_init__(self) -> None:
        if self.per_utoken <= 0:
            raise ValueError("a unit must be worth something")
        if not 0 <= self.digits <= DIGITS_MAX:
            raise ValueError(f"a unit has 0 to {DIGITS_MAX} digits")


def example_units() -> dict[str, Unit]:
    """Units of the published Chilean example; a community sets its own."""
    return {
        "token": Unit(Fraction(1, UTOKEN_PER_TOKEN), 6),
        "gwei": Unit(Fraction(1), 0),
        "ETH": Unit(Fraction(1, GWEI_PER_ETH), 9),
        "EUR": Unit(Fraction(102, 60_000 * 870), 6),
        "CLP": Unit(Fraction(102, 60_000), 2),
    }


@dataclass(frozen=True, slots=True)
class Currencies:
    """The units a community shows."""

    units: Mapping[str, Unit] = field(default_factory=example_units)

    def shown(self, utoken: int, unit: str) -> str:
        """An amount, or a price per kWh, in a unit, rounded half up; `KeyError` if unknown."""
        chosen = self.units[unit]
        scaled = abs(utoken) * chosen.per_utoken * 10**chosen.digits
        rounded = int(scaled + Fraction(1, 2))
        whole, rest = divmod(rounded, 10**chosen.digits)
        sign = "-" if utoken < 0 and rounded else ""
        return f"{sign}{whole}.{rest:0{chosen.digits}}" if chosen.digits else f"{sign}{whole}"

    def in_all(self, utoken: int) -> dict[str, str]:
        """The same amount in every unit."""
        return {name: self.shown(utoken, name) for name in self.units}


def units_from(raw: Mapping[str, Mapping[str, object]]) -> dict[str, Unit]:
    """Units of a settings file: name -> {"per_utoken": "102/60000", "digits": 2}.

    Raises `ValueError` for what is not a positive fraction or a possible number of digits.
    """
    return {
        name: Unit(Fraction(str(entry["per_utoken"])), int(str(entry["digits"])))
        for name, entry in raw.items()
    }
