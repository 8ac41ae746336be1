"""Quorum arithmetic for every size a consortium may have."""

import pytest

from ledger.consensus.limits import MAX_TIMEOUT_MS
from ledger.consensus.quorum import max_faulty, proposer_of, quorum, weak_quorum
from ledger.consensus.timeouts import rebroadcast_interval_ms, round_timeout_ms

SIZES = range(1, 201)


def test_two_quorums_share_an_honest_validator_and_the_honest_ones_are_a_quorum():
    for n in SIZES:
        assert 2 * quorum(n) - n > max_faulty(n), n
        assert n - max_faulty(n) >= quorum(n), n
        assert weak_quorum(n) == max_faulty(n) + 1, n


def test_a_quorum_is_the_smallest_number_that_is_two_thirds():
    for n in SIZES:
        assert 3 * quorum(n) >= 2 * n > 3 * (quorum(n) - 1), n


def test_known_sizes():
    table = {n: (max_faulty(n), quorum(n), weak_quorum(n)) for n in (4, 5, 6, 7, 10, 13, 31)}
    assert table == {
        4: (1, 3, 2),
        5: (1, 4, 2),
        6: (1, 4, 2),
        7: (2, 5, 3),
        10: (3, 7, 4),
        13: (4, 9, 5),
        31: (10, 21, 11),
    }


def test_everyone_gets_a_turn_and_nobody_two_in_a_row():
    validators = (3, 5, 8, 13)
    turns = [proposer_of(validators, height, 0) for height in range(1, 9)]
    assert turns == [5, 8, 13, 3, 5, 8, 13, 3]
    assert [proposer_of(validators, 1, r) for r in range(4)] == [5, 8, 13, 3]


def test_timeouts_double_six_times_and_end_at_a_minute():
    assert [round_timeout_ms(500, r) for r in range(8)] == [
        500, 1000, 2000, 4000, 8000, 16000, 32000, 32000,
    ]  # fmt: skip
    assert round_timeout_ms(2000, 5) == MAX_TIMEOUT_MS
    assert round_timeout_ms(2000, 5, max_timeout_ms=8000) == 8000


@pytest.mark.parametrize("round_number", [10**9, 2**63])
def test_no_round_number_overflows_a_timeout(round_number):
    assert round_timeout_ms(2000, round_number) == MAX_TIMEOUT_MS
    assert rebroadcast_interval_ms(2000, round_number) == MAX_TIMEOUT_MS // 2
