"""A simulated transaction of the test ledger: what it read and wrote, and whether it still holds.

The rules are the ledger's: a read conflicts when its key got another version since, a range when
another key came or went.
"""

import json
from dataclasses import dataclass, field, replace
from typing import Any

from chaincode.shim.errors import STATUS_BAD_REQUEST, ContractError, PeerError
from chaincode.shim.requests import (
    GetHistory,
    GetMetadata,
    GetRange,
    GetState,
    GetStates,
    InvokeChaincode,
    KeyModification,
    KeyValue,
    Page,
    PutBatch,
    PutOne,
    QueryClose,
    QueryNext,
    Request,
    Response,
    Write,
)

VALID = "VALID"
MVCC_READ_CONFLICT = "MVCC_READ_CONFLICT"
PHANTOM_READ_CONFLICT = "PHANTOM_READ_CONFLICT"
PAGE_SIZE = 100

Version = tuple[int, int]
"""(block number, index of the transaction in it)"""


@dataclass(frozen=True, slots=True)
class Event:
    """A committed chaincode event; `value` is its payload decoded as JSON if it is JSON."""

    name: str
    payload: bytes
    tx_id: str

    @property
    def value(self) -> Any:
        """The payload's JSON value."""
        return json.loads(self.payload)


@dataclass(slots=True)
class Simulation:
    """A transaction that ran but is not committed: its result, reads, ranges and writes."""

    tx_id: str
    timestamp_ns: int
    response: Response = field(default_factory=lambda: Response(0, "", b""))
    event: Event | None = None
    reads: dict[str, Version | None] = field(default_factory=dict)
    ranges: list[tuple[str, str, list[tuple[str, Version]]]] = field(default_factory=list)
    writes: dict[str, Write] = field(default_factory=dict)
    metadata_writes: dict[str, Write] = field(default_factory=dict)

    @property
    def result(self) -> Any:
        """The decoded result; ContractError if the contract refused."""
        if self.response.status >= STATUS_BAD_REQUEST:
            code, _, message = self.response.message.partition(": ")
            raise ContractError(code, message, self.response.status)
        return decode_result(self.response.payload)


def decode_result(payload: bytes) -> Any:
    """JSON value if the payload is JSON, else text, else bytes; None if empty."""
    if not payload:
        return None
    try:
        return json.loads(payload)
    except ValueError:
        pass
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:
        return payload


@dataclass(slots=True)
class CommittedState:
    """Values with the version of their last write, metadata and history of every key."""

    values: dict[str, tuple[bytes, Version]] = field(default_factory=dict)
    metadata: dict[str, dict[str, bytes]] = field(default_factory=dict)
    history: dict[str, tuple[KeyModification, ...]] = field(default_factory=dict)
    """Newest first."""

    def copy(self) -> "CommittedState":
        """A state that later commits do not change."""
        return CommittedState(dict(self.values), dict(self.metadata), dict(self.history))

    def value(self, key: str) -> bytes | None:
        """The committed value; None if there is none."""
        found = self.values.get(key)
        return None if found is None else found[0]

    def version(self, key: str) -> Version | None:
        """(block, transaction) of the last write; None if the key has no value."""
        found = self.values.get(key)
        return None if found is None else found[1]

    def keys(self, start: str, end: str) -> list[str]:
        """Keys in [start, end) in order; an empty `end` ends with the last key."""
        return sorted(key for key in self.values if start <= key and (not end or key < end))

    def judge(self, simulation: Simulation) -> str:
        """The validation code a simulated transaction gets against the present state."""
        if any(self.version(key) != version for key, version in simulation.reads.items()):
            return MVCC_READ_CONFLICT
        for start, end, found in simulation.ranges:
            if [(key, self.values[key][1]) for key in self.keys(start, end)] != found:
                return PHANTOM_READ_CONFLICT
        return VALID

    def apply(self, simulation: Simulation, version: Version) -> None:
        """Make the writes of a valid transaction."""
        for write in simulation.writes.values():
            change = KeyModification(
                simulation.tx_id, write.value or b"", simulation.timestamp_ns, not write.value
            )
            self.history[write.key] = (change, *self.history.get(write.key, ()))
            if write.value:
                self.values[write.key] = (write.value, version)
            else:
                self.values.pop(write.key, None)
                self.metadata.pop(write.key, None)
        for write in simulation.metadata_writes.values():
            if write.key in self.values:
                self.metadata[write.key] = {write.metadata_name: write.value or b""}
                self.values[write.key] = (self.values[write.key][0], version)


class Recorder:
    """Answers a contract's requests from the committed state and notes them in the simulation."""

    def __init__(self, committed: CommittedState, simulation: Simulation) -> None:
        self._committed = committed
        self._simulation = simulation
        self._open: dict[str, list[KeyValue]] = {}

    def answer(self, request: Request[Any]) -> Any:  # noqa: C901, PLR0911 - one line for each request
        match request:
            case GetState(key):
                return self._read(key)
            case GetStates(keys):
                return [self._read(key) for key in keys]
            case GetRange():
                return self._scan(request)
            case QueryNext(query_id):
                return self._page(query_id)
            case QueryClose():
                return None
            case GetHistory(key):
                return Page(self._committed.history.get(key, ()), has_more=False, query_id="")
            case GetMetadata(key):
                self._read(key)
                return dict(self._committed.metadata.get(key, {}))
            case PutBatch(writes):
                for write in writes:
                    self._write(write)
                return None
            case PutOne(write):
                return self._write(write)
            case InvokeChaincode(name):
                raise PeerError(f"chaincode {name} is not part of this test ledger")
        raise PeerError(f"unknown request {request!r}")

    def _read(self, key: str) -> bytes:
        self._simulation.reads.setdefault(key, self._committed.version(key))
        return self._committed.value(key) or b""

    def _write(self, write: Write) -> None:
        writes = (
            self._simulation.metadata_writes if write.metadata_name else (self._simulation.writes)
        )
        writes[write.key] = write

    def _scan(self, request: GetRange) -> Page:
        start = request.bookmark or request.start_key
        keys = self._committed.keys(start, request.end_key)
        bookmark = ""
        if request.page_size:
            bookmark = keys[request.page_size] if len(keys) > request.page_size else ""
            keys = keys[: request.page_size]
        values = self._committed.values
        end = bookmark or request.end_key
        self._simulation.ranges.append((start, end, [(key, values[key][1]) for key in keys]))
        query_id = str(len(self._open))
        self._open[query_id] = [KeyValue(key, values[key][0]) for key in keys]
        return replace(self._page(query_id), bookmark=bookmark)

    def _page(self, query_id: str) -> Page:
        rows = self._open[query_id]
        self._open[query_id] = rows[PAGE_SIZE:]
        return Page(tuple(rows[:PAGE_SIZE]), bool(self._open[query_id]), query_id)
