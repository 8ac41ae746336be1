"""Turning what the core wants to say into signed messages, past the sign guard.

The guard keeps what was signed for each (height, round, kind); it refuses a second, different
payload and is durable before a signature leaves this module.
"""

from collections.abc import Callable
from typing import TypeVar

from ledger.consensus.effects import (
    CommitIntent,
    Intent,
    PrepareIntent,
    ProposalIntent,
    RoundChangeIntent,
)
from ledger.consensus.messages import (
    Commit,
    CommitMessage,
    Message,
    Payload,
    PrepareMessage,
    ProposalMessage,
    RoundChangeMessage,
    Signed,
    SigningDomain,
    sign_bytes,
    signed_parts,
)
from ledger.crypto.signing import Signer
from ledger.model.block import SLOT_SIGNATURES, Block
from ledger.model.codec_block import decode_block_signatures
from ledger.ordering.consensus_codec import decode_payload, encode_payload
from ledger.ordering.seals import SEAL_NONCE_BYTES, make_seal
from ledger.storage.sign_guard import SignGuard

P = TypeVar("P", bound=Payload)


class IntentSigner:
    """Signs for one consenter, each vote under the signing domain in force."""

    def __init__(
        self,
        *,
        consenter_id: int,
        signer: Signer,
        guard: SignGuard,
        domain: Callable[[], SigningDomain],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._consenter_id = consenter_id
        self._signer = signer
        self._guard = guard
        self._domain = domain
        self._random_bytes = random_bytes

    def sign(self, intent: Intent) -> Message:
        """The signed message; raises NodeFault when it would contradict an earlier one.

        Runs in the journal's thread: it returns when the vote is on disk.
        """
        match intent:
            case ProposalIntent(payload, block, round_changes, prepares):
                return ProposalMessage(
                    self._signed(payload, payload.digest), block, round_changes, prepares
                )
            case PrepareIntent(payload):
                return PrepareMessage(self._signed(payload, payload.digest))
            case CommitIntent(round_, block):
                nonce = self._random_bytes(SEAL_NONCE_BYTES)
                seal = make_seal(self._signer, self._consenter_id, nonce, block, round_)
                commit = Commit(block.height, round_, block.digest, seal)
                return CommitMessage(self._signed(commit, block.digest), seal_verified=True)
            case RoundChangeIntent(payload, block, prepares):
                digest = payload.prepared_digest or b""
                return RoundChangeMessage(self._signed(payload, digest), block, prepares)

    def forgot_sealing(self, block: Block) -> bool:
        """Whether a block of the newest height carries our seal and we know of none."""
        signed = decode_block_signatures(block.metadata[SLOT_SIGNATURES])
        is_ours = any(seal.consenter_id == self._consenter_id for seal in signed.signatures)
        return is_ours and not self._guard.has_signed(block.number, Commit.__name__)

    def forgot_signing(self, message: Message) -> Signed[Payload] | None:
        """The first part of it, not of a height that is over, that we signed and know nothing of.

        Every signature of `message` has been verified.
        """
        for signed in signed_parts(message):
            if signed.author == self._consenter_id and not self._remembers(signed):
                return signed
        return None

    def _remembers(self, signed: Signed[Payload]) -> bool:
        payload = signed.payload
        return self._guard.may_have_signed(
            height=payload.height,
            round_=payload.round,
            kind=type(payload).__name__,
            payload=signed.payload_raw,
        )

    def _signed(self, payload: P, digest: bytes) -> Signed[P]:
        payload_raw = encode_payload(payload, self._consenter_id)
        vote = self._guard.sign_once(
            height=payload.height,
            round_=payload.round,
            kind=type(payload).__name__,
            digest=digest,
            payload=payload_raw,
            sign=lambda raw: self._signer.sign(sign_bytes(self._domain(), raw)),
        )
        if vote.payload == payload_raw:
            return Signed(payload, self._consenter_id, payload_raw, vote.signature)
        # After a restart this is the earlier vote, whose seal has another nonce.
        signed, _author = decode_payload(vote.payload)
        assert isinstance(signed, type(payload)), "the guard keeps kinds apart"
        return Signed(signed, self._consenter_id, vote.payload, vote.signature)
