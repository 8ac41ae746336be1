"""A ledger in memory for testing contracts: no processes, no network, time under control.

    ledger = TestLedger([Registry(), Market()], start="2026-01-01T00:00:00Z")
    coop = ledger.client("CoopMSP", "operator", attributes={"role": "operator"})
    alice = ledger.client("CoopMSP", "alice", attributes={"idgrid": "IDG-1"})

    coop.submit("registry:register", "IDG-1")          # simulate and commit in its own block
    offer = alice.submit("market:place_offer", "2026-01-01T10", 1500)   # decoded JSON result
    alice.evaluate("market:listing", "2026-01-01T10")  # never commits
    ledger.advance(minutes=10)                         # or ledger.at("2026-01-01T10:00:00Z")
    ledger.events                                      # committed events, oldest first
    ledger.state("key"), ledger.keys(), ledger.snapshot(), ledger.restore(snapshot)

A refusal raises `ContractError` with the contract's code and status; INTERNAL is a bug. Values
that are not bytes or str are sent as JSON. Conflicts between transactions simulated at the same
time, committed as one block in the given order:

    first = alice.simulate("market:place_offer", …)    # reads and writes recorded
    second = bob.simulate("market:place_offer", …)
    assert ledger.commit([first, second]) == ["VALID", "VALID"]     # else *_READ_CONFLICT
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chaincode.shim.chaincode import Chaincode
from chaincode.shim.contract import Contract
from chaincode.shim.errors import STATUS_BAD_REQUEST, ContractError, PeerError
from chaincode.shim.json_values import canonical_json
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
from chaincode.shim.stub import ChaincodeStub, PeerFeatures, ProposalFacts
from chaincode.shim.testing_identities import TestIdentity, make_identity

VALID = "VALID"
MVCC_READ_CONFLICT = "MVCC_READ_CONFLICT"
PHANTOM_READ_CONFLICT = "PHANTOM_READ_CONFLICT"
PAGE_SIZE = 100
FEATURES = PeerFeatures(write_batch_max=1000, get_multiple_max=1000)
CHANNEL_ID = "community"

Version = tuple[int, int]
Transient = Mapping[str, bytes]


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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state to return to; opaque."""

    state: dict[str, tuple[bytes, Version]]
    metadata: dict[str, dict[str, bytes]]
    history: dict[str, tuple[KeyModification, ...]]
    events: tuple[Event, ...]
    height: int
    now: datetime


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


@dataclass(frozen=True, slots=True)
class TestClient:
    """A participant of the test ledger, with a real certificate and key."""

    __test__ = False  # not a test case, whatever its name says to pytest

    ledger: "TestLedger"
    identity: TestIdentity

    def submit(self, function: str, *args: object, transient: Transient | None = None) -> Any:
        """Run and commit as one block; the decoded result."""
        simulation = self.simulate(function, *args, transient=transient)
        result = simulation.result
        self.ledger.commit([simulation])
        return result

    def evaluate(self, function: str, *args: object, transient: Transient | None = None) -> Any:
        """Run without committing; the decoded result."""
        return self.simulate(function, *args, transient=transient).result

    def simulate(
        self, function: str, *args: object, transient: Transient | None = None
    ) -> Simulation:
        """Run against the present state; commit it with `ledger.commit` or drop it."""
        raw = (function.encode("utf-8"), *map(encode_argument, args))
        return self.ledger.simulate(self.identity, raw, transient or {})

    def sign(self, message: bytes) -> bytes:
        """DER, low-S signature with the client's key."""
        return self.identity.sign(message)


class TestLedger:
    """State, versions, history and events of one chaincode, with a clock the test sets."""

    __test__ = False  # not a test case, whatever its name says to pytest

    def __init__(
        self,
        contracts: Sequence[Contract],
        *,
        start: str | datetime = "2026-01-01T00:00:00Z",
        channel_id: str = CHANNEL_ID,
    ) -> None:
        self._chaincode = Chaincode(contracts)
        self._channel_id = channel_id
        self._transactions = 0
        self.now = _time(start)
        self.height = 1
        self.events: list[Event] = []
        self._state: dict[str, tuple[bytes, Version]] = {}
        self._metadata: dict[str, dict[str, bytes]] = {}
        self._history: dict[str, tuple[KeyModification, ...]] = {}

    # -- participants and time -------------------------------------------------------------------

    def client(
        self,
        mspid: str,
        name: str = "user",
        *,
        attributes: Mapping[str, str] | None = None,
        role: str = "client",
    ) -> TestClient:
        """A participant; `attributes` go into the certificate, `role` is its NodeOU."""
        return TestClient(self, make_identity(mspid, name, attributes or {}, role))

    as_client = client

    def at(self, time: str | datetime) -> None:
        """Set the clock (ISO 8601 with zone, or an aware datetime)."""
        self.now = _time(time)

    def advance(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        """Move the clock."""
        self.now += timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)

    # -- state -----------------------------------------------------------------------------------

    def state(self, key: str) -> bytes | None:
        """The committed value."""
        found = self._state.get(key)
        return None if found is None else found[0]

    def keys(self, prefix: str = "") -> list[str]:
        """All committed keys with a prefix, in order."""
        return sorted(key for key in self._state if key.startswith(prefix))

    def snapshot(self) -> Snapshot:
        """The present state, events and time."""
        return Snapshot(
            dict(self._state),
            dict(self._metadata),
            dict(self._history),
            tuple(self.events),
            self.height,
            self.now,
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Return to a snapshot; it can be used again."""
        self._state = dict(snapshot.state)
        self._metadata = dict(snapshot.metadata)
        self._history = dict(snapshot.history)
        self.events = list(snapshot.events)
        self.height, self.now = snapshot.height, snapshot.now

    # -- transactions ----------------------------------------------------------------------------

    def simulate(
        self, identity: TestIdentity, args: tuple[bytes, ...], transient: Transient
    ) -> Simulation:
        """Run one call against the committed state, recording what it reads and writes."""
        self._transactions += 1
        tx_id = hashlib.sha256(f"test transaction {self._transactions}".encode()).hexdigest()
        timestamp_ns = _nanoseconds(self.now)
        stub = ChaincodeStub(
            channel_id=self._channel_id,
            tx_id=tx_id,
            args=args,
            proposal=ProposalFacts(identity.creator, timestamp_ns, dict(transient)),
            features=FEATURES,
        )
        simulation = Simulation(tx_id, timestamp_ns)
        simulation.response = _drive(self._chaincode, stub, _Recorder(self, simulation))
        if stub.event is not None:
            simulation.event = Event(*stub.event, tx_id)
        return simulation

    def commit(self, simulations: Sequence[Simulation]) -> list[str]:
        """Commit as one block, in order; the validation code of each. Refused ones raise."""
        codes = []
        for index, simulation in enumerate(simulations):
            _ = simulation.result
            code = self._validate(simulation)
            if code == VALID:
                self._apply(simulation, (self.height, index))
            codes.append(code)
        self.height += 1
        return codes

    def _validate(self, simulation: Simulation) -> str:
        if any(self._version(key) != version for key, version in simulation.reads.items()):
            return MVCC_READ_CONFLICT
        for start, end, found in simulation.ranges:
            if [(key, self._state[key][1]) for key in self._range(start, end)] != found:
                return PHANTOM_READ_CONFLICT
        return VALID

    def _apply(self, simulation: Simulation, version: Version) -> None:
        for write in simulation.writes.values():
            change = KeyModification(
                simulation.tx_id, write.value or b"", simulation.timestamp_ns, not write.value
            )
            self._history[write.key] = (change, *self._history.get(write.key, ()))
            if write.value:
                self._state[write.key] = (write.value, version)
            else:
                self._state.pop(write.key, None)
                self._metadata.pop(write.key, None)
        for write in simulation.metadata_writes.values():
            if write.key in self._state:
                self._metadata[write.key] = {write.metadata_name: write.value or b""}
                self._state[write.key] = (self._state[write.key][0], version)
        if simulation.event is not None:
            self.events.append(simulation.event)

    def _version(self, key: str) -> Version | None:
        found = self._state.get(key)
        return None if found is None else found[1]

    def _range(self, start: str, end: str) -> list[str]:
        return sorted(key for key in self._state if start <= key and (not end or key < end))


class _Recorder:
    """Answers a contract's requests from the ledger and notes them in the simulation."""

    def __init__(self, ledger: TestLedger, simulation: Simulation) -> None:
        self._ledger = ledger
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
                return Page(self._ledger._history.get(key, ()), has_more=False, query_id="")  # noqa: SLF001
            case GetMetadata(key):
                self._read(key)
                return dict(self._ledger._metadata.get(key, {}))  # noqa: SLF001
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
        self._simulation.reads.setdefault(key, self._ledger._version(key))  # noqa: SLF001
        return self._ledger.state(key) or b""

    def _write(self, write: Write) -> None:
        writes = (
            self._simulation.metadata_writes if write.metadata_name else (self._simulation.writes)
        )
        writes[write.key] = write

    def _scan(self, request: GetRange) -> Page:
        start = request.bookmark or request.start_key
        keys = self._ledger._range(start, request.end_key)  # noqa: SLF001
        bookmark = ""
        if request.page_size:
            bookmark = keys[request.page_size] if len(keys) > request.page_size else ""
            keys = keys[: request.page_size]
        state = self._ledger._state  # noqa: SLF001
        end = bookmark or request.end_key
        self._simulation.ranges.append((start, end, [(key, state[key][1]) for key in keys]))
        query_id = str(len(self._open))
        self._open[query_id] = [KeyValue(key, state[key][0]) for key in keys]
        return replace(self._page(query_id), bookmark=bookmark)

    def _page(self, query_id: str) -> Page:
        rows = self._open[query_id]
        self._open[query_id] = rows[PAGE_SIZE:]
        return Page(tuple(rows[:PAGE_SIZE]), bool(self._open[query_id]), query_id)


def _drive(chaincode: Chaincode, stub: ChaincodeStub, recorder: _Recorder) -> Response:
    run = chaincode.invoke(stub)
    try:
        request = run.send(None)
        while True:
            try:
                answer = recorder.answer(request)
            except PeerError as error:
                request = run.throw(error)
            else:
                request = run.send(answer)
    except StopIteration as finished:
        response: Response = finished.value
        return response


def encode_argument(value: object) -> bytes:
    """Bytes as they are, str UTF-8, everything else canonical JSON."""
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8") if isinstance(value, str) else canonical_json(value)


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


def _time(value: str | datetime) -> datetime:
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    if time.tzinfo is None:
        raise ValueError("a ledger time needs a zone")
    return time.astimezone(UTC)


def _nanoseconds(time: datetime) -> int:
    since = time - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
