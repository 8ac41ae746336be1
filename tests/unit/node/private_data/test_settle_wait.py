"""Waiting for private values: bounded however many blocks lack some."""

import pytest

from ledger.node.private_data.settle_wait import SettleWait


class FakeTimer:
    def __init__(self, due_s, callback):
        self.due_s = due_s
        self.callback = callback
        self.is_cancelled = False

    def cancel(self):
        self.is_cancelled = True


class FakeTimers:
    """A clock that stands still until it is told."""

    def __init__(self):
        self.now_s = 100.0
        self.timers = []

    def time(self):
        return self.now_s

    def call_later(self, delay, callback, /):
        self.timers.append(FakeTimer(self.now_s + delay, callback))
        return self.timers[-1]

    def advance(self, seconds):
        end_s = self.now_s + seconds
        for timer in [one for one in self.timers if one.due_s <= end_s]:
            self.timers.remove(timer)
            self.now_s = max(self.now_s, timer.due_s)
            if not timer.is_cancelled:
                timer.callback()
        self.now_s = end_s


@pytest.fixture
def timers():
    return FakeTimers()


@pytest.fixture
def wait(timers):
    return SettleWait(lambda: timers)


def test_a_wait_ends_with_the_values_or_after_its_time(wait, timers):
    assert wait.is_over
    wait.begin()
    timers.advance(0.5)
    assert not wait.is_over
    wait.end()
    assert wait.is_over
    timers.advance(60)
    wait.begin()
    timers.advance(1.9)
    assert not wait.is_over
    timers.advance(0.1)
    assert wait.is_over


def test_more_blocks_do_not_make_it_longer(wait, timers):
    for _ in range(4):
        wait.begin()
        timers.advance(0.5)
    assert wait.is_over


def test_an_old_timer_does_not_end_a_later_wait(wait, timers):
    wait.begin()
    timers.advance(0.1)
    wait.end()
    timers.advance(1.0)
    wait.begin()
    timers.advance(1.0)  # the first would have ended by now
    assert not wait.is_over


def test_withheld_values_cost_no_more_than_a_fifth_of_the_time(wait, timers):
    waited_s = 0.0
    for _ in range(1_000):  # a block every 100 ms, each lacking something
        wait.begin()
        before_s = timers.now_s
        due_s = timers.timers[-1].due_s
        timers.advance(0.1)
        waited_s += min(timers.now_s, due_s) - before_s
    assert 10 < waited_s <= 2 + 100 / 5


def test_what_comes_quickly_is_waited_for_in_every_block(wait, timers):
    for _ in range(100):
        wait.begin()
        timers.advance(0.02)
        assert not wait.is_over
        wait.end()
        timers.advance(0.98)
