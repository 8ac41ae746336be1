"""Names for every boundary between making durable and sending, to crash at in tests.

A part that persists or sends calls `fail_points.reach(FailPoint...)` at its boundary. In a node
nothing happens there; a test passes an object that kills the process or raises. So what a crash
leaves behind is tried at each of them, in the code that ships.
"""

import os
import signal
from collections.abc import Callable
from enum import StrEnum

from ledger.errors import NodeFault

CRASH_VARIABLE = "GRIDLEDGER_CRASH_AT"
"""Environment variable of a test: `point:n` kills the process the n-th time it gets there."""


class FailPoint(StrEnum):
    """Where a crash may hit, in the order in which one height passes them."""

    # Opening.
    JOURNAL_TAIL_FOUND = "journal-tail-found"
    """A torn last frame was found and is still there."""
    JOURNAL_TAIL_CUT = "journal-tail-cut"
    LEDGER_BEGUN = "ledger-begun"
    """Format and channel are written, not synced; the genesis block is not."""
    LEDGER_OPENED = "ledger-opened"
    BOOT_NOTED = "boot-noted"
    """The journal knows of this start, the ledger does not yet."""
    JOURNAL_SET_ASIDE = "journal-set-aside"
    """A damaged journal was renamed, the new one does not exist yet."""
    LEDGER_SET_ASIDE = "ledger-set-aside"
    QUARANTINE_NOTED = "quarantine-noted"

    # One frame of the journal.
    FRAME_BEFORE_WRITE = "frame-before-write"
    FRAME_WRITTEN = "frame-written"
    FRAME_SYNCED = "frame-synced"

    # A new journal file replaces a long one.
    ROTATION_BEGUN = "rotation-begun"
    ROTATION_WRITTEN = "rotation-written"
    ROTATION_SYNCED = "rotation-synced"
    ROTATION_RENAMED = "rotation-renamed"
    ROTATION_DURABLE = "rotation-durable"

    # The sign guard.
    VOTE_BEFORE_SIGN = "vote-before-sign"
    VOTE_SIGNED = "vote-signed"
    """A signature exists in memory only."""
    VOTE_NOTED = "vote-noted"

    # The driver: effects of one step.
    STEP_BEFORE_PERSIST = "step-before-persist"
    STEP_PERSISTED = "step-persisted"
    MESSAGE_BEFORE_SIGN = "message-before-sign"
    MESSAGE_SIGNED = "message-signed"
    """Durable and signed, not handed to the way out."""
    SEND_BEFORE = "send-before"
    SEND_BETWEEN = "send-between"
    """Some of several messages have left."""
    SEND_AFTER = "send-after"
    EVIDENCE_NOTED = "evidence-noted"

    # Committing.
    FETCHED_CERTIFIED = "fetched-certified"
    """A block of catch-up holds; it is not committed."""
    COMMIT_BEFORE = "commit-before"
    BATCH_BEFORE_WRITE = "batch-before-write"
    BATCH_WRITTEN = "batch-written"
    COMMIT_AFTER = "commit-after"
    """Durable, nobody knows."""
    COMMIT_ANNOUNCED = "commit-announced"
    """The rest of the node knows; the journal is still at the old height."""
    JOURNAL_RESTARTED = "journal-restarted"


class FailPoints:
    """What a node uses: nothing happens."""

    def reach(self, point: FailPoint) -> None:
        """The caller has got to `point`."""


class CrashAt(FailPoints):
    """Crashes the `nth` time (from 1) that `point` is reached."""

    def __init__(self, point: FailPoint, *, nth: int, crash: Callable[[], None]) -> None:
        self._point = point
        self._left = nth
        self._crash = crash

    def reach(self, point: FailPoint) -> None:
        """See FailPoints."""
        if point is self._point:
            self._left -= 1
            if self._left == 0:
                self._crash()


def fail_points_of_environment() -> FailPoints:
    """What `GRIDLEDGER_CRASH_AT` asks for (tests with real processes), otherwise nothing."""
    wanted = os.environ.get(CRASH_VARIABLE, "")
    if not wanted:
        return FailPoints()
    name, _, nth = wanted.partition(":")
    try:
        return CrashAt(FailPoint(name), nth=int(nth or "1"), crash=_kill_this_process)
    except ValueError as error:
        raise NodeFault(f"{CRASH_VARIABLE}={wanted!r} is not a known point:n") from error


def _kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
