"""How often one identity may have proposals simulated while a peer is busy.

Counted once its signature was checked. A peer with little to do serves whoever asks: as in Fabric,
an application may send everything in one name.
"""

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
    busy_from: int = 128
    """So many proposals under way make a peer busy; with fewer nobody is refused."""


class ProposalRate:
    """Buckets of the identities that asked lately; the one that rested longest is forgotten."""

    def __init__(self, limit: ProposalRateLimit | None = None) -> None:
        self._limit = limit or ProposalRateLimit()
        # (thousandths of a proposal left, when that was)
        self._buckets: OrderedDict[bytes, tuple[int, int]] = OrderedDict()

    def take(self, identity: bytes, now_ms: int, under_way: int) -> None:
        """One proposal more; raises InvalidMessage OVERLOADED when the bucket is empty.

        `under_way` are the proposals this peer works on, of everybody.
        """
        full = self._limit.burst * MILLISECONDS
        left, since_ms = self._buckets.pop(identity, (full, now_ms))
        left = min(full, left + max(0, now_ms - since_ms) * self._limit.per_second)
        is_allowed = left >= MILLISECONDS or under_way < self._limit.busy_from
        self._buckets[identity] = (max(0, left - MILLISECONDS) if is_allowed else left, now_ms)
        if len(self._buckets) > IDENTITIES_TRACKED_MAX:
            self._buckets.popitem(last=False)
        if not is_allowed:
            raise InvalidMessage(
                Reason.OVERLOADED,
                f"more than {self._limit.per_second} proposals a second of one identity",
            )
