"""The core's timers as deadlines of the consensus thread."""

from ledger.consensus.events import TimerExpired, TimerKind


class Timers:
    """At most one timer of each kind; each carries the height and round it was set for.

    Times are milliseconds of any clock that never goes back.
    """

    def __init__(self) -> None:
        # Kind to (when it expires, height, round).
        self._deadlines: dict[TimerKind, tuple[int, int, int]] = {}
        self._next_at_ms: int | None = None
        """Asked for after every step, so it is worked out only when a timer changes."""

    def set(self, kind: TimerKind, height: int, round_: int, at_ms: int) -> None:
        """Start a timer, replacing the running one of its kind."""
        self._deadlines[kind] = (at_ms, height, round_)
        self._next_at_ms = min(self._deadlines.values())[0]

    def cancel(self, kind: TimerKind) -> None:
        """Stop the timer of this kind, if one runs."""
        if self._deadlines.pop(kind, None) is not None:
            self._next_at_ms = min(self._deadlines.values())[0] if self._deadlines else None

    def next_at_ms(self) -> int | None:
        """When the next timer expires; None when none runs."""
        return self._next_at_ms

    def take_expired(self, now_ms: int) -> list[TimerExpired]:
        """Timers that expired by now; each is given once."""
        if self._next_at_ms is None or now_ms < self._next_at_ms:
            return []
        due = [kind for kind, deadline in self._deadlines.items() if deadline[0] <= now_ms]
        expired = []
        for kind in due:
            _, height, round_ = self._deadlines[kind]
            self.cancel(kind)
            expired.append(TimerExpired(kind, height, round_))
        return expired
