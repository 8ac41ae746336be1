"""What a transaction is, apart from state; all of it is the same on every peer but `get_mspid`."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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
    decorations: Mapping[str, bytes] | None = None


class TransactionFacts:
    """Identity, arguments and time of a transaction."""

    __slots__ = ("_args", "_channel_id", "_peer", "_proposal", "_tx_id")

    def __init__(
        self,
        *,
        channel_id: str,
        tx_id: str,
        args: Sequence[bytes],
        proposal: ProposalFacts,
        peer: PeerFacts | None = None,
    ) -> None:
        self._channel_id = channel_id
        self._tx_id = tx_id
        self._args = tuple(args)
        self._proposal = proposal
        self._peer = peer or PeerFacts()

    def get_tx_id(self) -> str:
        """Transaction id, lower-case hex."""
        return self._tx_id

    get_txid = get_tx_id

    def get_channel_id(self) -> str:
        """The channel's name."""
        return self._channel_id

    def get_args(self) -> tuple[bytes, ...]:
        """Function name and arguments, as sent."""
        return self._args

    def get_string_args(self) -> list[str]:
        """The same as text."""
        return [argument.decode("utf-8") for argument in self._args]

    def get_function_and_parameters(self) -> tuple[str, list[str]]:
        """Function name and arguments as text."""
        texts = self.get_string_args()
        return (texts[0], texts[1:]) if texts else ("", [])

    def get_tx_timestamp(self) -> int:
        """The client's clock when it signed, nanoseconds since 1970 UTC; same on every peer."""
        return self._proposal.timestamp_ns

    def get_tx_datetime(self) -> datetime:
        """The same as an aware datetime, microseconds rounded down."""
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return epoch + timedelta(microseconds=self._proposal.timestamp_ns // 1000)

    def get_creator(self) -> bytes:
        """SerializedIdentity bytes of the client."""
        return self._proposal.creator

    def get_transient(self) -> Mapping[str, bytes]:
        """Inputs that do not become part of the transaction."""
        return self._proposal.transient

    def get_signed_proposal(self) -> bytes:
        """The SignedProposal message as the client sent it."""
        return self._proposal.signed_proposal_raw

    def get_binding(self) -> bytes:
        """SHA-256 of nonce, creator and epoch (8 bytes, little-endian): ties data to this call."""
        epoch = self._proposal.epoch.to_bytes(EPOCH_BYTES, "little")
        return hashlib.sha256(self._proposal.nonce + self._proposal.creator + epoch).digest()

    def get_decorations(self) -> Mapping[str, bytes]:
        """What the peer itself added to the call, nothing by default."""
        return self._peer.decorations or {}

    def get_mspid(self) -> str:
        """The member whose peer runs this: another one on every peer, so never write it to state.

        Use it to choose the peer's own implicit collection. From `CORE_PEER_LOCALMSPID`.
        """
        return self._peer.mspid
