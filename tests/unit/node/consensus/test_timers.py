"""Deadlines: one of each kind, each given once."""

from ledger.consensus.events import TimerExpired, TimerKind
from ledger.node.consensus.timers import Timers

ROUND, REPEAT = TimerKind.ROUND, TimerKind.REBROADCAST


def test_a_timer_is_given_once_at_its_time() -> None:
    timers = Timers()
    timers.set(ROUND, 5, 1, 100)
    assert timers.next_at_ms() == 100
    assert list(timers.take_expired(99)) == []
    assert list(timers.take_expired(100)) == [TimerExpired(ROUND, 5, 1)]
    assert list(timers.take_expired(100)) == []
    assert timers.next_at_ms() is None


def test_a_new_timer_replaces_the_old_one_of_its_kind() -> None:
    timers = Timers()
    timers.set(ROUND, 5, 0, 50)
    timers.set(REPEAT, 5, 0, 70)
    timers.set(ROUND, 5, 1, 100)
    assert timers.next_at_ms() == 70
    assert list(timers.take_expired(200)) == [
        TimerExpired(ROUND, 5, 1),
        TimerExpired(REPEAT, 5, 0),
    ]


def test_a_cancelled_timer_never_comes() -> None:
    timers = Timers()
    timers.set(ROUND, 5, 0, 50)
    timers.cancel(ROUND)
    timers.cancel(ROUND)
    assert list(timers.take_expired(1_000)) == []
