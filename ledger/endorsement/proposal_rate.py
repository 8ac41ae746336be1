"""How often one identity may have proposals simulated; counted once its signature was checked."""

from collections import OrderedDict
from dataclasses import dataclass

from ledger.errors import InvalidMessage, Reason

IDENTITIES_TRACKED_MAX = 20_000
MILLISECONDS = 1_000


@dataclass(frozen=True, slots=True)
class ProposalRateLimit:
    """A bucket per identity: so many at once, refilled at so many a second."""

    per_second: int = 50
    burst: int = 1_500
    """Half a minute's worth: whoever opens a day's listings at once is not a flood."""


class ProposalRate:
    """Buckets of the identities that asked lately; the one that rested longest is forgotten."""

    def __init__(self, limit: ProposalRateLimit | None = None) -> None:
        self._limit = limit or ProposalRateLimit()
        # (thousandths of a proposal left, when that was)
        self._buckets: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    def take(self, identity: bytes, now_ms: int) -> None:
        """One proposal more; raises InvalidMessage OVERLOADED when the bucket is empty."""
        full = self._limit.burst * MILLISECONDS
        left, since_ms = self._buckets.pop(identity, (full, now_ms))
        left = min(full, left + max(0, now_ms - since_ms) * self._limit.per_second)
        is_allowed = left >= MILLISECONDS
        self._buckets[identity] = (left - MILLISECONDS if is_allowed else left, now_ms)
        if len(self._buckets) > IDENTITIES_TRACKED_MAX:
            self._buckets.popitem(last=False)
        if not is_allowed:
            raise InvalidMessage(
                Reason.OVERLOADED,
                f"more than {self._limit.per_second} proposals a second of one identity",
            )
