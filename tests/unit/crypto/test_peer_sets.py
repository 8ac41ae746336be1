"""Which peers a plan can ask: layouts listed where they are few, searched where they are many.

Brute force, with Fabric's evaluation of real identities, says what there is to be found.
"""

from collections import Counter
from collections.abc import Mapping
from functools import cache
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ledger.crypto.peer_sets import (
    Groups,
    StepsExceeded,
    layout_of,
    layouts_of_all,
    listed_layouts,
    peer_needs,
    peers_by_member,
    satisfying_set,
)
from ledger.crypto.policy import is_satisfied
from ledger.crypto.policy_text import majority_of_peers, parse_policy
from ledger.crypto.signing import SigningIdentity
from ledger.model.policy import NOutOf, Principal, Role, SignaturePolicy, SignedBy
from tests.support.identities import (
    COOPERATIVE,
    GRID_OPERATOR,
    MSPIDS,
    MUNICIPALITY,
    THREE_OF_FOUR,
    UTILITY,
    consortium,
)

LEAVES = st.builds(
    "'{}.{}'".format, st.sampled_from(MSPIDS), st.sampled_from(["peer", "admin", "member"])
)


def policies_over(leaves: st.SearchStrategy[str], max_leaves: int) -> st.SearchStrategy[str]:
    """Policy texts, OutOf in OutOf."""
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, min_size=1, max_size=4).flatmap(
            lambda parts: st.integers(1, len(parts)).map(
                lambda n: f"OutOf({n}, {', '.join(parts)})"
            )
        ),
        max_leaves=max_leaves,
    ).filter(lambda text: not text.startswith("'"))


@given(policies_over(LEAVES, 12))
def test_peers_of_a_layout_satisfy_the_policy(text):
    policy = parse_policy(text)
    registry = consortium().registry()
    for layout in listed_layouts(policy):
        peers = [registry.identity(peer_of(*one).serialized) for one in sorted(layout)]
        assert is_satisfied(policy, peers)


@cache
def peer_of(mspid: str, which: int) -> SigningIdentity:
    """One of a member's peers."""
    authority = consortium().member(mspid).authority
    pair = authority.issue_node(f"peer{which}", now=consortium().created)
    return authority.signing_identity(pair)


def layouts(text: str) -> list[dict[str, int]]:
    """How many peers of each member."""
    return [peers_by_member(one) for one in listed_layouts(parse_policy(text))]


def test_layouts_of_three_of_four():
    everyone = set(MSPIDS)
    assert sorted(map(sorted, layouts(THREE_OF_FOUR))) == sorted(
        sorted(everyone - {missing}) for missing in MSPIDS
    )


def test_layouts_are_minimal_and_smallest_first():
    text = f"OR(AND('{COOPERATIVE}.peer', '{UTILITY}.peer'), '{GRID_OPERATOR}.member')"
    assert layouts(text) == [{GRID_OPERATOR: 1}, {COOPERATIVE: 1, UTILITY: 1}]
    redundant = f"OR('{UTILITY}.peer', AND('{UTILITY}.peer', '{MUNICIPALITY}.peer'))"
    assert layouts(redundant) == [{UTILITY: 1}]


def test_a_policy_may_ask_for_several_peers_of_a_member():
    assert layouts("AND('A.peer', 'A.peer')") == [{"A": 2}]
    assert layouts("OutOf(2, 'A.peer', 'A.member', 'B.peer')") == [{"A": 2}, {"A": 1, "B": 1}]
    assert layouts("AND('A.peer', OR('A.member', 'B.peer'))") == [{"A": 2}, {"A": 1, "B": 1}]


def test_ways_no_peer_can_serve_are_left_out():
    assert layouts("OR('A.admin', 'A.client')") == []
    assert layouts("AND('A.peer', OR('A.admin', 'B.peer'))") == [{"A": 1, "B": 1}]


def test_a_layout_that_greedy_evaluation_would_refuse_is_not_offered():
    text = "AND(OR('CoopMSP.peer', 'MunicipalityMSP.peer'), 'CoopMSP.peer')"
    one_of_each = {"CoopMSP": 1, "MunicipalityMSP": 1}
    assert not holds(parse_policy(text), one_of_each)  # the OR takes both signers
    assert layouts(text) == [{"CoopMSP": 2}]


def test_equal_ways_are_listed_once():
    assert layouts("OutOf(50, " + ", ".join(["'A.peer'"] * 100) + ")") == [{"A": 50}]


# -- searching ------------------------------------------------------------------------------------

SIX = ("A", "B", "C", "D", "E", "F")
HUNDRED = tuple(f"M{number:02}" for number in range(100))


class PeerOf:
    """An identity of a member's peer, as far as the evaluation looks at it."""

    def __init__(self, mspid: str, which: int) -> None:
        self.mspid = mspid
        self.public_key_der = str(which).encode()

    def satisfies(self, principal: Principal) -> bool:
        return principal.mspid == self.mspid and principal.role in (Role.MEMBER, Role.PEER)


def holds(policy: SignaturePolicy, peers: Mapping[str, int]) -> bool:
    """By the validator's own evaluation."""
    return is_satisfied(policy, [PeerOf(*one) for one in sorted(layout_of(peers))])


def every_set(available: Mapping[str, int]) -> list[dict[str, int]]:
    ranges = [range(most + 1) for most in available.values()]
    return [dict(zip(available, counts, strict=True)) for counts in product(*ranges)]


def is_within(peers: Mapping[str, int], available: Mapping[str, int]) -> bool:
    return all(quantity <= available.get(mspid, 0) for mspid, quantity in peers.items())


PEERS_OF_SIX = st.dictionaries(st.sampled_from(SIX), st.integers(0, 2), max_size=6)
TEXTS_OF_SIX = policies_over(
    st.builds("'{}.{}'".format, st.sampled_from(SIX), st.sampled_from(["peer", "admin"])), 10
)


@given(TEXTS_OF_SIX, PEERS_OF_SIX, PEERS_OF_SIX)
def test_a_set_is_found_where_brute_force_finds_one(text, available, endorsed):
    policy = parse_policy(text)
    have = {m: min(n, available.get(m, 0)) for m, n in endorsed.items()}
    found = satisfying_set(policy, available, have)
    exists = any(holds(policy, peers) for peers in every_set(available))
    assert (found is not None) == exists
    if found is not None:
        assert is_within(found, available)
        assert holds(policy, found)


@given(TEXTS_OF_SIX, TEXTS_OF_SIX, PEERS_OF_SIX)
def test_one_set_serves_two_policies(first, second, available):
    both = [parse_policy(first), parse_policy(second)]
    found = satisfying_set(Groups(2, tuple(both)), available, {})
    sets = (s for s in every_set(available) if all(holds(policy, s) for policy in both))
    assert (found is not None) == any(True for _ in sets)
    if found is not None:
        assert is_within(found, available)
        assert all(holds(policy, found) for policy in both)


@given(TEXTS_OF_SIX, TEXTS_OF_SIX)
def test_layouts_of_two_policies_satisfy_both(first, second):
    both = [parse_policy(first), parse_policy(second)]
    for layout in layouts_of_all(Groups(2, tuple(both)), [listed_layouts(both[0])]):
        assert all(holds(policy, peers_by_member(layout)) for policy in both)


@given(st.lists(st.booleans(), min_size=6, max_size=6), st.integers(1, 6))
def test_no_more_are_asked_than_needed_and_the_preferred_ones(up, needed):
    leaves = ", ".join(f"'{mspid}.peer'" for mspid in SIX)
    policy = parse_policy(f"OutOf({needed}, {leaves})")
    in_reach = [mspid for mspid, is_up in zip(SIX, up, strict=True) if is_up]
    assume(len(in_reach) >= needed)
    preferred = in_reach[::-1]
    found = satisfying_set(policy, dict.fromkeys(preferred, 1), {})
    assert found == dict.fromkeys(preferred[:needed], 1)


def test_those_that_endorsed_are_used_first():
    policy = parse_policy(majority_of_peers(SIX))
    found = satisfying_set(policy, dict.fromkeys(SIX, 1), {"E": 1, "F": 1})
    assert found == dict.fromkeys("ABEF", 1)


@pytest.mark.parametrize("as_groups", [False, True])
def test_a_majority_of_a_hundred_does_without_any_one_of_them(as_groups):
    """Nobody is indispensable although not every set can be listed."""
    requirement = parse_policy(majority_of_peers(HUNDRED))
    if as_groups:
        parts = tuple(parse_policy(f"OR('{mspid}.peer')") for mspid in HUNDRED)
        requirement = Groups(51, parts)
    assert listed_layouts(requirement) == []
    for down in HUNDRED:
        in_reach = [mspid for mspid in HUNDRED if mspid != down]
        found = satisfying_set(requirement, dict.fromkeys(in_reach, 1), {})
        assert found == dict.fromkeys(in_reach[:51], 1)
    assert satisfying_set(requirement, dict.fromkeys(HUNDRED[:50], 1), {}) is None


def test_superfluous_signers_are_offered_where_greedy_evaluation_wants_them():
    """The OR takes one of each, so nothing smaller passes."""
    policy = parse_policy("AND(OR('A.peer', 'B.peer'), 'A.peer', 'B.peer')")
    assert listed_layouts(policy) == []
    assert satisfying_set(policy, {"A": 2, "B": 2}, {}) == {"A": 2, "B": 2}
    assert satisfying_set(policy, {"A": 2, "B": 1}, {}) is None


def bomb(unmeetable: int, peers: int, needed: int) -> SignaturePolicy:
    """Leaves no peer meets first, so that most combinations come to nothing."""
    rules = (SignedBy(0),) * unmeetable + (SignedBy(1),) * peers
    return SignaturePolicy(
        NOutOf(needed, rules), (Principal("A", Role.ADMIN), Principal("A", Role.PEER))
    )


def test_rules_no_peer_meets_cost_nothing():
    """These would be 10^14 combinations."""
    assert listed_layouts(bomb(1, 49, 25)) == [layout_of({"A": 25})]
    assert satisfying_set(bomb(1, 49, 25), {"A": 49}, {}) == {"A": 25}
    assert listed_layouts(bomb(25, 24, 25)) == []
    assert satisfying_set(bomb(25, 24, 25), {"A": 49}, {}) is None
    members = tuple(parse_policy(f"OR('{mspid}.peer')") for mspid in HUNDRED[1:])
    majority = Groups(51, (bomb(3, 0, 1), *members))
    found = satisfying_set(majority, dict.fromkeys(HUNDRED, 1), {})
    assert found == dict.fromkeys(HUNDRED[1:52], 1)


def nested(depth: int, width: int) -> str:
    if depth == 0:
        return f"'{HUNDRED[width]}.peer'"
    parts = ", ".join(nested(depth - 1, (width * 7 + i * 13) % 100) for i in range(3))
    return f"OutOf(2, {parts})"


def test_rules_in_rules_are_searched():
    policy = parse_policy(nested(4, 1))
    needs = peer_needs(policy)
    found = satisfying_set(policy, needs, {})
    assert found is not None
    assert holds(policy, found)
    assert Counter(found) <= needs


def test_a_search_that_takes_too_many_steps_finds_nothing():
    """Pairs of peers from organizations with one each: every one of 2^40 sets fails."""
    pairs = ", ".join(f"'{mspid}.peer', '{mspid}.peer'" for mspid in HUNDRED[:40])
    policy = parse_policy(f"OutOf(41, {pairs})")
    assert satisfying_set(policy, dict.fromkeys(HUNDRED[:40], 1), {}) is None
    assert satisfying_set(policy, dict.fromkeys(HUNDRED[:40], 2), {}) is not None


def test_more_leaves_than_steps_are_not_counted():
    """A transaction may write very many keys, each with a large policy of its own."""
    leaves = tuple(SignedBy(0) for _ in range(1_000))
    policy = SignaturePolicy(NOutOf(1, leaves), (Principal("A", Role.PEER),))
    counted = Groups(90, (policy,) * 90)
    assert peer_needs(counted) == {"A": 1_000}
    with pytest.raises(StepsExceeded):
        peer_needs(Groups(101, (policy,) * 101))
    assert satisfying_set(Groups(101, (policy,) * 101), {"A": 1}, {}) is None
