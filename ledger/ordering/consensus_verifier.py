"""Signatures of consensus messages, checked before the core sees them and only once each."""

from collections.abc import Iterator

from ledger.consensus.messages import (
    CommitMessage,
    Message,
    Payload,
    ProposalMessage,
    ProposedBlock,
    RoundChangeMessage,
    Signed,
    SigningDomain,
    sign_bytes,
)
from ledger.crypto.signing import verify_signature
from ledger.errors import InvalidMessage, Reason
from ledger.ordering.seals import check_seal
from ledger.ordering.validator_set import ValidatorSet

REMEMBERED_VOTES_MAX = 4_096


class ConsensusVerifier:
    """Judges signatures under one validator set; a changed set gets a new verifier."""

    def __init__(self, validators: ValidatorSet, domain: SigningDomain) -> None:
        self._validators = validators
        self._domain = domain
        self._good: dict[tuple[bytes, bytes], None] = {}

    def check(self, message: Message) -> None:
        """Raise InvalidMessage unless every signed part of the message is its author's."""
        _require_possible_size(message, len(self._validators.ids))
        for signed in _signed_parts(message):
            self._check_signed(signed)

    def check_seal(self, message: CommitMessage, block: ProposedBlock) -> CommitMessage:
        """The message marked as sealing `block`; raises InvalidMessage when it does not."""
        commit = message.signed.payload
        if commit.seal.consenter_id != message.signed.author:
            raise InvalidMessage(Reason.BAD_SIGNATURE, "the seal is another consenter's")
        check_seal(commit.seal, self._validators.keys[message.signed.author], block, commit.round)
        return CommitMessage(message.signed, seal_verified=True)

    def _check_signed(self, signed: Signed[Payload]) -> None:
        key = self._validators.keys.get(signed.author)
        if key is None:
            raise InvalidMessage(
                Reason.NOT_A_VALIDATOR, f"consenter {signed.author} is not in the validator set"
            )
        known = (signed.payload_raw, signed.signature)
        if known in self._good:
            return
        verify_signature(key, sign_bytes(self._domain, signed.payload_raw), signed.signature)
        if len(self._good) >= REMEMBERED_VOTES_MAX:
            for old in list(self._good)[: REMEMBERED_VOTES_MAX // 4]:
                del self._good[old]
        self._good[known] = None


def _signed_parts(message: Message) -> Iterator[Signed[Payload]]:
    yield message.signed
    if isinstance(message, ProposalMessage):
        yield from message.round_changes
        yield from message.prepares
    elif isinstance(message, RoundChangeMessage):
        yield from message.prepares


def _require_possible_size(message: Message, validators: int) -> None:
    """A certificate holds each validator at most once; checked before any signature is."""
    parts = sum(1 for _ in _signed_parts(message)) - 1
    certificates = 2 if isinstance(message, ProposalMessage) else 1
    if parts > certificates * validators:
        raise InvalidMessage(
            Reason.OVERSIZED, f"a justification of {parts} parts among {validators} validators"
        )
