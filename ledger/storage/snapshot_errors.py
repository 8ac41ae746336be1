"""Why a snapshot is refused: one name for each kind of wrong."""

from enum import StrEnum

from ledger.errors import GridledgerError


class SnapshotProblem(StrEnum):
    """docs/snapshots.md explains each."""

    NOT_A_SNAPSHOT = "NOT_A_SNAPSHOT"
    UNKNOWN_VERSION = "UNKNOWN_VERSION"
    TRUNCATED = "TRUNCATED"
    DAMAGED = "DAMAGED"
    OVERSIZED = "OVERSIZED"
    OUT_OF_ORDER = "OUT_OF_ORDER"
    MORE_AFTER_THE_END = "MORE_AFTER_THE_END"
    WRONG_COUNT = "WRONG_COUNT"
    OTHER_CHANNEL = "OTHER_CHANNEL"
    OTHER_GENESIS = "OTHER_GENESIS"
    BAD_CONFIGURATION = "BAD_CONFIGURATION"
    BAD_BLOCK = "BAD_BLOCK"
    BAD_SEALS = "BAD_SEALS"
    BEYOND_ITS_HEIGHT = "BEYOND_ITS_HEIGHT"
    OTHER_STATE = "OTHER_STATE"


class SnapshotRefused(GridledgerError):  # noqa: N818 - like the other refusals
    """A snapshot breaks a rule; `detail` is one sentence for a person."""

    def __init__(self, problem: SnapshotProblem, detail: str) -> None:
        super().__init__(f"{problem}: {detail}")
        self.problem = problem
        self.detail = detail
