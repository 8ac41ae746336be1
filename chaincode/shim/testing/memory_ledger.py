"""TestLedger and TestClient: what a test of a contract holds in its hands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chaincode.shim.contract import Contract
from chaincode.shim.json_values import canonical_json
from chaincode.shim.testing.chaincodes import Chaincodes, TestChaincode
from chaincode.shim.testing.channel import TestChannel
from chaincode.shim.testing.clock import Clock
from chaincode.shim.testing.committing import WorldHolder, commit_block, validation_context
from chaincode.shim.testing.endorsing import Call, Endorsing
from chaincode.shim.testing.identities import TestIdentity, impersonated, make_identity
from chaincode.shim.testing.simulation import (
    Event,
    RecordedCall,
    Simulation,
    recorded_call,
)
from chaincode.shim.testing.world_state import PeerView, WorldState
from ledger.endorsement.simulation.simulator import LIFECYCLE_NAMESPACE
from ledger.model.private_collections import Collection

CHANNEL_ID = "community"
CHAINCODE_NAME = "contract"

Transient = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state to return to, or to compare with a later one."""

    state: WorldState
    events: tuple[Event, ...]
    now: datetime

    @property
    def height(self) -> int:
        """Number of blocks."""
        return self.state.height


@dataclass(frozen=True, slots=True)
class TestClient:
    """A participant of the test ledger, with a real certificate and key."""

    __test__ = False  # not a test case, whatever its name says to pytest

    ledger: "TestLedger"
    identity: TestIdentity

    def submit(
        self,
        function: str,
        *args: object,
        transient: Transient | None = None,
        endorsers: Sequence[str] = (),
    ) -> Any:
        """Run and commit as one block; the decoded result. InvalidTransaction if it is not valid.

        `endorsers` names the members whose peers run it; otherwise the client's own begins and
        others follow until the policies are satisfied.
        """
        simulation = self.simulate(function, *args, transient=transient, endorsers=endorsers)
        result = simulation.result
        self.ledger.commit_valid(simulation)
        return result

    def evaluate(self, function: str, *args: object, transient: Transient | None = None) -> Any:
        """Run at the own member's peer without committing; the decoded result."""
        return self.ledger.evaluate(self.identity, arguments(function, args), transient).result

    def simulate(
        self,
        function: str,
        *args: object,
        transient: Transient | None = None,
        endorsers: Sequence[str] = (),
    ) -> Simulation:
        """Run and endorse on the present state; commit it with `ledger.commit` or drop it."""
        raw = arguments(function, args)
        return self.ledger.simulate(self.identity, raw, transient, endorsers)

    def sign(self, message: bytes) -> bytes:
        """DER, low-S signature with the client's key."""
        return self.identity.sign(message)


class InvalidTransaction(Exception):  # noqa: N818 - a fact about a transaction
    """A submitted transaction got another code than VALID."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class TestLedger(Clock):
    """A channel in memory with the ledger's simulator and validator, and a clock the test sets."""

    __test__ = False  # not a test case, whatever its name says to pytest

    def __init__(
        self,
        contracts: Sequence[Contract],
        *,
        start: str | datetime = "2026-01-01T00:00:00Z",
        channel_id: str = CHANNEL_ID,
        name: str = CHAINCODE_NAME,
        policy: str = "ANY",
        collections: Sequence[Collection] = (),
        chaincodes: Mapping[str, TestChaincode] | None = None,
        members: Sequence[str] = (),
    ) -> None:
        """Define the chaincode under test, and in `chaincodes` others it may call.

        `policy` is ANY, MAJORITY or a policy text. Members join when a test first names them.
        """
        super().__init__(start)
        tested = TestChaincode(contracts, policy, collections)
        self._name = name
        self._chaincodes = Chaincodes({**(chaincodes or {}), name: tested})
        self._channel = TestChannel(channel_id)
        self._world = WorldHolder()
        for key, value in self._chaincodes.definitions():
            self._world.state.define((LIFECYCLE_NAMESPACE, key), value)
        self._context = validation_context(self._channel, self._world)
        self._endorsing = Endorsing(self._channel, self._chaincodes, self._context)
        self._calls = 0
        self.events: list[Event] = []
        self.record: list[RecordedCall] = []
        """Every call so far and what came of it, for `run_twice`."""
        for mspid in members:
            self._channel.peer(mspid)

    # -- participants -----------------------------------------------------------------------------

    def client(
        self,
        mspid: str,
        name: str = "user",
        *,
        attributes: Mapping[str, str] | None = None,
        role: str = "client",
    ) -> TestClient:
        """A participant; `attributes` go into the certificate, `role` is its NodeOU."""
        self._channel.peer(mspid)
        return TestClient(self, make_identity(mspid, name, attributes, role))

    def impersonate(self, mspid: str, certificate_pem: bytes) -> TestClient:
        """Act as the holder of a certificate, such as a real network's, without its key."""
        identity = impersonated(mspid, certificate_pem)
        self._channel.accept_unsigned(identity)
        return TestClient(self, identity)

    # -- state ------------------------------------------------------------------------------------

    @property
    def height(self) -> int:
        """Number of blocks; the next one has this number."""
        return self._world.state.height

    def state(self, key: str) -> bytes | None:
        """The committed value."""
        found = self._world.state.get_state(self._name, key)
        return None if found is None else found.value

    def private_state(self, mspid: str, collection: str, key: str) -> bytes | None:
        """A private value as the peer of this member has it."""
        view = PeerView(self._world.state, mspid, self._chaincodes.find_collection)
        found = view.get_private(self._name, collection, key)
        return None if found is None else found.value

    def keys(self, prefix: str = "") -> list[str]:
        """All committed keys with a prefix, in order."""
        rows = self._world.state.range_state(self._name, prefix, "")
        return [key for key, _ in rows if key.startswith(prefix)]

    def snapshot(self) -> Snapshot:
        """The present state, events and time."""
        return Snapshot(self._world.state.copy(), tuple(self.events), self.now)

    def restore(self, snapshot: Snapshot) -> None:
        """Return to a snapshot; it can be used again."""
        self._world.state = snapshot.state.copy()
        self.events = list(snapshot.events)
        self.now = snapshot.now

    # -- transactions -----------------------------------------------------------------------------

    def simulate(
        self,
        identity: TestIdentity,
        args: tuple[bytes, ...],
        transient: Transient | None = None,
        endorsers: Sequence[str] = (),
    ) -> Simulation:
        """See TestClient.simulate."""
        call = self._call(identity, args, transient)
        simulation = self._endorsing.endorse(call, self._world.state, endorsers)
        self.record.append(recorded_call(simulation))
        return simulation

    def evaluate(
        self, identity: TestIdentity, args: tuple[bytes, ...], transient: Transient | None = None
    ) -> Simulation:
        """See TestClient.evaluate."""
        call = self._call(identity, args, transient)
        simulation = self._endorsing.evaluate(call, self._world.state)
        self.record.append(recorded_call(simulation))
        return simulation

    def commit(self, simulations: Sequence[Simulation]) -> list[str]:
        """Commit as one block, in order; the validation code of each. Refused ones raise."""
        return [code for code, _ in self._commit(simulations)]

    def commit_valid(self, simulation: Simulation) -> None:
        """Commit one transaction as a block; InvalidTransaction unless it is valid."""
        ((code, detail),) = self._commit([simulation])
        if code != "VALID":
            raise InvalidTransaction(code, detail)

    def _commit(self, simulations: Sequence[Simulation]) -> list[tuple[str, str]]:
        for simulation in simulations:
            _ = simulation.result
        validation = commit_block(simulations, self._world.state, self._context, self._channel)
        verdicts = []
        for simulation, code, detail in zip(
            simulations, validation.codes, validation.details, strict=True
        ):
            if code.name == "VALID" and simulation.event is not None:
                self.events.append(simulation.event)
            verdicts.append((code.name, detail))
        return verdicts

    def _call(
        self, identity: TestIdentity, args: tuple[bytes, ...], transient: Transient | None
    ) -> Call:
        self._calls += 1
        return Call(
            chaincode=self._name,
            client=identity,
            args=args,
            transient=transient or {},
            timestamp_ns=self.now_ns,
            number=self._calls,
        )


def arguments(function: str, args: Sequence[object]) -> tuple[bytes, ...]:
    """Function name and arguments as bytes."""
    return (function.encode("utf-8"), *map(encode_argument, args))


def encode_argument(value: object) -> bytes:
    """Bytes as they are, str UTF-8, everything else canonical JSON."""
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8") if isinstance(value, str) else canonical_json(value)
