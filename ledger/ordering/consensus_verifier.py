"""Signatures of consensus messages, checked before the core sees them and only once each."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

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
EPOCHS_MAX = 4
"""Validator sets remembered; messages of older heights come from validators far behind."""


@dataclass(frozen=True, slots=True)
class _Epoch:
    """The validator set that decides the heights from `first_height` to the next epoch."""

    first_height: int
    validators: ValidatorSet
    domain: SigningDomain

    def key(self, author: int) -> EllipticCurvePublicKey:
        """The author's key; raises InvalidMessage NOT_A_VALIDATOR."""
        key = self.validators.keys.get(author)
        if key is None:
            raise InvalidMessage(
                Reason.NOT_A_VALIDATOR, f"consenter {author} is not in the validator set"
            )
        return key


class ConsensusVerifier:
    """Judges each message by the validator set of its height."""

    def __init__(
        self, validators: ValidatorSet, domain: SigningDomain, *, first_height: int = 0
    ) -> None:
        """The set in force, which decides from `first_height` on."""
        self._epochs = [_Epoch(first_height, validators, domain)]
        self._good: dict[tuple[bytes, bytes, bytes], None] = {}

    def begin(self, first_height: int, validators: ValidatorSet, domain: SigningDomain) -> None:
        """A configuration takes effect at this height; earlier heights keep their set."""
        if domain != self._epochs[-1].domain:
            self._epochs = [
                *self._epochs[1 - EPOCHS_MAX :],
                _Epoch(first_height, validators, domain),
            ]

    def knows(self, height: int) -> bool:
        """Whether the set of that height is still remembered."""
        return height >= self._epochs[0].first_height

    def check(self, message: Message) -> None:
        """Raise InvalidMessage unless every signed part of the message is its author's."""
        epoch = self._epoch(message.signed.payload.height)
        attached = _attached(message)
        for certificate in attached:
            _require_possible_size(certificate, len(epoch.validators.ids))
        self._check_signed(message.signed, epoch)
        for certificate in attached:
            for signed in certificate:
                self._check_signed(signed, epoch)

    def check_seal(self, message: CommitMessage, block: ProposedBlock) -> CommitMessage:
        """The message marked as sealing `block`; raises InvalidMessage when it does not."""
        commit = message.signed.payload
        if commit.seal.consenter_id != message.signed.author:
            raise InvalidMessage(Reason.BAD_SIGNATURE, "the seal is another consenter's")
        key = self._epoch(commit.height).key(message.signed.author)
        check_seal(commit.seal, key, block, commit.round)
        return CommitMessage(message.signed, seal_verified=True)

    def _epoch(self, height: int) -> _Epoch:
        """The newest one that began by then; the oldest for heights before all of them."""
        for epoch in reversed(self._epochs):
            if height >= epoch.first_height:
                return epoch
        return self._epochs[0]

    def _check_signed(self, signed: Signed[Payload], epoch: _Epoch) -> None:
        key = epoch.key(signed.author)
        known = (epoch.validators.set_hash, signed.payload_raw, signed.signature)
        if known in self._good:
            return
        verify_signature(key, sign_bytes(epoch.domain, signed.payload_raw), signed.signature)
        if len(self._good) >= REMEMBERED_VOTES_MAX:
            for old in list(self._good)[: REMEMBERED_VOTES_MAX // 4]:
                del self._good[old]
        self._good[known] = None


def _attached(message: Message) -> tuple[tuple[Signed[Payload], ...], ...]:
    """Certificates of others' messages that it carries; none in a vote."""
    if isinstance(message, ProposalMessage):
        return message.round_changes, message.prepares
    if isinstance(message, RoundChangeMessage):
        return (message.prepares,)
    return ()


def _require_possible_size(certificate: tuple[Signed[Payload], ...], validators: int) -> None:
    """It holds each validator at most once; checked before any signature is.

    Here and not only in the core: what is attached is its sender's, who need not be the author.
    """
    if len(certificate) > validators:
        raise InvalidMessage(
            Reason.OVERSIZED,
            f"a justification of {len(certificate)} parts among {validators} validators",
        )
