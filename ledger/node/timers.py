"""The core's timers as deadlines of the consensus thread."""

from collections.abc import Iterator
from dataclasses import dataclass

from ledger.consensus.events import TimerExpired, TimerKind


@dataclass(frozen=True, slots=True)
class _Deadline:
    at_ms: int
    expired: TimerExpired


class Timers:
    """At most one timer of each kind; each carries the height and round it was set for.

    Times are milliseconds of any clock that never goes back.
    """

    def __init__(self) -> None:
        self._deadlines: dict[TimerKind, _Deadline] = {}

    def set(self, kind: TimerKind, height: int, round_: int, at_ms: int) -> None:
        """Start a timer, replacing the running one of its kind."""
        self._deadlines[kind] = _Deadline(at_ms, TimerExpired(kind, height, round_))

    def cancel(self, kind: TimerKind) -> None:
        """Stop the timer of this kind, if one runs."""
        self._deadlines.pop(kind, None)

    def next_at_ms(self) -> int | None:
        """When the next timer expires; None when none runs."""
        return min((deadline.at_ms for deadline in self._deadlines.values()), default=None)

    def take_expired(self, now_ms: int) -> Iterator[TimerExpired]:
        """Timers that expired by now; each is given once."""
        due = [kind for kind, deadline in self._deadlines.items() if deadline.at_ms <= now_ms]
        for kind in due:
            yield self._deadlines.pop(kind).expired
