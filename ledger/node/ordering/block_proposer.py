"""When this validator builds a block: transactions wait, the interval and the rest are over."""

from collections.abc import Callable

from ledger.consensus.effects import RequestBlock
from ledger.consensus.events import BlockBuilt, Tip
from ledger.model.transaction import Envelope
from ledger.node.ordering.block_rest import BlockRest
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
        config_holds: Callable[[Envelope], bool] = lambda _: True,
    ) -> None:
        """Limits and interval are asked for when needed: a configuration changes them.

        `config_holds` says whether a CONFIG envelope would take effect now, and otherwise takes it
        out of the pool.
        """
        self._config_holds = config_holds
        self._consenter_id = consenter_id
        self._pool = pool
        self._limits = limits
        self._block_interval_ms = block_interval_ms
        self._request: RequestBlock | None = None
        self._decided_at_ms = 0
        self._rest = BlockRest()

    def asked(self, request: RequestBlock) -> None:
        """A newer request replaces an older one."""
        self._request = request

    def working(self, steady_ms: int) -> None:
        """This validator signs a statement at the present height (steady clock)."""
        self._rest.working(steady_ms)

    def decided(self, steady_ms: int, *, transactions: int) -> None:
        """The height is decided; interval and rest until the next block begin (steady clock)."""
        self._rest.begin(steady_ms, transactions=transactions)
        self._request = None
        self._decided_at_ms = steady_ms

    @property
    def can_build(self) -> bool:
        """Whether a block was asked for and something waits to be in it."""
        return self._request is not None and len(self._pool) > 0

    def interval_left_ms(self, tip: Tip, *, now_ms: int, steady_ms: int) -> int:
        """How long until the block after `tip` may be built, whoever builds it.

        By the tip's time and the wall clock, but not longer than the interval by the steady one:
        a tip ahead of our clock makes nobody wait until the clock has caught up. Nobody rests
        while a full block waits.
        """
        if not tip.height:
            return 0
        interval_ms = self._block_interval_ms()
        by_wall_ms = tip.block_time_ms + interval_ms - now_ms
        by_steady_ms = self._decided_at_ms + interval_ms - steady_ms
        is_full = len(self._pool) >= self._limits().transactions_max
        rest_ms = 0 if is_full else self._rest.left_ms(steady_ms)
        return max(rest_ms, min(by_wall_ms, by_steady_ms))

    def build(
        self, tip: Tip, *, last_config: int, now_ms: int, steady_ms: int
    ) -> BlockBuilt | None:
        """The block asked for, if its time has come."""
        request = self._request
        if request is None or self.interval_left_ms(tip, now_ms=now_ms, steady_ms=steady_ms):
            return None
        self._request = None
        if request.height != tip.height + 1:
            return None
        entries = tuple(envelope.raw for envelope in self._next_batch())
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

    def _next_batch(self) -> tuple[Envelope, ...]:
        while True:
            batch = self._pool.oldest(self._limits())
            if not batch or not batch[0].is_config or self._config_holds(batch[0]):
                return batch
