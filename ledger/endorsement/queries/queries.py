"""Open queries of one transaction: scans and histories, page by page."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Protocol

from google.protobuf.message import DecodeError

from ledger.endorsement.queries.rich_queries import (
    Found,
    Position,
    RichQuery,
    decode_bookmark,
    encode_bookmark,
    parse_rich_query,
    run_rich_query,
)
from ledger.endorsement.queries.work import refused
from ledger.endorsement.simulation.simulator import Row, SimulationRefused, TransactionSimulator
from ledger.model.state import HistoryEntry
from ledger.wire import protos_pb2, queryresult_pb2

PAGE_ROWS = 100
"""Rows in one answer, as in Fabric."""
OPEN_QUERIES_MAX = 100
NANOSECONDS = 1_000_000_000


class _Query(Protocol):
    """An open query: pages until there is no more."""

    def page(self) -> tuple[list[bytes], bool]:
        """Encoded rows, and whether there are more."""
        ...


class _Scan(Protocol):
    """Rows of the public or the private state."""

    def next_row(self) -> Row | None:
        """The next row, None at the end."""
        ...


class _RangePages:
    def __init__(self, namespace: str, scan: _Scan) -> None:
        self._namespace = namespace
        self._scan = scan
        self._pending: Row | None = None

    def page(self) -> tuple[list[bytes], bool]:
        rows: list[bytes] = []
        row = self._pending or self._scan.next_row()
        while row is not None and len(rows) < PAGE_ROWS:
            rows.append(_encode_row(self._namespace, row))
            row = self._scan.next_row()
        self._pending = row
        return rows, row is not None


class _HistoryPages:
    def __init__(self, entries: Iterator[HistoryEntry]) -> None:
        self._entries = entries
        self._pending = list(islice(entries, PAGE_ROWS))

    def page(self) -> tuple[list[bytes], bool]:
        rows = [_encode_history(entry) for entry in self._pending]
        self._pending = list(islice(self._entries, PAGE_ROWS))
        return rows, bool(self._pending)


class _FoundPages:
    """What a rich query found; rows are recorded when the contract gets them."""

    def __init__(self, namespace: str, found: list[Found], note: Callable[[Row], None]) -> None:
        self._namespace = namespace
        self._found = iter(found)
        self._note = note
        self._pending = list(islice(self._found, PAGE_ROWS))

    def page(self) -> tuple[list[bytes], bool]:
        rows = [_encode_found(self._namespace, found, self._note) for found in self._pending]
        self._pending = list(islice(self._found, PAGE_ROWS))
        return rows, bool(self._pending)


class OpenQueries:
    """Queries a transaction has begun; every method gives QueryResponse bytes."""

    __slots__ = ("_next_id", "_queries", "_simulator")

    def __init__(self, simulator: TransactionSimulator) -> None:
        self._simulator = simulator
        self._queries: dict[str, _Query] = {}
        self._next_id = 0

    def scan(self, namespace: str, start_key: str, end_key: str) -> bytes:
        """The first page of [start_key, end_key)."""
        scan = self._simulator.scan(namespace, start_key, end_key)
        return self._open(_RangePages(namespace, scan))

    def scan_private(self, namespace: str, collection: str, start_key: str, end_key: str) -> bytes:
        """The first page of [start_key, end_key) of a private data collection."""
        scan = self._simulator.private.scan(namespace, collection, start_key, end_key)
        return self._open(_RangePages(namespace, scan))

    def history(self, namespace: str, key: str) -> bytes:
        """The first page of a key's values, newest first."""
        return self._open(_HistoryPages(self._simulator.snapshot.history(namespace, key)))

    def bookmarked_page(
        self, namespace: str, request: protos_pb2.GetStateByRange, metadata: bytes
    ) -> bytes:
        """One page of `pageSize` rows; its bookmark is the key where the next begins."""
        self._simulator.use.paging()
        wanted = protos_pb2.QueryMetadata.FromString(metadata)
        size = wanted.pageSize
        self._require_page(size)
        start_key = wanted.bookmark or request.startKey
        scan = self._simulator.scan(namespace, start_key, request.endKey)
        rows: list[bytes] = []
        row = scan.next_row()
        while row is not None and len(rows) < size:
            rows.append(_encode_row(namespace, row))
            row = scan.next_row()
        found = protos_pb2.QueryResponseMetadata(
            fetched_records_count=len(rows), bookmark="" if row is None else row[0]
        )
        return _response(rows, has_more=False, metadata=found.SerializeToString())

    def rich(self, namespace: str, request: protos_pb2.GetQueryResult) -> bytes:
        """Run a rich query: its first page, or with metadata the page asked for. Takes time."""
        try:
            if request.metadata:
                return self._rich_page(namespace, request)
            query = parse_rich_query(request.query, self._simulator.limits.queries)
            found = self._find(namespace, request.collection, query, None)
        except RecursionError as error:
            raise refused("the query or a value is nested too deeply") from error
        except DecodeError as error:
            raise refused("the request for a page does not parse") from error
        return self._open(
            _FoundPages(namespace, found, self._noting(namespace, request.collection))
        )

    def _rich_page(self, namespace: str, request: protos_pb2.GetQueryResult) -> bytes:
        """As in Fabric a page's size takes the place of the query's limit."""
        if request.collection:
            raise SimulationRefused("there are no pages of private data")
        self._simulator.use.paging()
        wanted = protos_pb2.QueryMetadata.FromString(request.metadata)
        self._require_page(wanted.pageSize)
        query = parse_rich_query(request.query, self._simulator.limits.queries)
        after = decode_bookmark(query, wanted.bookmark)
        query = replace(query, limit=wanted.pageSize, skip=query.skip if after is None else 0)
        found = self._find(namespace, "", query, after)
        note = self._noting(namespace, "")
        rows = [_encode_found(namespace, row, note) for row in found]
        metadata = protos_pb2.QueryResponseMetadata(
            fetched_records_count=len(rows),
            bookmark=encode_bookmark(found[-1].position) if found else wanted.bookmark,
        )
        return _response(rows, has_more=False, metadata=metadata.SerializeToString())

    def _find(
        self, namespace: str, collection: str, query: RichQuery, after: Position | None
    ) -> list[Found]:
        """One row more than may be read at most, so that reading it is refused by name."""
        simulator, limits = self._simulator, self._simulator.limits
        if collection:
            scan = simulator.private.scan(namespace, collection, "", "")
            rows = iter(scan.next_row, None)
        else:
            simulator.use.scanning()
            start_key = after.key if after is not None and not query.sort else ""
            rows = simulator.snapshot.range_state(namespace, start_key, "")
        return run_rich_query(
            query, rows, rows_max=limits.reads_max + 1, after=after, limits=limits.queries
        )

    def _noting(self, namespace: str, collection: str) -> Callable[[Row], None]:
        """Private rows are not recorded, as those of a scan are not."""
        if collection:
            return lambda _row: None
        return lambda row: self._simulator.note_found(namespace, row)

    def _require_page(self, size: int) -> None:
        if not 0 < size <= self._simulator.limits.reads_max:
            raise SimulationRefused(f"a page of {size} rows is not possible")

    def next_page(self, query_id: str) -> bytes:
        """The next page of an open query."""
        query = self._queries.get(query_id)
        if query is None:
            raise SimulationRefused(f"there is no open query {query_id[:40]!r}")
        rows, has_more = query.page()
        if not has_more:
            del self._queries[query_id]
        return _response(rows, has_more=has_more, query_id=query_id)

    def close(self, query_id: str) -> bytes:
        """Forget an open query."""
        self._queries.pop(query_id, None)
        return _response([], has_more=False, query_id=query_id)

    def _open(self, query: _Query) -> bytes:
        if len(self._queries) >= OPEN_QUERIES_MAX:
            raise SimulationRefused(f"more than {OPEN_QUERIES_MAX} queries are open")
        self._next_id += 1
        query_id = f"{self._simulator.tx_id[:16]}-{self._next_id}"
        self._queries[query_id] = query
        return self.next_page(query_id)


def _encode_row(namespace: str, row: Row) -> bytes:
    return queryresult_pb2.KV(
        namespace=namespace, key=row[0], value=row[1].value
    ).SerializeToString()


def _encode_found(namespace: str, found: Found, note: Callable[[Row], None]) -> bytes:
    note((found.key, found.versioned))
    return queryresult_pb2.KV(
        namespace=namespace, key=found.key, value=found.value
    ).SerializeToString()


def _encode_history(entry: HistoryEntry) -> bytes:
    wire = queryresult_pb2.KeyModification(
        tx_id=entry.tx_id, value=entry.value, is_delete=entry.is_delete
    )
    wire.timestamp.seconds, wire.timestamp.nanos = divmod(entry.timestamp_ns, NANOSECONDS)
    return wire.SerializeToString()


def _response(
    rows: list[bytes], *, has_more: bool, query_id: str = "", metadata: bytes = b""
) -> bytes:
    return protos_pb2.QueryResponse(
        results=[protos_pb2.QueryResultBytes(resultBytes=row) for row in rows],
        has_more=has_more,
        id=query_id,
        metadata=metadata,
    ).SerializeToString()
