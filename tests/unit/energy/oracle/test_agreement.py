"""When oracles agree: a liar changes nothing, the order of answers neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.energy.oracle.agreement import agreed_value, problem_with_panel

values = st.integers(min_value=0, max_value=10**9)


def panels() -> st.SearchStrategy[tuple[int, int]]:
    """(n, k) of panels that may decide."""
    return st.integers(min_value=3, max_value=21).flatmap(
        lambda n: st.tuples(st.just(n), st.integers(min_value=n // 2 + 1, max_value=n - 1))
    )


@given(panel=panels(), honest=values, lies=st.data())
def test_fewer_liars_than_the_quorum_never_change_an_exact_value(
    panel: tuple[int, int], honest: int, lies: st.DataObject
) -> None:
    members, quorum = panel
    liars = lies.draw(st.lists(values, max_size=members - quorum))
    answers = [honest] * (members - len(liars)) + liars
    order = lies.draw(st.permutations(answers))
    assert agreed_value(order, quorum=quorum, tolerance=0) == honest


@given(panel=panels(), honest=values, tolerance=st.integers(0, 1000), draw=st.data())
def test_with_a_tolerance_the_value_stays_near_an_honest_answer(
    panel: tuple[int, int], honest: int, tolerance: int, draw: st.DataObject
) -> None:
    members, quorum = panel
    liars = draw.draw(st.lists(values, max_size=members - quorum))
    count = members - len(liars)
    spread = draw.draw(st.lists(st.integers(0, tolerance), min_size=count, max_size=count))
    truth = [honest + part for part in spread]
    value = agreed_value(truth + liars, quorum=quorum, tolerance=tolerance)
    assert value is not None
    assert min(abs(value - answer) for answer in truth) <= tolerance


@given(answers=st.lists(values, max_size=21), draw=st.data())
def test_the_order_of_the_answers_does_not_matter(answers: list[int], draw: st.DataObject) -> None:
    quorum = draw.draw(st.integers(1, 21))
    tolerance = draw.draw(st.integers(0, 10**9))
    first = agreed_value(answers, quorum=quorum, tolerance=tolerance)
    assert first is None or first in answers
    again = agreed_value(draw.draw(st.permutations(answers)), quorum=quorum, tolerance=tolerance)
    assert first == again


def test_too_few_answers_and_answers_too_far_apart_decide_nothing() -> None:
    assert agreed_value([], quorum=1, tolerance=0) is None
    assert agreed_value([5], quorum=2, tolerance=10) is None
    assert agreed_value([5, 7], quorum=2, tolerance=1) is None
    assert agreed_value([5, 7], quorum=2, tolerance=2) == 5
    assert agreed_value([5, 6, 7], quorum=2, tolerance=2) == 6


@pytest.mark.parametrize(
    ("members", "quorum", "is_development", "allowed"),
    [
        (3, 2, False, True),
        (5, 3, False, True),
        (1, 1, False, False),
        (1, 1, True, True),
        (2, 2, False, False),
        (3, 1, False, False),
        (3, 3, False, False),
        (4, 2, False, False),
        (3, 0, True, False),
        (3, 4, True, False),
        (22, 12, False, False),
    ],
)
def test_which_panels_may_decide(
    members: int, quorum: int, is_development: bool, allowed: bool
) -> None:
    problem = problem_with_panel(members, quorum, is_development=is_development)
    assert (problem is None) is allowed
