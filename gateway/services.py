"""Everything the routes use, put together once by the composition root."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.community import Community
from gateway.market import Market
from gateway.mqtt.ingest import ReadingStore
from gateway.projection import Projection
from gateway.sessions import Sessions
from gateway.transactions import BlockSignal, Transactions


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases of one gateway process."""

    projection: Projection
    blocks: BlockSignal
    transactions: Transactions
    market: Market
    community: Community
    sessions: Sessions
    readings: ReadingStore
    clock_ms: Callable[[], int]
    community_name: str
    energy_hour_ms: int
    """Real milliseconds per market hour: 3,600,000 unless the clock is accelerated."""
    utc_offset_minutes: int
    """The community's local time, for display only."""
