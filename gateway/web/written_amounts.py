"""Amounts as people write them, with a decimal point or comma, in whole units. Exact."""

import re

from gateway.errors import Problem, RequestRefused

_WRITTEN = re.compile(r"(\d{1,15})(?:[.,](\d{1,6}))?", re.ASCII)


def whole_units(text: str, units: int, at_most: int) -> int:
    """`1,5` kWh with 1000 units is 1500 Wh; refuses what is no amount, nothing or too much."""
    parts = _WRITTEN.fullmatch(text.strip())
    if parts is None:
        raise RequestRefused(Problem.INVALID, f"{text!r} is not an amount")
    fraction = parts[2] or ""
    shifted: int = 10 ** len(fraction)
    scaled, rest = divmod(int(parts[1] + fraction) * units, shifted)
    if rest:
        raise RequestRefused(Problem.INVALID, f"{text!r} has too many decimals")
    if not 0 < scaled <= at_most:
        raise RequestRefused(Problem.INVALID, f"{text!r} is not between 0 and the limit")
    return scaled
