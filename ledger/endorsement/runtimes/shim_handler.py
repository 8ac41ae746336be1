"""The peer's side of one transaction on a chaincode stream, without the stream.

`answer(type, payload)` gives the payload of RESPONSE, raises `SimulationRefused` for ERROR, or
returns a `Deferred` request that the caller has to run first. The same handler serves the process
the peer started and a chaincode that runs as a service.
"""

from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from ledger.endorsement.runtimes.query_handler import QUERY_KINDS, LongRequest, QueryHandler
from ledger.endorsement.simulation.key_spaces import KeySpace, KeySpaces
from ledger.endorsement.simulation.simulator import SimulationRefused, TransactionSimulator
from ledger.wire import protos_pb2
from ledger.wire.protos_pb2 import ChaincodeMessage, WriteRecord

WRITE_BATCH_MAX = 1_000
"""Writes in one request."""
GET_MULTIPLE_MAX = 1_000
"""Keys in one request."""


@dataclass(frozen=True, slots=True)
class ChaincodeCall:
    """The contract calls another chaincode; `channel` is empty for its own."""

    chaincode_name: str
    channel: str
    args: tuple[bytes, ...]


Deferred = ChaincodeCall | LongRequest
"""Requests that are answered later."""


class TransactionHandler:
    """Answers one transaction's requests from its simulator."""

    __slots__ = ("_keys", "_queries")

    def __init__(
        self, namespace: str, simulator: TransactionSimulator, *, is_init: bool = False
    ) -> None:
        """`is_init`: the chaincode's Init runs, which has no private data in Fabric."""
        self._keys = KeySpaces(simulator, namespace, is_init=is_init)
        self._queries = QueryHandler(simulator, namespace, self._keys)

    def answer(self, kind: int, payload: bytes) -> bytes | Deferred:
        """The payload of the answer; raises SimulationRefused."""
        try:
            if kind in QUERY_KINDS:
                return self._queries.answer(kind, payload)
            if (handle := _HANDLERS.get(kind)) is not None:
                return handle(self, payload)
        except DecodeError as error:
            raise SimulationRefused(f"a request of type {kind} does not parse") from error
        raise SimulationRefused(f"requests of type {kind} are not supported by this peer")

    # -- reading ----------------------------------------------------------------------------------

    def _get_state(self, payload: bytes) -> bytes:
        request = protos_pb2.GetState.FromString(payload)
        return self._keys.readable(request.collection).get(request.key)

    def _get_states(self, payload: bytes) -> bytes:
        request = protos_pb2.GetStateMultiple.FromString(payload)
        _require_at_most(len(request.keys), GET_MULTIPLE_MAX, "keys")
        keys = self._keys.readable(request.collection)
        return protos_pb2.GetStateMultipleResult(
            values=[keys.get(key) for key in request.keys]
        ).SerializeToString()

    def _get_private_hash(self, payload: bytes) -> bytes:
        """The hash is public: whoever may run the contract may read it."""
        request = protos_pb2.GetState.FromString(payload)
        return self._keys.private_hash(request.collection, request.key)

    def _get_metadata(self, payload: bytes) -> bytes:
        request = protos_pb2.GetStateMetadata.FromString(payload)
        entries = self._keys.readable(request.collection).metadata(request.key)
        return protos_pb2.StateMetadataResult(
            entries=[protos_pb2.StateMetadata(metakey=name, value=v) for name, v in entries]
        ).SerializeToString()

    # -- writing ----------------------------------------------------------------------------------

    def _put_state(self, payload: bytes) -> bytes:
        request = protos_pb2.PutState.FromString(payload)
        self._keys.writable(request.collection).put(request.key, request.value)
        return b""

    def _del_state(self, payload: bytes) -> bytes:
        request = protos_pb2.DelState.FromString(payload)
        self._keys.writable(request.collection).put(request.key, b"")
        return b""

    def _purge_private(self, payload: bytes) -> bytes:
        request = protos_pb2.PurgePrivateState.FromString(payload)
        self._keys.writable(request.collection).purge(request.key)
        return b""

    def _put_metadata(self, payload: bytes) -> bytes:
        request = protos_pb2.PutStateMetadata.FromString(payload)
        metadata = request.metadata
        keys = self._keys.writable(request.collection)
        keys.put_metadata(request.key, metadata.metakey, metadata.value)
        return b""

    def _write_batch(self, payload: bytes) -> bytes:
        records = protos_pb2.WriteBatchState.FromString(payload).rec
        _require_at_most(len(records), WRITE_BATCH_MAX, "writes")
        for record in records:
            _write(self._keys.writable(record.collection), record)
        return b""


def _invoke(_handler: TransactionHandler, payload: bytes) -> ChaincodeCall:
    spec = protos_pb2.ChaincodeSpec.FromString(payload)
    name, _, channel = spec.chaincode_id.name.partition("/")
    return ChaincodeCall(name, channel, tuple(spec.input.args))


def _write(keys: KeySpace, record: WriteRecord) -> None:
    """One write of a batch."""
    if record.type == WriteRecord.PUT_STATE:
        keys.put(record.key, record.value)
    elif record.type == WriteRecord.DEL_STATE:
        keys.put(record.key, b"")
    elif record.type == WriteRecord.PURGE_PRIVATE_DATA:
        keys.purge(record.key)
    elif record.type == WriteRecord.PUT_STATE_METADATA:
        keys.put_metadata(record.key, record.metadata.metakey, record.metadata.value)
    else:
        raise SimulationRefused(f"writes of type {record.type} are not supported")


def _require_at_most(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise SimulationRefused(f"{count} {what} in one request, at most {limit}")


Handle = Callable[[TransactionHandler, bytes], bytes | Deferred]

# One line for each request of the protocol; private methods, because nobody else calls them.
_HANDLERS: dict[int, Handle] = {
    ChaincodeMessage.GET_STATE: TransactionHandler._get_state,  # noqa: SLF001
    ChaincodeMessage.GET_STATE_MULTIPLE: TransactionHandler._get_states,  # noqa: SLF001
    ChaincodeMessage.GET_PRIVATE_DATA_HASH: TransactionHandler._get_private_hash,  # noqa: SLF001
    ChaincodeMessage.GET_STATE_METADATA: TransactionHandler._get_metadata,  # noqa: SLF001
    ChaincodeMessage.PUT_STATE: TransactionHandler._put_state,  # noqa: SLF001
    ChaincodeMessage.DEL_STATE: TransactionHandler._del_state,  # noqa: SLF001
    ChaincodeMessage.PURGE_PRIVATE_DATA: TransactionHandler._purge_private,  # noqa: SLF001
    ChaincodeMessage.PUT_STATE_METADATA: TransactionHandler._put_metadata,  # noqa: SLF001
    ChaincodeMessage.WRITE_BATCH_STATE: TransactionHandler._write_batch,  # noqa: SLF001
    ChaincodeMessage.INVOKE_CHAINCODE: _invoke,
}
