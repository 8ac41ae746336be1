"""The four QBFT messages: what is signed, and what travels beside it.

A *payload* is what its author signs. Attachments (a block, signed round changes, signed prepares)
stay outside that signature because each of them is itself signed or is named by a digest.

Digests are 32 bytes. A block's digest is SHA-256(DER block header || OrdererBlockMetadata value
with round 0): it is free of round, seals and certificates, so a block proposed again in a later
round keeps its digest and its original proposer.

Authors are consenter ids. Signatures, seals and block contents are checked by the shell before a
message gets here; authorship, distinctness, heights, rounds and digests are checked by the core.
Source: Moniz, "The Istanbul BFT Consensus Algorithm" (2020); EEA QBFT profile.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from ledger.model.block import BlockHeader, ConsenterMetadata


@dataclass(frozen=True, slots=True)
class ProposedBlock:
    """A block before it has seals; the shell has already judged its contents.

    `digest` is recomputed by the shell from the other fields when it decodes or builds the block.
    """

    header: BlockHeader
    entries: tuple[bytes, ...]
    last_config: int
    metadata: ConsenterMetadata
    """With `round` 0; `proposer` is the original author."""
    digest: bytes

    @property
    def height(self) -> int:
        """Block number."""
        return self.header.number


@dataclass(frozen=True, slots=True)
class Seal:
    """One consenter's Fabric v3 block signature.

    Signs value (with the real round) || identifier header || DER block header.
    """

    consenter_id: int
    identifier_header_raw: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Proposal:
    """Payload: the proposer of (height, round) names the block of that round."""

    height: int
    round: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Prepare:
    """Payload: the author accepts the proposal of (height, round)."""

    height: int
    round: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """Payload: the author saw a quorum of prepares and seals the block."""

    height: int
    round: int
    digest: bytes
    seal: Seal


@dataclass(frozen=True, slots=True)
class RoundChange:
    """Payload: the author moves to `round` and tells the last block it saw prepared, if any.

    The two prepared fields are both present or both absent.
    """

    height: int
    round: int
    prepared_round: int | None
    prepared_digest: bytes | None


Payload = Proposal | Prepare | Commit | RoundChange
P_co = TypeVar("P_co", bound=Payload, covariant=True)


@dataclass(frozen=True, slots=True)
class Signed(Generic[P_co]):
    """A payload, its author, and the very bytes that were signed."""

    payload: P_co
    author: int
    payload_raw: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class ProposalMessage:
    """PROPOSAL with its block and, from round 1 on, its justification."""

    signed: Signed[Proposal]
    block: ProposedBlock
    round_changes: tuple[Signed[RoundChange], ...] = ()
    prepares: tuple[Signed[Prepare], ...] = ()


@dataclass(frozen=True, slots=True)
class PrepareMessage:
    """PREPARE; nothing attached."""

    signed: Signed[Prepare]


@dataclass(frozen=True, slots=True)
class CommitMessage:
    """COMMIT; its seal counts once the shell has verified it against the block.

    `seal_verified` is False only when the shell did not know the block yet. The core keeps such a
    message, asks `VerifySeals` when the proposal arrives, and counts the verified copy.
    """

    signed: Signed[Commit]
    seal_verified: bool


@dataclass(frozen=True, slots=True)
class RoundChangeMessage:
    """ROUND-CHANGE; block and prepares exactly when the payload claims something prepared."""

    signed: Signed[RoundChange]
    block: ProposedBlock | None = None
    prepares: tuple[Signed[Prepare], ...] = ()


Message = ProposalMessage | PrepareMessage | CommitMessage | RoundChangeMessage


def signed_parts(message: Message) -> tuple[Signed[Payload], ...]:
    """Everything in a message that bears a signature: itself first, then what justifies it."""
    match message:
        case ProposalMessage(signed, _, round_changes, prepares):
            return (signed, *round_changes, *prepares)
        case RoundChangeMessage(signed, _, prepares):
            return (signed, *prepares)
        case _:
            return (message.signed,)


@dataclass(frozen=True, slots=True)
class PreparedCertificate:
    """A validator's lock: a block and the quorum of prepares it got in `round`."""

    round: int
    block: ProposedBlock
    prepares: tuple[Signed[Prepare], ...]


SIGN_BYTES_MARK = b"GRIDLEDGER-CONSENSUS"
SIGN_BYTES_VERSION = 1
DOMAINS_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class SigningDomain:
    """What binds a signature to one ledger and one validator set.

    A vote therefore cannot be replayed on another channel, on a channel created again with a new
    genesis block, or under another validator set.
    """

    network_id: str
    channel_id: str
    genesis_hash: bytes
    validator_set_hash: bytes
    """Of the set that decides the payload's height."""


def sign_bytes(domain: SigningDomain, payload_raw: bytes) -> bytes:
    """The bytes a validator signs for a payload.

    mark || field(version) || field(network) || field(channel) || field(genesis hash) ||
    field(validator set hash) || payload bytes, where field(x) is a 4-byte big-endian length and x.
    """
    return _domain_bytes(domain) + payload_raw


@lru_cache(maxsize=DOMAINS_REMEMBERED)
def _domain_bytes(domain: SigningDomain) -> bytes:
    """Everything before the payload: the same for every vote under one validator set."""
    parts = (
        bytes([SIGN_BYTES_VERSION]),
        domain.network_id.encode(),
        domain.channel_id.encode(),
        domain.genesis_hash,
        domain.validator_set_hash,
    )
    prefix = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return SIGN_BYTES_MARK + prefix
