"""Proposals, endorsements and transactions, decoded once; raw bytes are kept where signed.

Fabric nests a committed write nine messages deep. `ledger.model.codec` opens the nest in one
place; the rest of the code reads these values and signs or hashes the `*_raw` fields, which are
the bytes as received and never re-encoded.
"""

from dataclasses import dataclass, field

from ledger.model.codes import HeaderType
from ledger.model.interest import Interest
from ledger.model.rwset import ReadWriteSet


@dataclass(frozen=True, slots=True)
class ChannelHeader:
    """common.ChannelHeader; `tx_id` is lower-case hex, `timestamp_ns` the client's clock (UTC)."""

    type: int
    version: int
    timestamp_ns: int
    channel_id: str
    tx_id: str
    epoch: int
    chaincode_name: str
    tls_cert_hash: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """Both headers of a payload, and their raw bytes (hashed and signed as they are)."""

    channel: ChannelHeader
    creator: bytes
    """SerializedIdentity bytes of the signer, as sent."""
    nonce: bytes
    channel_header_raw: bytes
    signature_header_raw: bytes


@dataclass(frozen=True, slots=True)
class SignedProposal:
    """A client's wish to run a chaincode function, signed over `proposal_raw`."""

    proposal_raw: bytes
    signature: bytes
    header: Header
    header_raw: bytes
    payload_raw: bytes
    """ChaincodeProposalPayload bytes, transient data included."""
    chaincode_name: str
    args: tuple[bytes, ...]
    """Function name first (`contract:function` or `function`)."""
    is_init: bool = False
    transient: dict[str, bytes] = field(default_factory=dict)
    raw: bytes = b""
    """The SignedProposal message as received, passed unchanged to chaincode and other peers."""

    @property
    def tx_id(self) -> str:
        """Transaction id claimed by the channel header."""
        return self.header.channel.tx_id


@dataclass(frozen=True, slots=True)
class ChaincodeEvent:
    """At most one event per transaction; delivered after commit if the transaction is valid."""

    chaincode_name: str
    tx_id: str
    name: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class ChaincodeResponse:
    """What a contract returned: 200 to 399 endorses, 400 and above refuses."""

    status: int
    message: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class ChaincodeAction:
    """The result that endorsers agree on, byte for byte."""

    results: ReadWriteSet
    response: ChaincodeResponse
    event: ChaincodeEvent | None
    chaincode_name: str
    chaincode_version: str


@dataclass(frozen=True, slots=True)
class Endorsement:
    """`signature` covers proposal_response_payload || endorser."""

    endorser: bytes
    """SerializedIdentity bytes."""
    signature: bytes


@dataclass(frozen=True, slots=True)
class ProposalResponse:
    """An endorser's answer; without `endorsement` it is a refusal and carries no payload."""

    response: ChaincodeResponse
    payload_raw: bytes
    """ProposalResponsePayload bytes."""
    endorsement: Endorsement | None
    interest: Interest = ()
    """Whose policies the simulation calls for; empty where a peer does not say."""


@dataclass(frozen=True, slots=True)
class EndorserTransaction:
    """The one action of an ENDORSER_TRANSACTION."""

    header_raw: bytes
    """SignatureHeader bytes repeated in the action; must equal the envelope's."""
    proposal_payload_raw: bytes
    """ChaincodeProposalPayload without transient data."""
    proposal_response_payload_raw: bytes
    proposal_hash: bytes
    action: ChaincodeAction
    endorsements: tuple[Endorsement, ...]
    chaincode_name: str
    """Name in the proposal payload; must equal the one in the header extension."""
    args: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed payload; `signature` covers `payload_raw`."""

    raw: bytes
    payload_raw: bytes
    signature: bytes
    header: Header
    data_raw: bytes
    """Payload.data: by type a Transaction, ConfigEnvelope, SeekInfo, …"""
    transaction: EndorserTransaction | None = None
    """Decoded when the type is ENDORSER_TRANSACTION."""

    @property
    def tx_id(self) -> str:
        """Transaction id claimed by the channel header."""
        return self.header.channel.tx_id

    @property
    def is_config(self) -> bool:
        """Whether it changes the channel's configuration; it stands alone in its block."""
        return self.header.channel.type == HeaderType.CONFIG
