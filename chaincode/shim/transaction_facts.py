"""What a transaction is, apart from state; all of it is the same on every peer but `get_mspid`."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from chaincode.shim.peer_features import PeerFeatures
from chaincode.shim.pending_writes import PendingWrites

EPOCH_BYTES = 8


@dataclass(frozen=True, slots=True)
class ProposalFacts:
    """What the client signed. `creator` is SerializedIdentity bytes, `timestamp_ns` UTC."""

    creator: bytes
    timestamp_ns: int
    transient: Mapping[str, bytes]
    signed_proposal_raw: bytes = b""
    nonce: bytes = b""
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """What the peer says beside the proposal."""

    mspid: str = ""
    """The member whose peer runs this chaincode; empty where nobody said it."""
    decorations: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TransactionInput:
    """All that a chaincode gets to run one transaction; `args` begin with the function's name."""

    channel_id: str
    tx_id: str
    args: tuple[bytes, ...]
    proposal: ProposalFacts
    features: PeerFeatures
    peer: PeerFacts


class TransactionFacts:
    """Identity, arguments and time of a transaction.

    Base of the parts of `ChaincodeStub`, and the only one with attributes: what the transaction
    was given, and what it leaves to be sent at the end.
    """

    __slots__ = ("_event", "_given", "_writes")

    def __init__(self, given: TransactionInput) -> None:
        self._given = given
        self._writes = PendingWrites()
        self._event: tuple[str, bytes] | None = None

    def get_tx_id(self) -> str:
        """Transaction id, lower-case hex."""
        return self._given.tx_id

    get_txid = get_tx_id

    def get_channel_id(self) -> str:
        """The channel's name."""
        return self._given.channel_id

    def get_args(self) -> tuple[bytes, ...]:
        """Function name and arguments, as sent."""
        return self._given.args

    def get_string_args(self) -> list[str]:
        """The same as text."""
        return [argument.decode("utf-8") for argument in self._given.args]

    def get_function_and_parameters(self) -> tuple[str, list[str]]:
        """Function name and arguments as text."""
        texts = self.get_string_args()
        return (texts[0], texts[1:]) if texts else ("", [])

    def get_tx_timestamp(self) -> int:
        """The client's clock when it signed, nanoseconds since 1970 UTC; same on every peer."""
        return self._given.proposal.timestamp_ns

    def get_tx_datetime(self) -> datetime:
        """The same as an aware datetime, microseconds rounded down."""
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return epoch + timedelta(microseconds=self._given.proposal.timestamp_ns // 1000)

    def get_creator(self) -> bytes:
        """SerializedIdentity bytes of the client."""
        return self._given.proposal.creator

    def get_transient(self) -> Mapping[str, bytes]:
        """Inputs that do not become part of the transaction."""
        return self._given.proposal.transient

    def get_signed_proposal(self) -> bytes:
        """The SignedProposal message as the client sent it."""
        return self._given.proposal.signed_proposal_raw

    def get_binding(self) -> bytes:
        """SHA-256 of nonce, creator and epoch (8 bytes, little-endian): ties data to this call."""
        proposal = self._given.proposal
        epoch = proposal.epoch.to_bytes(EPOCH_BYTES, "little")
        return hashlib.sha256(proposal.nonce + proposal.creator + epoch).digest()

    def get_decorations(self) -> Mapping[str, bytes]:
        """What the peer itself added to the call, nothing by default."""
        return self._given.peer.decorations

    def get_mspid(self) -> str:
        """The member whose peer runs this: another one on every peer, so never write it to state.

        Use it to choose the peer's own implicit collection. From `CORE_PEER_LOCALMSPID`.
        """
        return self._given.peer.mspid
