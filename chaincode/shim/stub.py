"""ChaincodeStub: a transaction's view of its peer, with Fabric's names and semantics.

Reads give the committed state: a transaction does not see its own writes. Writes are kept here
and sent together at the end, only if the function succeeds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chaincode.shim import composite_keys
from chaincode.shim.composite_keys import MIN_SIMPLE_KEY, require_simple_key
from chaincode.shim.errors import ContractError
from chaincode.shim.iterators import QueryIterator
from chaincode.shim.requests import (
    GetHistory,
    GetMetadata,
    GetRange,
    GetState,
    GetStates,
    InvokeChaincode,
    KeyModification,
    KeyValue,
    PutBatch,
    PutOne,
    Request,
    Response,
    Write,
)

VALIDATION_PARAMETER = "VALIDATION_PARAMETER"
EVENT_NAME_LENGTH_MAX = 128


@dataclass(frozen=True, slots=True)
class PeerFeatures:
    """What READY offered; 0 means the peer does not know the batched message."""

    write_batch_max: int = 0
    get_multiple_max: int = 0


@dataclass(frozen=True, slots=True)
class ProposalFacts:
    """What the client signed. `creator` is SerializedIdentity bytes, `timestamp_ns` UTC."""

    creator: bytes
    timestamp_ns: int
    transient: Mapping[str, bytes]
    signed_proposal_raw: bytes = b""


class TransactionFacts:
    """What a transaction is, apart from state; all of it signed by the client."""

    __slots__ = ("_args", "_channel_id", "_proposal", "_tx_id")

    def __init__(
        self, *, channel_id: str, tx_id: str, args: Sequence[bytes], proposal: ProposalFacts
    ) -> None:
        self._channel_id = channel_id
        self._tx_id = tx_id
        self._args = tuple(args)
        self._proposal = proposal

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

    def get_function_and_parameters(self) -> tuple[str, list[str]]:
        """Function name and arguments as text."""
        texts = [argument.decode("utf-8") for argument in self._args]
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


class ChaincodeStub(TransactionFacts):
    """One transaction; created by the runtime, used up when the function returns."""

    __slots__ = ("_event", "_features", "_metadata_writes", "_writes")

    def __init__(
        self,
        *,
        channel_id: str,
        tx_id: str,
        args: Sequence[bytes],
        proposal: ProposalFacts,
        features: PeerFeatures,
    ) -> None:
        super().__init__(channel_id=channel_id, tx_id=tx_id, args=args, proposal=proposal)
        self._features = features
        self._writes: dict[str, Write] = {}
        self._metadata_writes: dict[str, Write] = {}
        self._event: tuple[str, bytes] | None = None

    # -- reading --------------------------------------------------------------------------------

    async def get_state(self, key: str) -> bytes:
        """The committed value, empty if absent."""
        require_simple_key(key)
        return await GetState(key)

    async def get_states(self, keys: Iterable[str]) -> list[bytes]:
        """Several committed values in the order asked, in as few messages as the peer allows."""
        wanted = tuple(keys)
        for key in wanted:
            require_simple_key(key)
        size = self._features.get_multiple_max
        if not size:
            return [await GetState(key) for key in wanted]
        values: list[bytes] = []
        for start in range(0, len(wanted), size):
            values += await GetStates(wanted[start : start + size])
        return values

    get_multiple_states = get_states

    def get_state_by_range(self, start_key: str, end_key: str) -> QueryIterator[KeyValue]:
        """Rows of [start_key, end_key) by key; an empty end means all simple keys."""
        if start_key:
            require_simple_key(start_key)
        return QueryIterator(GetRange(start_key or MIN_SIMPLE_KEY, end_key))

    async def get_state_by_range_with_pagination(
        self, start_key: str, end_key: str, page_size: int, bookmark: str = ""
    ) -> tuple[list[KeyValue], str]:
        """One page and the bookmark of the next; only in transactions that write nothing."""
        page = await GetRange(start_key or MIN_SIMPLE_KEY, end_key, page_size, bookmark)
        return [row for row in page.rows if isinstance(row, KeyValue)], page.bookmark

    def get_state_by_partial_composite_key(
        self, object_type: str, attributes: Sequence[str]
    ) -> QueryIterator[KeyValue]:
        """Rows whose composite key begins with these attributes."""
        return QueryIterator(GetRange(*composite_keys.composite_range(object_type, attributes)))

    def get_history_for_key(self, key: str) -> QueryIterator[KeyModification]:
        """All values the key had, newest first; not repeated by validation."""
        return QueryIterator(GetHistory(key))

    async def get_state_validation_parameter(self, key: str) -> bytes:
        """The key's own endorsement policy (SignaturePolicyEnvelope bytes), empty if none."""
        return (await GetMetadata(key)).get(VALIDATION_PARAMETER, b"")

    # -- writing --------------------------------------------------------------------------------

    async def put_state(self, key: str, value: bytes | str) -> None:
        """Set the key if the transaction becomes valid; an empty value deletes it."""
        require_simple_key(key)
        data = value.encode("utf-8") if isinstance(value, str) else bytes(value)
        self._writes[key] = Write(key, data)

    async def del_state(self, key: str) -> None:
        """Remove the key if the transaction becomes valid."""
        require_simple_key(key)
        self._writes[key] = Write(key, None)

    delete_state = del_state

    async def set_state_validation_parameter(self, key: str, policy: bytes) -> None:
        """Give the key its own endorsement policy (SignaturePolicyEnvelope bytes)."""
        require_simple_key(key)
        self._metadata_writes[key] = Write(key, policy, VALIDATION_PARAMETER)

    def set_event(self, name: str, payload: bytes | str) -> None:
        """The transaction's one event; a second call replaces the first."""
        if not name or len(name) > EVENT_NAME_LENGTH_MAX:
            raise ContractError(
                "INVALID_EVENT", f"an event name has 1 to {EVENT_NAME_LENGTH_MAX} characters"
            )
        self._event = (name, payload.encode("utf-8") if isinstance(payload, str) else payload)

    # -- others ---------------------------------------------------------------------------------

    async def invoke_chaincode(
        self, chaincode_name: str, args: Sequence[bytes | str], channel: str = ""
    ) -> Response:
        """Call another chaincode in this transaction; on another channel its writes are lost."""
        name = f"{chaincode_name}/{channel}" if channel else chaincode_name
        raw = tuple(a.encode("utf-8") if isinstance(a, str) else a for a in args)
        return await InvokeChaincode(name, raw)

    def create_composite_key(self, object_type: str, attributes: Sequence[str]) -> str:
        """The key of `attributes` under `object_type`."""
        return composite_keys.create_composite_key(object_type, attributes)

    def split_composite_key(self, key: str) -> tuple[str, list[str]]:
        """Object type and attributes of a composite key."""
        return composite_keys.split_composite_key(key)

    # -- for the runtime ------------------------------------------------------------------------

    @property
    def event(self) -> tuple[str, bytes] | None:
        """Name and payload of the event set last."""
        return self._event

    @property
    def has_writes(self) -> bool:
        """Whether the function wants to change anything."""
        return bool(self._writes or self._metadata_writes)

    def write_requests(self) -> Iterator[Request[None]]:
        """The messages that hand all writes to the peer."""
        writes = (*self._writes.values(), *self._metadata_writes.values())
        size = self._features.write_batch_max
        if not size:
            yield from map(PutOne, writes)
            return
        for start in range(0, len(writes), size):
            yield PutBatch(writes[start : start + size])
