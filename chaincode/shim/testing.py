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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chaincode.shim.chaincode import Chaincode
from chaincode.shim.contract import Contract
from chaincode.shim.errors import PeerError
from chaincode.shim.json_values import canonical_json
from chaincode.shim.peer_features import PeerFeatures
from chaincode.shim.requests import Response
from chaincode.shim.stub import ChaincodeStub
from chaincode.shim.testing_identities import TestIdentity, make_identity
from chaincode.shim.testing_simulation import VALID, CommittedState, Event, Recorder, Simulation
from chaincode.shim.transaction_facts import ProposalFacts

FEATURES = PeerFeatures(write_batch_max=1000, get_multiple_max=1000)
CHANNEL_ID = "community"

Transient = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state to return to, or to compare with a later one."""

    state: CommittedState
    events: tuple[Event, ...]
    height: int
    now: datetime


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
        self._committed = CommittedState()

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
        return self._committed.value(key)

    def keys(self, prefix: str = "") -> list[str]:
        """All committed keys with a prefix, in order."""
        return [key for key in self._committed.keys("", "") if key.startswith(prefix)]

    def snapshot(self) -> Snapshot:
        """The present state, events and time."""
        return Snapshot(self._committed.copy(), tuple(self.events), self.height, self.now)

    def restore(self, snapshot: Snapshot) -> None:
        """Return to a snapshot; it can be used again."""
        self._committed = snapshot.state.copy()
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
        simulation.response = _drive(self._chaincode, stub, Recorder(self._committed, simulation))
        if stub.event is not None:
            simulation.event = Event(*stub.event, tx_id)
        return simulation

    def commit(self, simulations: Sequence[Simulation]) -> list[str]:
        """Commit as one block, in order; the validation code of each. Refused ones raise."""
        codes = []
        for index, simulation in enumerate(simulations):
            _ = simulation.result
            code = self._committed.judge(simulation)
            if code == VALID:
                self._committed.apply(simulation, (self.height, index))
                if simulation.event is not None:
                    self.events.append(simulation.event)
            codes.append(code)
        self.height += 1
        return codes


def _drive(chaincode: Chaincode, stub: ChaincodeStub, recorder: Recorder) -> Response:
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


def _time(value: str | datetime) -> datetime:
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    if time.tzinfo is None:
        raise ValueError("a ledger time needs a zone")
    return time.astimezone(UTC)


def _nanoseconds(time: datetime) -> int:
    since = time - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
