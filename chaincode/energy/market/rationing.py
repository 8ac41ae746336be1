"""Splitting one whole number among several claims, exactly and the same on every peer.

Three places need it: the marginal price level of an auction (Wh), the payments of one side of
the market (micro-tokens), and the delivered energy of a settlement (Wh). Only integers are used;
nothing is rounded twice and the parts always sum to the whole.
"""

from collections import Counter
from collections.abc import Sequence


def largest_remainder(*, claims: Sequence[int], total: int) -> list[int]:
    """Split `total` in proportion to `claims` (Hamilton's method).

    Each claim gets the floor of its quota `claim * total / sum(claims)`; what is left goes one
    unit at a time to the largest remainders, equal remainders in the order of the sequence
    (callers pass claims in ledger order). Nobody gets more than `claim` while `total` does not
    exceed the sum of the claims, and everybody is within one unit of the quota.

    Units: any whole unit. Raises `ValueError` for a negative claim or total, or if something is
    to be split and nobody claims anything.
    """
    if total < 0 or min(claims, default=0) < 0:
        raise ValueError("claims and total must not be negative")
    claimed = sum(claims)
    if total and not claimed:
        raise ValueError("there is no claim to give the total to")
    if not claimed:
        return [0] * len(claims)
    return _rounded(claims, factor=total, unit=claimed)


def first_come(*, claims: Sequence[int], total: int) -> list[int]:
    """Serve the claims in sequence order until `total` is used up.

    What no claim takes stays unserved; the parts sum to `min(total, sum(claims))`.
    """
    shares = []
    left = total
    for claim in claims:
        share = min(left, claim)
        shares.append(share)
        left -= share
    return shares


def split_amount(*, energies_wh: Sequence[int], price_utoken_per_kwh: int) -> list[int]:
    """What each energy is worth in micro-tokens, so that the parts sum to the floor of the whole.

    The whole is `sum(energies_wh) * price // 1000`. Every part is its own value rounded down,
    or rounded up for the largest remainders (ties: sequence order).
    """
    return _rounded(energies_wh, factor=price_utoken_per_kwh, unit=1000)


def amount_rounded_up(*, energy_wh: int, price_utoken_per_kwh: int) -> int:
    """What must be locked for `energy_wh` at a price: micro-tokens, rounded up."""
    return -(-energy_wh * price_utoken_per_kwh // 1000)


def _rounded(claims: Sequence[int], *, factor: int, unit: int) -> list[int]:
    """`claim * factor / unit` of each in whole numbers that sum to the floor of their sum.

    Each is rounded down, or up for the largest remainders.
    """
    remainders = [claim * factor % unit for claim in claims]
    spare = sum(remainders) // unit
    if not spare:
        return [claim * factor // unit for claim in claims]
    threshold, of_equal = _threshold(remainders, spare)
    lift = unit - 1 - threshold  # carries over the next unit what has a larger remainder
    shares = [(claim * factor + lift) // unit for claim in claims]
    at = -1
    for _ in range(of_equal):
        at = remainders.index(threshold, at + 1)
        shares[at] += 1
    return shares


def _threshold(remainders: list[int], spare: int) -> tuple[int, int]:
    """All remainders above the threshold go up, and the first so many of those equal to it."""
    for remainder, count in sorted(Counter(remainders).items(), reverse=True):
        if count >= spare:
            return remainder, spare
        spare -= count
    raise ArithmeticError("more to give than there are claims")
