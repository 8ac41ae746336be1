"""Splitting a metered hour among deals: exact, never more than was metered or agreed."""

from hypothesis import given
from hypothesis import strategies as st

from chaincode.energy.marketplace.shares import amount_for, share_of, unit_price

lots = st.dictionaries(
    st.text(alphabet="0123456789abcdef", min_size=4, max_size=4),
    st.integers(1, 10_000),
    min_size=1,
    max_size=20,
)


@given(deals=lots, available=st.integers(-5_000, 300_000))
def test_no_metered_wh_counts_twice(deals: dict[str, int], available: int) -> None:
    shares = {name: share_of(name, deals=deals, available_wh=available) for name in deals}
    assert sum(shares.values()) == min(max(0, available), sum(deals.values()))
    assert all(0 <= shares[name] <= deals[name] for name in deals)


@given(deals=lots, available=st.integers(0, 300_000))
def test_the_order_of_the_deals_does_not_matter(deals: dict[str, int], available: int) -> None:
    backwards = dict(reversed(list(deals.items())))
    for name in deals:
        share = share_of(name, deals=deals, available_wh=available)
        assert share == share_of(name, deals=backwards, available_wh=available)


@given(
    price=st.integers(1, 10**18),
    lot=st.integers(1, 10_000).flatmap(lambda e: st.tuples(st.just(e), st.integers(0, e))),
)
def test_a_part_costs_no_more_than_its_share_and_the_whole_costs_the_price(
    price: int, lot: tuple[int, int]
) -> None:
    energy_wh, delivered_wh = lot
    paid = amount_for(price_utoken=price, energy_wh=energy_wh, delivered_wh=delivered_wh)
    assert 0 <= paid <= price
    assert paid * energy_wh <= price * delivered_wh < (paid + 1) * energy_wh
    assert amount_for(price_utoken=price, energy_wh=energy_wh, delivered_wh=energy_wh) == price


def test_the_unit_price_is_derived_from_the_lot() -> None:
    assert unit_price(price_utoken=216_000, energy_wh=4_000) == 54_000
    assert unit_price(price_utoken=100, energy_wh=3_000) == 33
