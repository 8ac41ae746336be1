"""What every pytest run has once Gridledger is installed: `make_ledger` and `same_everywhere`.

def test_an_offer_is_recorded(make_ledger):
ledger = make_ledger(Market(), start="2026-01-01T00:00:00Z")
alice = ledger.client("CoopMSP", "alice")

def test_peers_agree(same_everywhere):
same_everywhere(scenario)          # see chaincode.shim.testing.double_run
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # loaded with every pytest run, so nothing heavy before it is wanted
    from chaincode.shim.contract import Contract
    from chaincode.shim.testing.double_run import DoubleRun
    from chaincode.shim.testing.memory_ledger import TestLedger


@pytest.fixture
def make_ledger() -> "Callable[..., TestLedger]":
    """`make_ledger(Contract(), …, **options of TestLedger)`."""
    from chaincode.shim.testing.memory_ledger import TestLedger

    def make(*contracts: "Contract", **options: Any) -> TestLedger:
        return TestLedger(contracts, **options)

    return make


@pytest.fixture
def same_everywhere() -> "Callable[..., DoubleRun]":
    """`run_twice`: a scenario under two hash seeds."""
    from chaincode.shim.testing.double_run import run_twice

    return run_twice
