"""Requests of one transaction for many rows: ranges, rich queries, histories, and their pages."""

from collections.abc import Callable
from dataclasses import dataclass

from ledger.endorsement.queries.queries import OpenQueries
from ledger.endorsement.simulation.key_spaces import KeySpaces
from ledger.endorsement.simulation.simulator import TransactionSimulator
from ledger.wire import protos_pb2
from ledger.wire.protos_pb2 import ChaincodeMessage


@dataclass(frozen=True, slots=True)
class LongRequest:
    """The contract asked for what takes time; `run` is for a thread and gives the answer."""

    run: Callable[[], bytes]


class QueryHandler:
    """Answers them for one chaincode; raises SimulationRefused, or DecodeError of the payload."""

    __slots__ = ("_keys", "_namespace", "_queries")

    def __init__(self, simulator: TransactionSimulator, namespace: str, keys: KeySpaces) -> None:
        self._namespace = namespace
        self._keys = keys
        self._queries = OpenQueries(simulator)

    def answer(self, kind: int, payload: bytes) -> bytes | LongRequest:
        """The payload of the answer to a request of `QUERY_KINDS`."""
        return _HANDLERS[kind](self, payload)

    def _get_range(self, payload: bytes) -> bytes:
        request = protos_pb2.GetStateByRange.FromString(payload)
        if request.collection:  # there are no pages of private data
            self._keys.readable(request.collection)
            return self._queries.scan_private(
                self._namespace, request.collection, request.startKey, request.endKey
            )
        if request.metadata:
            return self._queries.bookmarked_page(self._namespace, request, request.metadata)
        return self._queries.scan(self._namespace, request.startKey, request.endKey)

    def _get_query_result(self, payload: bytes) -> LongRequest:
        request = protos_pb2.GetQueryResult.FromString(payload)
        self._keys.readable(request.collection)
        return LongRequest(lambda: self._queries.rich(self._namespace, request))

    def _get_history(self, payload: bytes) -> bytes:
        key = protos_pb2.GetHistoryForKey.FromString(payload).key
        return self._queries.history(self._namespace, key)

    def _query_next(self, payload: bytes) -> bytes:
        return self._queries.next_page(protos_pb2.QueryStateNext.FromString(payload).id)

    def _query_close(self, payload: bytes) -> bytes:
        return self._queries.close(protos_pb2.QueryStateClose.FromString(payload).id)


Handle = Callable[[QueryHandler, bytes], bytes | LongRequest]

# Private methods, because nobody else calls them.
_HANDLERS: dict[int, Handle] = {
    ChaincodeMessage.GET_STATE_BY_RANGE: QueryHandler._get_range,  # noqa: SLF001
    ChaincodeMessage.GET_QUERY_RESULT: QueryHandler._get_query_result,  # noqa: SLF001
    ChaincodeMessage.GET_HISTORY_FOR_KEY: QueryHandler._get_history,  # noqa: SLF001
    ChaincodeMessage.QUERY_STATE_NEXT: QueryHandler._query_next,  # noqa: SLF001
    ChaincodeMessage.QUERY_STATE_CLOSE: QueryHandler._query_close,  # noqa: SLF001
}

QUERY_KINDS = frozenset(_HANDLERS)
"""Types of these requests."""
