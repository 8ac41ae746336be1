"""The three kinds of wrong, and the one table of reasons.

* `InvalidMessage`: *theirs*. Bytes from a client or a peer break a rule. The sender gets the
  reason and it is counted against the sender; nothing changes here.
* `TransactionInvalid`: *the transaction's*. Deterministic, the same on every peer; the code is
  recorded in the block beside the transaction.
* `NodeFault`: *ours*. A disk, a child process or an invariant failed; the node stops or retries,
  it never skips.

Programmer errors are assertions; a node refuses to run under `python -O`.
"""

from enum import StrEnum

from ledger.model.codes import ValidationCode


class Reason(StrEnum):
    """Why a message was refused; the value is what clients see, docs/errors.md explains each."""

    MALFORMED = "MALFORMED"
    OVERSIZED = "OVERSIZED"
    WRONG_CHANNEL = "WRONG_CHANNEL"
    UNKNOWN_MEMBER = "UNKNOWN_MEMBER"
    CERTIFICATE_INVALID = "CERTIFICATE_INVALID"
    CERTIFICATE_EXPIRED = "CERTIFICATE_EXPIRED"
    CERTIFICATE_NOT_YET_VALID = "CERTIFICATE_NOT_YET_VALID"
    CERTIFICATE_REVOKED = "CERTIFICATE_REVOKED"
    ROLE_NOT_ALLOWED = "ROLE_NOT_ALLOWED"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    HIGH_S_SIGNATURE = "HIGH_S_SIGNATURE"
    BAD_TRANSACTION_ID = "BAD_TRANSACTION_ID"
    BAD_PROOF = "BAD_PROOF"
    REPLAYED = "REPLAYED"
    TIMESTAMP_OUT_OF_WINDOW = "TIMESTAMP_OUT_OF_WINDOW"
    UNKNOWN_CHAINCODE = "UNKNOWN_CHAINCODE"
    POLICY_NOT_SATISFIED = "POLICY_NOT_SATISFIED"
    NOT_JUSTIFIED = "NOT_JUSTIFIED"
    WRONG_PROPOSER = "WRONG_PROPOSER"
    WRONG_PARENT = "WRONG_PARENT"
    WRONG_HEIGHT = "WRONG_HEIGHT"
    ROUND_OUT_OF_BOUNDS = "ROUND_OUT_OF_BOUNDS"
    NOT_A_VALIDATOR = "NOT_A_VALIDATOR"
    DIGEST_MISMATCH = "DIGEST_MISMATCH"
    WRONG_VALIDATOR_SET = "WRONG_VALIDATOR_SET"
    COMMIT_HASH_MISMATCH = "COMMIT_HASH_MISMATCH"
    EQUIVOCATION = "EQUIVOCATION"
    OVERLOADED = "OVERLOADED"
    NO_SPACE = "NO_SPACE"
    CONFIG_OUTDATED = "CONFIG_OUTDATED"
    CONFIG_UNCHANGED = "CONFIG_UNCHANGED"
    CONFIG_MISMATCH = "CONFIG_MISMATCH"
    UNKNOWN_POLICY = "UNKNOWN_POLICY"
    SETTING_FIXED = "SETTING_FIXED"
    LIMIT_OUT_OF_BOUNDS = "LIMIT_OUT_OF_BOUNDS"
    BLOCK_POLICY_MISMATCH = "BLOCK_POLICY_MISMATCH"
    TOO_MANY_VALIDATOR_CHANGES = "TOO_MANY_VALIDATOR_CHANGES"
    TOO_FEW_VALIDATORS = "TOO_FEW_VALIDATORS"
    VALIDATOR_ID_REUSED = "VALIDATOR_ID_REUSED"
    VALIDATOR_KEY_INVALID = "VALIDATOR_KEY_INVALID"
    VALIDATOR_NOT_READY = "VALIDATOR_NOT_READY"
    QUORUM_AT_RISK = "QUORUM_AT_RISK"


class GridledgerError(Exception):
    """Root of every error this project raises on purpose."""


def known_reason(text: str) -> Reason:
    """The reason another peer gave; MALFORMED for a word this version does not know."""
    try:
        return Reason(text)
    except ValueError:
        return Reason.MALFORMED


class InvalidMessage(GridledgerError):  # noqa: N818 - the field's word; "Error" would add nothing
    """A message from outside breaks a rule.

    `reason` is stable and machine-readable; `detail` is one sentence for a person.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class TransactionInvalid(GridledgerError):  # noqa: N818
    """A transaction breaks a validation rule; `code` is what the block records."""

    def __init__(self, code: ValidationCode, detail: str) -> None:
        super().__init__(f"{code.name}: {detail}")
        self.code = code
        self.detail = detail


class NodeFault(GridledgerError):  # noqa: N818
    """This node cannot go on safely; the process stops and names the cause."""
