"""How long validators rest after a block, so that the next one holds more.

A block costs every validator as much as several transactions do. So where blocks hold many, the
next one waits for as long as blocks take, or some times that. Where few transactions come there
is no rest, so none of them waits for others.
"""

REST_MS_MAX = 120
"""The longest rest after a block."""
BLOCK_TIMES_MAX = 3
"""A rest is at most so many times as long as blocks take."""
LOAD_PER_BLOCK_TIME = 6
"""Each so many transactions of load make a rest longer by the time a block takes."""


class BlockRest:
    """Belongs to the consensus thread; times are milliseconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._began_at_ms: int | None = None
        self._took_ms = 0
        """What a block takes, from our first statement about it; older blocks count half each."""
        self._load = 0
        """Transactions of the last blocks; older blocks count half each."""
        self._ends_at_ms = 0

    def working(self, steady_ms: int) -> None:
        """This validator signs a statement at the present height; the first one counts."""
        if self._began_at_ms is None:
            self._began_at_ms = steady_ms

    def begin(self, steady_ms: int, *, transactions: int) -> None:
        """The height is decided, by a block with so many transactions."""
        took_ms = 0 if self._began_at_ms is None else steady_ms - self._began_at_ms
        self._began_at_ms = None
        self._took_ms = (self._took_ms + took_ms) // 2
        self._load = transactions + self._load // 2
        block_times = min(self._load // LOAD_PER_BLOCK_TIME, BLOCK_TIMES_MAX)
        self._ends_at_ms = steady_ms + min(block_times * self._took_ms, REST_MS_MAX)

    def left_ms(self, steady_ms: int) -> int:
        """How much of the rest is left."""
        return max(0, self._ends_at_ms - steady_ms)
