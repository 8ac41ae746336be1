"""The pure rule of the three sharing keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.energy.sharing.allocation import Member, SlotShares, share_slot
from chaincode.energy.sharing.records import KeyKind

ENERGY = st.integers(0, 20_000)
MEMBERS = st.lists(
    st.builds(
        Member,
        consumed_wh=ENERGY,
        produced_wh=ENERGY,
        part=st.integers(0, 1_000),
        rank=st.integers(0, 3),
    ),
    max_size=12,
)


def consumers(*consumed_wh: int, parts: tuple[int, ...] = (), ranks: tuple[int, ...] = ()):
    """A producer of 1,000 Wh and those who use it."""
    rest = [
        Member(wh, 0, part=part, rank=rank)
        for wh, part, rank in zip(
            consumed_wh,
            parts or (0,) * len(consumed_wh),
            ranks or (0,) * len(consumed_wh),
            strict=True,
        )
    ]
    return [Member(0, 1_000), *rest]


def test_a_static_key_gives_fixed_parts_and_what_is_not_used_counts_as_fed_in():
    members = consumers(900, 100, parts=(600_000, 400_000))
    assert share_slot(KeyKind.STATIC, members) == SlotShares([0, 600, 100], [700, 0, 0])


def test_a_dynamic_key_goes_by_use():
    assert share_slot(KeyKind.DYNAMIC, consumers(1_500, 500)).taken_wh == [0, 750, 250]
    assert share_slot(KeyKind.DYNAMIC, consumers(300, 100)).taken_wh == [0, 300, 100]


def test_a_priority_key_serves_ranks_in_turn_and_equal_ranks_in_proportion():
    members = consumers(300, 600, 800, ranks=(2, 1, 2))
    assert share_slot(KeyKind.PRIORITY, members).taken_wh == [0, 109, 600, 291]


def test_producers_give_in_proportion_and_may_use_what_others_fed_in():
    members = [Member(0, 300), Member(200, 100), Member(100, 0)]
    shared = share_slot(KeyKind.DYNAMIC, members)
    assert shared == SlotShares([0, 200, 100], [225, 75, 0])


def test_without_parts_a_static_key_shares_nothing():
    assert share_slot(KeyKind.STATIC, consumers(500, 500)).taken_wh == [0, 0, 0]


def test_negative_energy_is_a_mistake():
    with pytest.raises(ValueError, match="negative"):
        share_slot(KeyKind.DYNAMIC, [Member(-1, 0)])


@given(st.sampled_from(KeyKind), MEMBERS)
def test_nobody_takes_more_than_it_uses_or_gives_more_than_it_made(kind, members):
    shared = share_slot(kind, members)
    assert sum(shared.taken_wh) == sum(shared.given_wh)
    for member, taken, gave in zip(members, shared.taken_wh, shared.given_wh, strict=True):
        assert 0 <= taken <= member.consumed_wh
        assert 0 <= gave <= member.produced_wh


@given(MEMBERS)
def test_only_a_static_key_leaves_energy_that_somebody_could_use(members):
    possible = min(sum(m.consumed_wh for m in members), sum(m.produced_wh for m in members))
    for kind in (KeyKind.DYNAMIC, KeyKind.PRIORITY):
        assert sum(share_slot(kind, members).taken_wh) == possible
    assert sum(share_slot(KeyKind.STATIC, members).taken_wh) <= possible


@given(MEMBERS)
def test_a_worse_rank_is_served_only_when_better_ones_are(members):
    taken = share_slot(KeyKind.PRIORITY, members).taken_wh
    served = [m.rank for m, wh in zip(members, taken, strict=True) if wh]
    short = [m.rank for m, wh in zip(members, taken, strict=True) if wh < m.consumed_wh]
    assert max(served, default=0) <= min(short, default=3)
