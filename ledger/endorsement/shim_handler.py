"""The peer's side of one transaction on a chaincode stream, without the stream.

`answer(type, payload)` gives the payload of RESPONSE, raises `SimulationRefused` for ERROR, or
returns a `ChaincodeCall` that the caller has to run first. The same handler serves the process
the peer started and a chaincode that runs as a service.
"""

from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from ledger.endorsement.queries import OpenQueries
from ledger.endorsement.simulator import SimulationRefused, TransactionSimulator
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


class TransactionHandler:
    """Answers one transaction's requests from its simulator."""

    __slots__ = ("_namespace", "_paged", "_queries", "_simulator", "_wrote")

    def __init__(self, namespace: str, simulator: TransactionSimulator) -> None:
        self._namespace = namespace
        self._simulator = simulator
        self._queries = OpenQueries(simulator)
        self._paged = False
        self._wrote = False

    def answer(self, kind: int, payload: bytes) -> bytes | ChaincodeCall:
        """The payload of the answer; raises SimulationRefused."""
        handle = _HANDLERS.get(kind)
        if handle is None:
            raise SimulationRefused(f"requests of type {kind} are not supported by this peer")
        try:
            return handle(self, payload)
        except DecodeError as error:
            raise SimulationRefused(f"a request of type {kind} does not parse") from error

    # -- reading ----------------------------------------------------------------------------------

    def _get_state(self, payload: bytes) -> bytes:
        request = protos_pb2.GetState.FromString(payload)
        _refuse_collection(request.collection)
        return self._simulator.get_state(self._namespace, request.key)

    def _get_states(self, payload: bytes) -> bytes:
        request = protos_pb2.GetStateMultiple.FromString(payload)
        _refuse_collection(request.collection)
        _require_at_most(len(request.keys), GET_MULTIPLE_MAX, "keys")
        namespace, get_state = self._namespace, self._simulator.get_state
        return protos_pb2.GetStateMultipleResult(
            values=[get_state(namespace, key) for key in request.keys]
        ).SerializeToString()

    def _get_metadata(self, payload: bytes) -> bytes:
        request = protos_pb2.GetStateMetadata.FromString(payload)
        _refuse_collection(request.collection)
        entries = self._simulator.get_metadata(self._namespace, request.key)
        return protos_pb2.StateMetadataResult(
            entries=[protos_pb2.StateMetadata(metakey=name, value=v) for name, v in entries]
        ).SerializeToString()

    def _get_range(self, payload: bytes) -> bytes:
        request = protos_pb2.GetStateByRange.FromString(payload)
        _refuse_collection(request.collection)
        if request.metadata:
            if self._wrote:
                raise SimulationRefused("paged queries are for transactions that write nothing")
            self._paged = True
            return self._queries.bookmarked_page(self._namespace, request, request.metadata)
        return self._queries.scan(self._namespace, request.startKey, request.endKey)

    def _get_history(self, payload: bytes) -> bytes:
        key = protos_pb2.GetHistoryForKey.FromString(payload).key
        return self._queries.history(self._namespace, key)

    def _query_next(self, payload: bytes) -> bytes:
        return self._queries.next_page(protos_pb2.QueryStateNext.FromString(payload).id)

    def _query_close(self, payload: bytes) -> bytes:
        return self._queries.close(protos_pb2.QueryStateClose.FromString(payload).id)

    # -- writing ----------------------------------------------------------------------------------

    def _put_state(self, payload: bytes) -> bytes:
        request = protos_pb2.PutState.FromString(payload)
        _refuse_collection(request.collection)
        self._writing()
        self._simulator.put_state(self._namespace, request.key, request.value)
        return b""

    def _del_state(self, payload: bytes) -> bytes:
        request = protos_pb2.DelState.FromString(payload)
        _refuse_collection(request.collection)
        self._writing()
        self._simulator.put_state(self._namespace, request.key, b"")
        return b""

    def _put_metadata(self, payload: bytes) -> bytes:
        request = protos_pb2.PutStateMetadata.FromString(payload)
        _refuse_collection(request.collection)
        self._writing()
        metadata = request.metadata
        self._simulator.put_metadata(
            self._namespace, request.key, metadata.metakey, metadata.value
        )
        return b""

    def _write_batch(self, payload: bytes) -> bytes:
        records = protos_pb2.WriteBatchState.FromString(payload).rec
        _require_at_most(len(records), WRITE_BATCH_MAX, "writes")
        self._writing()
        for record in records:
            _refuse_collection(record.collection)
            if record.type == WriteRecord.PUT_STATE:
                self._simulator.put_state(self._namespace, record.key, record.value)
            elif record.type == WriteRecord.DEL_STATE:
                self._simulator.put_state(self._namespace, record.key, b"")
            elif record.type == WriteRecord.PUT_STATE_METADATA:
                name, value = record.metadata.metakey, record.metadata.value
                self._simulator.put_metadata(self._namespace, record.key, name, value)
            else:
                raise SimulationRefused(f"writes of type {record.type} are not supported")
        return b""

    def _writing(self) -> None:
        if self._paged:
            raise SimulationRefused("a transaction that used a paged query may not write")
        self._wrote = True

    # -- others -----------------------------------------------------------------------------------

    def _invoke(self, payload: bytes) -> ChaincodeCall:
        spec = protos_pb2.ChaincodeSpec.FromString(payload)
        name, _, channel = spec.chaincode_id.name.partition("/")
        return ChaincodeCall(name, channel, tuple(spec.input.args))


def _unsupported(_handler: TransactionHandler, _payload: bytes) -> bytes:
    raise SimulationRefused("rich queries and private data are not supported by this peer yet")


def _require_at_most(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise SimulationRefused(f"{count} {what} in one request, at most {limit}")


def _refuse_collection(collection: str) -> None:
    if collection:
        raise SimulationRefused("private data collections are not supported by this peer yet")


Handle = Callable[[TransactionHandler, bytes], bytes | ChaincodeCall]

# One line for each request of the protocol; private methods, because nobody else calls them.
_HANDLERS: dict[int, Handle] = {
    ChaincodeMessage.GET_STATE: TransactionHandler._get_state,  # noqa: SLF001
    ChaincodeMessage.GET_STATE_MULTIPLE: TransactionHandler._get_states,  # noqa: SLF001
    ChaincodeMessage.GET_STATE_METADATA: TransactionHandler._get_metadata,  # noqa: SLF001
    ChaincodeMessage.GET_STATE_BY_RANGE: TransactionHandler._get_range,  # noqa: SLF001
    ChaincodeMessage.GET_HISTORY_FOR_KEY: TransactionHandler._get_history,  # noqa: SLF001
    ChaincodeMessage.QUERY_STATE_NEXT: TransactionHandler._query_next,  # noqa: SLF001
    ChaincodeMessage.QUERY_STATE_CLOSE: TransactionHandler._query_close,  # noqa: SLF001
    ChaincodeMessage.PUT_STATE: TransactionHandler._put_state,  # noqa: SLF001
    ChaincodeMessage.DEL_STATE: TransactionHandler._del_state,  # noqa: SLF001
    ChaincodeMessage.PUT_STATE_METADATA: TransactionHandler._put_metadata,  # noqa: SLF001
    ChaincodeMessage.WRITE_BATCH_STATE: TransactionHandler._write_batch,  # noqa: SLF001
    ChaincodeMessage.INVOKE_CHAINCODE: TransactionHandler._invoke,  # noqa: SLF001
    ChaincodeMessage.GET_QUERY_RESULT: _unsupported,
    ChaincodeMessage.GET_PRIVATE_DATA_HASH: _unsupported,
    ChaincodeMessage.PURGE_PRIVATE_DATA: _unsupported,
}
