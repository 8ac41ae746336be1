"""When this validator builds a block: transactions wait and the interval is over."""

from collections.abc import Callable

from ledger.consensus.effects import RequestBlock
from ledger.consensus.events import BlockBuilt, Tip
from ledger.ordering.block_building import build_block
from ledger.ordering.pool import BlockLimits, TransactionPool


class BlockProposer:
    """Remembers the newest request; belongs to the consensus thread."""

    def __init__(
        self,
        *,
        consenter_id: int,
        pool: TransactionPool,
        limits: Callable[[], BlockLimits],
        block_interval_ms: Callable[[], int],
    ) -> None:
        """Limits and interval are asked for when needed: a configuration changes them."""
        self._consenter_id = consenter_id
        self._pool = pool
        self._limits = limits
        self._block_interval_ms = block_interval_ms
        self._request: RequestBlock | None = None

    def asked(self, request: RequestBlock) -> None:
        """A newer request replaces an older one."""
        self._request = request

    def forget(self) -> None:
        """The height is decided."""
        self._request = None

    def due_at_ms(self, tip: Tip) -> int | None:
        """Earliest time (wall clock) of the block asked for; None when none can be built."""
        if self._request is None or not len(self._pool):
            return None
        return self.earliest_ms(tip)

    def earliest_ms(self, tip: Tip) -> int:
        """Earliest time (wall clock) of the block after `tip`, whoever builds it."""
        return tip.block_time_ms + self._block_interval_ms() if tip.height else 0

    def build(self, tip: Tip, *, last_config: int, now_ms: int) -> BlockBuilt | None:
        """The block asked for, if its time has come."""
        due_at_ms = self.due_at_ms(tip)
        request = self._request
        if request is None or due_at_ms is None or now_ms < due_at_ms:
            return None
        self._request = None
        if request.height != tip.height + 1:
            return None
        entries = tuple(envelope.raw for envelope in self._pool.oldest(self._limits()))
        if not entries:
            return None
        block = build_block(
            tip=tip,
            proposer=self._consenter_id,
            entries=entries,
            last_config=last_config,
            now_ms=now_ms,
        )
        return BlockBuilt(request.height, request.round, block)
