"""What validation asks of its surroundings, and what it answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ledger.model.codes import ValidationCode
from ledger.model.state import StateUpdates
from ledger.model.transaction import Envelope
from ledger.validation.transaction_index import RecordedTransaction


class SignatureChecker(Protocol):
    """Verifies signatures of members; may remember what it verified before."""

    def verify(self, identity: bytes, message: bytes, signature: bytes) -> bool:
        """Whether `identity` (SerializedIdentity bytes) is a valid member and signed `message`."""
        ...


class PolicyEvaluator(Protocol):
    """Decides whether signers satisfy a policy; signatures were checked before.

    `signers` are distinct SerializedIdentity bytes. Both methods raise
    InvalidMessage(POLICY_NOT_SATISFIED) or InvalidMessage(MALFORMED) when they do not.
    """

    def require_application_policy(self, policy_raw: bytes, signers: Sequence[bytes]) -> None:
        """`policy_raw` is protos.ApplicationPolicy bytes (a chaincode's or collection's)."""
        ...

    def require_key_policy(self, policy_raw: bytes, signers: Sequence[bytes]) -> None:
        """`policy_raw` is common.SignaturePolicyEnvelope bytes (a key's VALIDATION_PARAMETER)."""
        ...


@dataclass(frozen=True, slots=True)
class ChaincodeDefinition:
    """The committed definition of a chaincode, as far as validation needs it."""

    version: str
    sequence: int
    policy: bytes
    """protos.ApplicationPolicy bytes."""


@dataclass(frozen=True, slots=True)
class ValidationContext:
    """Everything a block is validated against besides world state."""

    channel_id: str
    signatures: SignatureChecker
    policies: PolicyEvaluator
    definition: Callable[[str], ChaincodeDefinition | None]
    """Committed definition of a namespace before this block; `_lifecycle` has one too."""
    is_recorded: Callable[[str], bool]
    """Whether a transaction id was used in an earlier block."""
    check_config: Callable[[Envelope, SignatureChecker], None]
    """Raises InvalidMessage when a CONFIG envelope is not acceptable."""


@dataclass(frozen=True, slots=True)
class BlockValidation:
    """Verdict on a block: one code per entry and the changes of the valid ones."""

    codes: tuple[ValidationCode, ...]
    updates: StateUpdates
    tx_ids: tuple[str, ...]
    """One per entry; empty where the envelope did not prove its id."""
    details: tuple[str, ...]
    """Why, for people and logs, one per entry; empty for valid ones. Never part of a hash."""
    recorded: tuple[RecordedTransaction, ...]
    """Ids that this block uses first."""
    is_config: bool = False
    """Whether the block carries a valid CONFIG transaction."""
