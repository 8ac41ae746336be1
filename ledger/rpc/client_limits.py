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
from ledger.rpc.status import TOO_MANY_REQUESTS

GATEWAY, ENDORSER, DELIVER = "/gateway.Gateway", "/protos.Endorser", "/protos.Deliver"
"""The services as refusals name them; Fabric's limits are 500, 2,500 and 2,500 calls at once."""
CALL_BYTES_MAX = 2 * 1024 * 1024 + 64 * 1024
"""A request to endorse, evaluate or submit: arguments and result of the largest transaction."""
LARGE_PROPOSALS_MAX = 4
"""Proposals larger than CALL_BYTES_MAX (packages to install) that a peer works on at once."""
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

    calls_max: int = 500
    """Endorse, Evaluate and Submit calls and broadcast envelopes."""
    proposals_max: int = 2_500
    """ProcessProposal calls."""
    status_waits_max: int = 10_000
    status_waits_per_identity_max: int = 1_000
    event_streams_max: int = 500
    """Open streams of chaincode events."""
    block_streams_max: int = 2_500
    streams_per_identity_max: int = 50
    """Of each of the two kinds."""
    opening_streams_max: int = 1_000
    """Streams that have not said what they want."""


class TooManyRequests(InvalidMessage):
    """OVERLOADED, in the words that clients of Fabric know."""

    def __init__(self, service: str, limit: int) -> None:
        super().__init__(Reason.OVERLOADED, TOO_MANY_REQUESTS.format(service, limit))

    def __str__(self) -> str:
        """Fabric's words first."""
        return f"{self.detail}; {self.reason}: try again later"


class Slots:
    """Places at one service for one kind of work; everybody has the same share of them."""

    def __init__(
        self, service: str, what: str = "calls", *, total: int, each: int | None = None
    ) -> None:
        """`each` is the share of one identity."""
        self._service = service
        self._what = what
        self._total = total
        self._each = total if each is None else each
        self._taken: Counter[bytes] = Counter()
        self.taken = 0
        """How many are in use."""

    @contextmanager
    def place(self, owner: bytes = b"") -> Iterator[None]:
        """A place for as long as the block runs; raises InvalidMessage OVERLOADED."""
        if self.taken >= self._total:
            raise TooManyRequests(self._service, self._total)
        if self._taken[owner] >= self._each:
            raise InvalidMessage(
                Reason.OVERLOADED, f"one identity has at most {self._each} {self._what} at once"
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
