"""Requests that are answered later: what they give, and what becomes of those nobody waits for."""

import asyncio
from threading import Event, Lock, Semaphore, current_thread
from types import SimpleNamespace

import pytest

from ledger.endorsement.runtimes.deferred_requests import THREADS_MAX, DeferredRequests
from ledger.endorsement.runtimes.peer_session import ExecutionFailed
from ledger.endorsement.runtimes.query_handler import LongRequest
from ledger.endorsement.runtimes.shim_handler import ChaincodeCall
from ledger.endorsement.simulation.simulator import SimulationRefused
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


class Gate:
    """Work that waits in its thread until it is let go."""

    def __init__(self):
        self.begun = Semaphore(0)
        self.open = Event()
        self._lock = Lock()
        self.running = self.most = self.runs = 0

    def run(self):
        with self._lock:
            self.runs += 1
            self.running += 1
            self.most = max(self.most, self.running)
        self.begun.release()
        self.open.wait()
        with self._lock:
            self.running -= 1
        return b""

    async def until_begun(self, count):
        for _ in range(count):
            await asyncio.to_thread(self.begun.acquire)


async def turns():
    """Whatever the event loop has to do is done."""
    for _ in range(100):
        await asyncio.sleep(0)


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.open.set()


async def test_its_threads_are_none_of_the_event_loops():
    caller = Caller()
    thread = await caller.run(current_thread)
    assert thread.name.startswith("queries of market")


async def test_so_many_threads_and_no_more(gate):
    caller = Caller()
    for number in range(20):
        caller.requests.begin_long(transaction(str(number)), LongRequest(gate.run))
    await gate.until_begun(THREADS_MAX)
    gate.open.set()
    for _ in range(20):
        await caller.answers.get()
    assert (gate.runs, gate.most) == (20, THREADS_MAX)


async def test_a_cancelled_request_keeps_its_place_until_its_thread_has_ended(gate):
    caller = Caller()
    for number in range(THREADS_MAX):
        caller.requests.begin_long(transaction(str(number)), LongRequest(gate.run))
    await gate.until_begun(THREADS_MAX)
    for number in range(10):
        caller.requests.cancel(("energy", str(number)))
        caller.requests.begin_long(transaction(f"later {number}"), LongRequest(gate.run))
    assert gate.runs == THREADS_MAX
    gate.open.set()
    for _ in range(10):
        assert await caller.answers.get() == b""
    assert (gate.runs, gate.most) == (THREADS_MAX + 10, THREADS_MAX)


async def test_a_request_cancelled_before_it_ran_never_runs(gate):
    caller = Caller()
    for number in range(THREADS_MAX + 5):
        caller.requests.begin_long(transaction(str(number)), LongRequest(gate.run))
    await gate.until_begun(THREADS_MAX)
    for number in range(THREADS_MAX, THREADS_MAX + 5):
        caller.requests.cancel(("energy", str(number)))
    await turns()
    caller.requests.begin_long(transaction("last"), LongRequest(lambda: b"last"))
    gate.open.set()
    answers = [await caller.answers.get() for _ in range(THREADS_MAX + 1)]
    assert sorted(answers) == [b""] * THREADS_MAX + [b"last"]
    assert gate.runs == THREADS_MAX


async def test_closing_waits_for_the_threads(gate):
    caller = Caller()
    for number in range(THREADS_MAX + 1):
        caller.requests.begin_long(transaction(str(number)), LongRequest(gate.run))
    await gate.until_begun(THREADS_MAX)
    closing = asyncio.create_task(caller.requests.close())
    await turns()
    assert not closing.done()
    gate.open.set()
    await closing
    assert (gate.runs, gate.running) == (THREADS_MAX, 0)
    assert caller.answers.empty()


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
