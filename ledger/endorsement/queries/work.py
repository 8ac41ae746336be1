"""The work of one rich query, counted step by step, so that one huge value cannot outlast it.

A step is about one JSON value looked at. The clock is read after so many of them and for each
row: what lies between two readings is bounded by the limits of a query's text and of a value.
"""

import time
from collections.abc import Callable
from typing import Any

from ledger.endorsement.queries.json_order import OrderKey, array_key, object_key, order_key
from ledger.endorsement.simulation.use import SimulationRefused

STEPS_PER_CLOCK_READING = 1_000

_Known = tuple[OrderKey, int]
"""A value's key, and of how many values it is made."""


def refused(text: str) -> SimulationRefused:
    """A query this peer does not run."""
    return SimulationRefused(f"rich query: {text}")


class QueryWork:
    """Use from one thread; raises SimulationRefused once a query has taken too long."""

    __slots__ = ("_clock_s", "_end_s", "_known", "_steps", "_time_ms")

    def __init__(self, time_ms: int, clock_s: Callable[[], float] = time.monotonic) -> None:
        """The time begins now; `clock_s` gives seconds."""
        self._time_ms = time_ms
        self._clock_s = clock_s
        self._end_s = clock_s() + time_ms / 1000
        self._steps = 0
        self._known: dict[int, tuple[Any, _Known]] = {}

    def next_document(self) -> None:
        """What was known of the last one is forgotten."""
        self._known.clear()
        self.step(STEPS_PER_CLOCK_READING)

    def step(self, steps: int = 1) -> None:
        """So much is about to be done."""
        self._steps += steps
        if self._steps < STEPS_PER_CLOCK_READING:
            return
        self._steps = 0
        if self._clock_s() > self._end_s:
            raise refused(f"it takes longer than {self._time_ms} ms")

    def key(self, value: Any) -> OrderKey:
        """`order_key`, computed once for each array and object of a document."""
        return self._look_at(value)[0]

    def key_to_hash(self, value: Any) -> OrderKey:
        """The same for a set: a tuple's hash is computed anew each time."""
        key, values = self._look_at(value)
        self.step(values)
        return key

    def key_and_size(self, value: Any) -> tuple[OrderKey, int]:
        """The key, and how many steps it takes at most to compare it with an equal one."""
        return self._look_at(value)

    def _look_at(self, value: Any) -> _Known:
        if not isinstance(value, (list, dict)):
            self.step()
            return order_key(value), 1
        if (found := self._known.get(id(value))) is not None:
            self.step()
            return found[1]
        self.step(1 + len(value))
        if isinstance(value, list):
            parts = [self._look_at(item) for item in value]
            key = array_key(key for key, _ in parts)
        else:
            names = sorted(value)
            parts = [self._look_at(value[name]) for name in names]
            key = object_key(zip(names, (key for key, _ in parts), strict=True))
        known = key, 1 + sum(values for _, values in parts)
        self._known[id(value)] = value, known  # holds the value, so that its id stays its own
        return known
