"""Free space on the disk of the ledger: what stops before a write can fail.

First new transactions are refused, so that nothing makes the ledger grow. Further down the
validator stops voting: a vote needs room in the journal. Blocks that the others decide are still
taken in; should even that fail, the process ends and starts again safely when there is room.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import InvalidMessage, NodeFault, Reason
from ledger.node.process.notice_file import put_notice

log = logging.getLogger(__name__)

CHECK_INTERVAL_MS = 1_000
TRANSACTIONS_SHARE_PERCENT = 5
TRANSACTIONS_BYTES = 1024 * 1024 * 1024
VOTES_SHARE_PERCENT = 1
VOTES_BYTES = 256 * 1024 * 1024
# Space that returns must be this much above a limit, so that nothing flaps around it.
MARGIN_PERCENT = 10

NOTICE_FILE = "disk-short.txt"
"""In the data folder while votes are paused; `gridledger network status` reads it."""


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of a file system."""

    free: int
    """For this user."""
    total: int


@dataclass(frozen=True, slots=True)
class SpaceLimits:
    """Free bytes below which something stops; None: the smaller of a share and a size."""

    transactions_bytes: int | None = None
    """Default: 5 % of the disk or 1 GiB."""
    votes_bytes: int | None = None
    """Default: 1 % of the disk or 256 MiB."""

    def transactions(self, total: int) -> int:
        """Below this no new transaction is taken."""
        if self.transactions_bytes is not None:
            return self.transactions_bytes
        return min(total * TRANSACTIONS_SHARE_PERCENT // 100, TRANSACTIONS_BYTES)

    def votes(self, total: int) -> int:
        """Below this no vote is made."""
        if self.votes_bytes is not None:
            return self.votes_bytes
        return min(total * VOTES_SHARE_PERCENT // 100, VOTES_BYTES)


def space_of(folder: Path) -> Space:
    """The space of the file system a folder is on; NodeFault when it cannot be told."""
    try:
        stat = os.statvfs(folder)
    except OSError as error:
        raise NodeFault(f"cannot tell the free space of {folder}: {error}") from error
    return Space(stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize)


class DiskWatch:
    """Looks once a second; refuses transactions and pauses votes while space is short."""

    def __init__(
        self,
        space: Callable[[], Space],
        limits: SpaceLimits,
        pause_voting: Callable[[bool], None],
    ) -> None:
        """`pause_voting(True)` is called when votes must stop, `(False)` when they may go on."""
        self._space = space
        self._limits = limits
        self._pause_voting = pause_voting
        self._refuses = False
        self._paused = False
        self.check()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_MS / 1000)
            self.check()

    def check(self) -> None:
        """Look now."""
        space = self._space()
        refuses = _is_short(
            space.free, self._limits.transactions(space.total), was_short=self._refuses
        )
        paused = _is_short(space.free, self._limits.votes(space.total), was_short=self._paused)
        if refuses != self._refuses:
            self._refuses = refuses
            _tell(f"takes {'no new transactions' if refuses else 'transactions again'}", space)
        if paused != self._paused:
            self._paused = paused
            _tell("does not vote" if paused else "votes again", space)
            self._pause_voting(paused)

    @property
    def is_voting_paused(self) -> bool:
        """Whether votes are paused now."""
        return self._paused

    def require_space(self) -> None:
        """Raise InvalidMessage NO_SPACE while new transactions are refused."""
        if self._refuses:
            raise InvalidMessage(
                Reason.NO_SPACE, "the disk of this peer is nearly full; try another peer"
            )


class DiskNotice:
    """The pause in a file, for who asks on this machine."""

    def __init__(self, folder: Path) -> None:
        """What an earlier run left goes; the watch looks at the disk anew."""
        self._path = folder / NOTICE_FILE
        self.tell(paused=False)

    def tell(self, *, paused: bool) -> None:
        """What is the case now. A disk too full for this line is no fault: the log says it."""
        try:
            put_notice(self._path, "not voting: disk short" if paused else "")
        except OSError as error:
            log.warning("cannot write %s: %s", self._path, error)


def _is_short(free: int, limit: int, *, was_short: bool) -> bool:
    return free < (limit + limit * MARGIN_PERCENT // 100 if was_short else limit)


def _tell(what: str, space: Space) -> None:
    log.warning("this peer %s: %d of %d bytes are free", what, space.free, space.total)
