"""Splitting one whole number among several claims, exactly and the same on every peer.

Three places need it: the marginal price level of an auction (Wh), the payments of one side of
the market (micro-tokens), and the delivered energy of a settlement (Wh). Only integers are used;
nothing is rounded twice and the parts always sum to the whole.
"""

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
    if total < 0 or any(claim < 0 for claim in claims):
        raise ValueError("claims and total must not be negative")
    claimed = sum(claims)
    if total and not claimed:
        raise ValueError("there is no claim to give the total to")
    if not claimed:
        return [0] * len(claims)
    shares = [claim * total // claimed for claim in claims]
    spare = total - sum(shares)
    if spare:
        remainders = [claim * total % claimed for claim in claims]
        _give_spare(shares=shares, remainders=remainders, spare=spare)
    return shares


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
    values = [energy * price_utoken_per_kwh for energy in energies_wh]
    shares = [value // 1000 for value in values]
    spare = sum(values) // 1000 - sum(shares)
    if spare:
        remainders = [value % 1000 for value in values]
        _give_spare(shares=shares, remainders=remainders, spare=spare)
    return shares


def amount_rounded_up(*, energy_wh: int, price_utoken_per_kwh: int) -> int:
    """What must be locked for `energy_wh` at a price: micro-tokens, rounded up."""
    return -(-energy_wh * price_utoken_per_kwh // 1000)


def _give_spare(*, shares: list[int], remainders: list[int], spare: int) -> None:
    """Add one unit to the `spare` largest remainders; the sort is stable, so ties keep order."""
    by_remainder = sorted(range(len(shares)), key=lambda index: -remainders[index])
    for index in by_remainder[:spare]:
        shares[index] += 1
