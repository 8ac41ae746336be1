"""Splitting whole numbers: exact sums, fair within one unit, ties by position."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.energy.market.rationing import (
    amount_rounded_up,
    first_come,
    largest_remainder,
    split_amount,
)

claims_lists = st.lists(st.integers(min_value=0, max_value=10**6), min_size=1, max_size=30)


@given(claims=claims_lists, part=st.fractions(min_value=0, max_value=1))
def test_largest_remainder_is_exact_and_within_one_unit(claims: list[int], part: float) -> None:
    total = int(sum(claims) * part)
    shares = largest_remainder(claims=claims, total=total)
    assert sum(shares) == total
    for claim, share in zip(claims, shares, strict=True):
        assert 0 <= share <= claim
        assert abs(share * sum(claims) - claim * total) < max(1, sum(claims))


@given(claims=claims_lists, total=st.integers(min_value=0, max_value=10**7))
def test_first_come_serves_each_fully_before_the_next(claims: list[int], total: int) -> None:
    shares = first_come(claims=claims, total=total)
    assert sum(shares) == min(total, sum(claims))
    short = [i for i, (c, s) in enumerate(zip(claims, shares, strict=True)) if s < c]
    assert all(shares[i] == 0 for i in short[1:])


@given(energies=claims_lists, price=st.integers(min_value=0, max_value=10**6))
def test_amounts_sum_to_the_floor_of_the_whole(energies: list[int], price: int) -> None:
    amounts = split_amount(energies_wh=energies, price_utoken_per_kwh=price)
    assert sum(amounts) == sum(energies) * price // 1000
    for energy, amount in zip(energies, amounts, strict=True):
        locked = amount_rounded_up(energy_wh=energy, price_utoken_per_kwh=price)
        assert energy * price // 1000 <= amount <= locked


def test_equal_remainders_go_to_the_earlier_claim() -> None:
    assert largest_remainder(claims=[100, 100, 100], total=100) == [34, 33, 33]
    assert largest_remainder(claims=[10, 25, 65], total=33) == [3, 8, 22]


def test_impossible_splits_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        largest_remainder(claims=[-1], total=0)
    with pytest.raises(ValueError, match="no claim"):
        largest_remainder(claims=[0], total=1)
