"""Requests that are answered later: what they give, and what becomes of those nobody waits for."""

import asyncio
from threading import Lock
from types import SimpleNamespace

import pytest

from ledger.endorsement.deferred_requests import THREADS_MAX, DeferredRequests
from ledger.endorsement.peer_session import ExecutionFailed
from ledger.endorsement.query_handler import LongRequest
from ledger.endorsement.shim_handler import ChaincodeCall
from ledger.endorsement.simulator import SimulationRefused
from ledger.errors import InvalidMessage, Reason

pytestmark = pytest.mark.anyio


class Caller:
    """A runtime of chaincode `market`, as far as its deferred requests see it."""

    def __init__(self, called=None):
        self.answers = asyncio.Queue()
        self.requests = DeferredRequests(
            "market", called, lambda transaction, outcome: self.answers.put_nowait(outcome)
        )

    async def call(self, name):
        self.requests.begin_call(transaction(), ChaincodeCall(name, "", ()))
        return await self.answers.get()

    async def run(self, function):
        self.requests.begin_long(transaction(), LongRequest(function))
        return await self.answers.get()


def transaction(tx_id="t"):
    return SimpleNamespace(key=("energy", tx_id))


def refuse(error):
    async def called(_transaction, _call):
        raise error

    return called


@pytest.mark.parametrize(
    "error",
    [
        ExecutionFailed("chaincode tokens is not installed on this peer"),
        InvalidMessage(Reason.OVERLOADED, "too many"),
    ],
)
async def test_a_call_that_fails_is_answered_with_its_reason(error):
    assert await Caller(refuse(error)).call("tokens") == str(error)


async def test_a_chaincode_cannot_call_itself_or_where_nothing_can_be_called():
    assert await Caller(refuse(AssertionError())).call("market") == (
        "chaincode market cannot call itself"
    )
    assert await Caller().call("tokens") == "chaincode tokens cannot be called from here"


async def test_what_takes_time_runs_in_a_thread_and_its_refusal_is_an_answer():
    def refused():
        raise SimulationRefused("rich query: no")

    caller = Caller()
    assert await caller.run(lambda: b"rows") == b"rows"
    assert await caller.run(refused) == "rich query: no"


async def test_so_many_threads_and_no_more():
    caller = Caller()
    running, most, lock = 0, 0, Lock()

    def count():
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        for _ in range(10_000):
            pass
        with lock:
            running -= 1
        return b""

    for number in range(20):
        caller.requests.begin_long(transaction(str(number)), LongRequest(count))
    for _ in range(20):
        await caller.answers.get()
    assert most <= THREADS_MAX


async def test_a_call_ends_with_the_transaction_that_made_it():
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless(_transaction, _call):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    caller = Caller(endless)
    for stop in (lambda: caller.requests.cancel(("energy", "t")), None):
        begun.clear()
        ended.clear()
        caller.requests.begin_call(transaction(), ChaincodeCall("tokens", "", ()))
        await begun.wait()
        if stop is None:
            await caller.requests.close()
        else:
            stop()
        await ended.wait()
    assert caller.answers.empty()
