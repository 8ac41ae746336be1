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

What is real: messages between contract and peer, the peer's simulator, certificates, signatures,
policies and the validator with its codes. What is not: consensus and storage. Contracts run in
this process, so `breakpoint()` works in them.

A refusal raises `ContractError` with the contract's code and status; INTERNAL is a bug, with the
exception as its cause. Values that are not bytes or str are sent as JSON. Conflicts between
transactions simulated at the same time, committed as one block in the given order:

    first = alice.simulate("market:place_offer", …)    # reads and writes recorded
    second = bob.simulate("market:place_offer", …)
    assert ledger.commit([first, second]) == ["VALID", "VALID"]     # else *_READ_CONFLICT

Several members, their policies and their private data:

    ledger = TestLedger([Deals()], policy="MAJORITY", members=["A", "B", "C"],
                        collections=[collection("deals", "A", "B")])
    ledger.client("A").submit("offer", transient={"price": b"5"}, endorsers=["A", "B"])
    ledger.private_state("B", "deals", "price")        # None at the peer of C

As pytest fixtures without any import: `make_ledger` and `same_everywhere`, see
`chaincode.pytest_plugin`.
"""

from chaincode.shim.testing.chaincodes import TestChaincode
from chaincode.shim.testing.double_run import ResultsDiffer, run_twice
from chaincode.shim.testing.endorsing import EndorsementMismatch
from chaincode.shim.testing.identities import TestIdentity, make_identity
from chaincode.shim.testing.memory_ledger import (
    InvalidTransaction,
    Snapshot,
    TestClient,
    TestLedger,
)
from chaincode.shim.testing.private_collection import collection
from chaincode.shim.testing.simulation import (
    ENDORSEMENT_POLICY_FAILURE,
    MVCC_READ_CONFLICT,
    PHANTOM_READ_CONFLICT,
    VALID,
    Event,
    Simulation,
)

__all__ = [
    "ENDORSEMENT_POLICY_FAILURE",
    "MVCC_READ_CONFLICT",
    "PHANTOM_READ_CONFLICT",
    "VALID",
    "EndorsementMismatch",
    "Event",
    "InvalidTransaction",
    "ResultsDiffer",
    "Simulation",
    "Snapshot",
    "TestChaincode",
    "TestClient",
    "TestIdentity",
    "TestLedger",
    "collection",
    "make_identity",
    "run_twice",
]
