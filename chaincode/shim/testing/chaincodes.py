"""The chaincodes of the test ledger, run in this process over the very messages of the wire.

Both ends are the product's: the shim's session and the peer's, with the peer's simulator behind
it. Nothing is concurrent, so a breakpoint in a contract stops the test there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chaincode.shim.chaincode import Chaincode
from chaincode.shim.contract import Contract
from chaincode.shim.session import ChaincodeSession
from chaincode.shim.testing.channel import policy_bytes
from ledger.endorsement.lifecycle.definitions import FullDefinition, encode_definition
from ledger.endorsement.runtimes.peer_session import (
    Execution,
    ExecutionFailed,
    PeerSession,
    RunningTransaction,
)
from ledger.endorsement.runtimes.shim_handler import ChaincodeCall
from ledger.endorsement.simulation.simulator import TransactionSimulator
from ledger.model.private_collections import Collection, encode_collections, find_collection
from ledger.model.transaction import SignedProposal

VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class TestChaincode:
    """A chaincode beside the one under test: its contracts and what its definition says."""

    __test__ = False  # not a test case, whatever its name says to pytest

    contracts: Sequence[Contract]
    policy: str = "ANY"
    """ANY, MAJORITY or a text such as AND('A.peer', 'B.peer')."""
    collections: Sequence[Collection] = ()

    def definition(self, name: str) -> FullDefinition:
        """What its members have agreed on."""
        return FullDefinition(
            name=name,
            sequence=1,
            version=VERSION,
            policy=policy_bytes(self.policy),
            collections=encode_collections(self.collections),
        )


@dataclass(slots=True)
class Chaincodes:
    """By name; `bugs` keeps what went wrong inside a contract, by transaction id."""

    by_name: Mapping[str, TestChaincode]
    bugs: dict[str, Exception] = field(default_factory=dict)
    _loaded: dict[str, Chaincode] = field(init=False)
    _conversations: dict[tuple[str, str], "_Conversation"] = field(default_factory=dict)
    """By chaincode and member; all are registered already."""
    _running: list[str] = field(default_factory=list)
    """Names of the chaincodes that call one another now, the first one first."""

    def __post_init__(self) -> None:
        self._loaded = {
            name: Chaincode(one.contracts, on_bug=self.bugs.__setitem__)
            for name, one in self.by_name.items()
        }

    def definitions(self) -> Iterator[tuple[str, bytes]]:
        """State keys and values under which the ledger keeps the definitions."""
        for name, chaincode in self.by_name.items():
            yield from encode_definition(chaincode.definition(name))

    def find_collection(self, namespace: str, name: str) -> Collection | None:
        """A collection of a chaincode, static or implicit."""
        chaincode = self.by_name.get(namespace)
        if chaincode is None:
            return None
        return find_collection(name, {one.name: one for one in chaincode.collections})

    def run(
        self,
        name: str,
        mspid: str,
        proposal: SignedProposal,
        simulator: TransactionSimulator,
        args: tuple[bytes, ...] | None = None,
    ) -> Execution:
        """Run a function at the peer of `mspid`; ExecutionFailed as the peer would."""
        loaded = self._loaded.get(name)
        if loaded is None:
            raise ExecutionFailed(
                f"make sure the chaincode {name} has been successfully defined on this channel"
            )
        if name in self._running:
            raise ExecutionFailed(f"chaincode {name} is running this transaction already")
        self._running.append(name)
        try:
            return self._conversation(name, mspid, loaded).run(proposal, simulator, args)
        finally:
            self._running.pop()

    def _conversation(self, name: str, mspid: str, loaded: Chaincode) -> "_Conversation":
        found = self._conversations.get((name, mspid))
        if found is None:
            found = self._conversations[name, mspid] = _Conversation(self, name, mspid, loaded)
        return found


class _Conversation:
    """A chaincode and its peer."""

    def __init__(self, owner: Chaincodes, name: str, mspid: str, loaded: Chaincode) -> None:
        self._owner = owner
        self._name = name
        self._mspid = mspid
        self._chaincode = ChaincodeSession(loaded, name, mspid=mspid)
        self._to_chaincode: list[bytes] = []
        self._peer = PeerSession(name, on_ready=lambda: None, on_call=self._call)
        self._outcomes: list[Execution | ExecutionFailed] = []
        self._exchange(self._peer.receive(self._chaincode.hello()))

    def run(
        self,
        proposal: SignedProposal,
        simulator: TransactionSimulator,
        args: tuple[bytes, ...] | None,
    ) -> Execution:
        transaction = RunningTransaction(
            namespace=self._name,
            proposal=proposal,
            args=args,
            simulator=simulator,
            on_done=self._outcomes.append,
        )
        self._exchange([self._peer.begin(transaction)])
        outcome = self._outcomes.pop()
        if isinstance(outcome, ExecutionFailed):
            raise outcome
        return outcome

    def _exchange(self, messages: list[bytes]) -> None:
        self._to_chaincode += messages
        while self._to_chaincode:
            for answer in self._chaincode.receive(self._to_chaincode.pop(0)):
                self._to_chaincode += self._peer.receive(answer)

    def _call(self, transaction: RunningTransaction, call: ChaincodeCall) -> None:
        outcome: Execution | str
        try:
            outcome = self._called(transaction, call)
        except ExecutionFailed as error:
            outcome = str(error)
        self._to_chaincode.append(self._peer.call_answered(transaction, outcome))

    def _called(self, transaction: RunningTransaction, call: ChaincodeCall) -> Execution:
        if call.channel not in ("", transaction.key[0]):
            raise ExecutionFailed(f"channel {call.channel!r} is not on this peer")
        return self._owner.run(
            call.chaincode_name,
            self._mspid,
            transaction.proposal,
            transaction.simulator,
            call.args,
        )
