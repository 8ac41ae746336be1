"""How much clients may have under way at one peer, and what counts when they ask for more.

Only what a signature was checked for is counted for an identity, so that nobody can use up the
share of another by using its name.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ledger.errors import InvalidMessage, Reason

CALL_BYTES_MAX = 2 * 1024 * 1024 + 64 * 1024
"""A request to endorse, evaluate or submit: arguments and result of the largest transaction."""
QUESTION_BYTES_MAX = 64 * 1024
"""A request for a commit status, for events or for blocks."""
STATUS_TIMEOUT_MS = 10 * 60 * 1000
"""How long one call may wait for a transaction to be committed."""
STREAM_SILENCE_MS = 60_000
"""How long a client may take to say what it wants from a stream it opened."""
STREAM_WRITE_TIMEOUT_MS = 60_000
"""How long a client may take to make room for the next message."""

LOGGED_REFUSALS_MAX = 20
LOGGED_REFUSALS_EACH = 1_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What all clients together, and each identity, may have under way."""

    calls_max: int = 250
    """Endorse, Evaluate and Submit calls and broadcast envelopes."""
    status_waits_max: int = 10_000
    status_waits_per_identity_max: int = 1_000
    streams_max: int = 500
    """Open block and event streams."""
    streams_per_identity_max: int = 5
    opening_streams_max: int = 1_000
    """Streams that have not said what they want."""


class Slots:
    """Places of one kind; everybody has the same share of them."""

    def __init__(self, what: str, *, total: int, each: int | None = None) -> None:
        self._what = what
        self._total = total
        self._each = total if each is None else each
        self._taken: Counter[bytes] = Counter()
        self.taken = 0
        """How many are in use."""

    @contextmanager
    def place(self, owner: bytes = b"") -> Iterator[None]:
        """A place for as long as the block runs; raises InvalidMessage OVERLOADED."""
        if self._taken[owner] >= self._each:
            raise InvalidMessage(
                Reason.OVERLOADED, f"one identity has at most {self._each} {self._what} at once"
            )
        if self.taken >= self._total:
            raise InvalidMessage(
                Reason.OVERLOADED, f"this peer serves at most {self._total} {self._what} at once"
            )
        self._taken[owner] += 1
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
            self._taken[owner] -= 1
            if not self._taken[owner]:
                del self._taken[owner]


def stream_places(limits: ClientLimits) -> Slots:
    """Places for the open streams of all services of a peer."""
    return Slots("streams", total=limits.streams_max, each=limits.streams_per_identity_max)


class RefusalCounter:
    """Counts what clients were refused by call and reason; the first ones are logged."""

    def __init__(self, counters: Counter[str] | None = None) -> None:
        self._counters: Counter[str] = Counter() if counters is None else counters

    def __getitem__(self, name: str) -> int:
        return self._counters[name]

    def note(self, call: str, reason: str, detail: str) -> None:
        """One refusal more of this kind."""
        name = f"refused.{call}.{reason}"
        self._counters[name] += 1
        count = self._counters[name]
        if count <= LOGGED_REFUSALS_MAX or count % LOGGED_REFUSALS_EACH == 0:
            log.info("refused %s number %d: %s: %s", call, count, reason, detail)


def require_size(raw: bytes, limit_bytes: int) -> None:
    """Raise InvalidMessage OVERSIZED for a request that is not worth parsing."""
    if len(raw) > limit_bytes:
        raise InvalidMessage(
            Reason.OVERSIZED, f"a request of {len(raw)} bytes, at most {limit_bytes}"
        )
