"""Why a receipt is refused: which step of the check failed, and how."""

from enum import StrEnum

from ledger.errors import GridledgerError


class Step(StrEnum):
    """The steps of the check, in their order."""

    FILE = "file"
    CHAIN = "chain"
    VALIDATORS = "validators"
    SEALS = "seals"
    STATE_COMMITMENT = "state commitment"
    MERKLE_PATH = "Merkle path"
    STATEMENT = "statement"


class Problem(StrEnum):
    """Stable names, the same in the page's script; docs/receipts.md explains each."""

    NOT_A_RECEIPT = "NOT_A_RECEIPT"
    UNKNOWN_VERSION = "UNKNOWN_VERSION"
    OVERSIZED = "OVERSIZED"
    TRUNCATED = "TRUNCATED"
    MORE_AFTER_THE_END = "MORE_AFTER_THE_END"
    MALFORMED = "MALFORMED"
    OTHER_CHAIN = "OTHER_CHAIN"
    OLD_VALIDATORS = "OLD_VALIDATORS"
    UNKNOWN_VALIDATORS = "UNKNOWN_VALIDATORS"
    STRANGERS_SEAL = "STRANGERS_SEAL"
    SEALED_TWICE = "SEALED_TWICE"
    BAD_SEAL = "BAD_SEAL"
    TOO_FEW_SEALS = "TOO_FEW_SEALS"
    OTHER_STATE = "OTHER_STATE"
    OTHER_ROOT = "OTHER_ROOT"
    OTHER_BLOCK = "OTHER_BLOCK"
    OTHER_CODE = "OTHER_CODE"


class ReceiptRefused(GridledgerError):  # noqa: N818 - what happened, not that it is an error
    """The receipt proves nothing; `step` failed with `problem`, `detail` is for a person."""

    def __init__(self, step: Step, problem: Problem, detail: str) -> None:
        super().__init__(f"{step}: {problem}: {detail}")
        self.step = step
        self.problem = problem
        self.detail = detail


class NotProvable(GridledgerError):  # noqa: N818
    """No receipt can be made of this; the text says why."""
