"""Transactions that somebody waits for."""

import asyncio
import gc
import weakref

import pytest

from ledger.endorsement.runtimes.chaincode_life import WaitingTransaction
from ledger.endorsement.runtimes.peer_session import Execution, ExecutionFailed
from ledger.model.transaction import ChaincodeResponse
from tests.support.endorsing_world import EndorsingWorld
from tests.support.ledger_world import CHAINCODE

pytestmark = pytest.mark.anyio


@pytest.fixture
def no_collector():
    gc.disable()
    yield
    gc.enable()


def waiting(simulator, proposal):
    future = asyncio.get_running_loop().create_future()
    transaction = WaitingTransaction(
        future, 0.0, namespace=CHAINCODE, proposal=proposal, args=None, simulator=simulator
    )
    return transaction, future


async def test_a_simulation_is_gone_with_its_transaction_without_the_collector(no_collector):
    world = EndorsingWorld()
    proposal = world.propose("put", "k", "v")
    simulator = world.simulator(proposal)
    gone = weakref.ref(simulator)
    transaction, future = waiting(simulator, proposal)
    transaction.on_done(Execution(ChaincodeResponse(200, "", b""), None, simulator))
    assert (await future).response.status == 200
    del simulator, transaction, future
    assert gone() is None


async def test_only_the_first_outcome_counts():
    world = EndorsingWorld()
    proposal = world.propose("put", "k", "v")
    transaction, future = waiting(world.simulator(proposal), proposal)
    transaction.fail("it was stopped")
    transaction.on_done(Execution(ChaincodeResponse(200, "", b""), None, transaction.simulator))
    with pytest.raises(ExecutionFailed, match="it was stopped"):
        await future
