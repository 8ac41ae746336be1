"""A contract in its own process: what it may do, what it loses when it misbehaves."""

import asyncio
import os
import signal
from dataclasses import replace

import pytest

from ledger.endorsement.limits import ProcessLimits
from ledger.endorsement.runtimes.peer_session import ExecutionFailed
from ledger.endorsement.runtimes.process import ChaincodeProcess
from ledger.errors import InvalidMessage, NodeFault, Reason
from ledger.model.codec_rwset import encode_read_write_set
from tests.support.conditions import until
from tests.support.endorsing_world import EndorsingWorld, program, running_process

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

QUICK = ProcessLimits(execute_timeout_ms=2_000, stop_timeout_ms=500)
INNOCENTS = 20


@pytest.fixture
def world():
    return EndorsingWorld()


async def run_among_innocents(world, process, function, *args):
    """The culprit's outcome, with innocent transactions before and after it in flight."""

    def innocents():
        return [
            asyncio.create_task(world.run(process, "move", f'["k{n}"]', "t"))
            for n in range(INNOCENTS)
        ]

    before = innocents()
    culprit = asyncio.create_task(world.run(process, function, *args))
    after = innocents()
    outcome = (await asyncio.gather(culprit, return_exceptions=True))[0]
    results = await asyncio.gather(*before, *after)
    assert [result.response.payload for result in results] == [b"1"] * (2 * INNOCENTS)
    # Those that ran twice recorded their reads once, in a fresh simulation.
    assert all(len(result.simulator.results().namespaces[1].reads) == 1 for result in results)
    return outcome


async def test_a_process_runs_what_a_ledger_commits(world):
    async with running_process() as process:
        await world.submit(process, "put", "a", "1")
        moved = await world.submit(process, "move", '["a","b"]', "c")
        assert moved.response.payload == b"2"
        assert (await world.run(process, "get", "c")).response.payload == b"1+"
        await world.submit(process, "fill", "reading", "250")
        counted = await world.run(process, "count", "reading")
        assert counted.response.payload.count(b",") == 249
        assert process.restarts == 0


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("trouble:loop", "timeout expired while executing transaction"),
        ("trouble:die", "chaincode stream terminated"),
        ("trouble:leave", "chaincode stream terminated"),
        ("trouble:crash", "chaincode stream terminated"),
    ],
)
async def test_a_contract_that_loops_or_dies_fails_only_its_own_transaction(world, function, text):
    async with running_process(QUICK) as process:
        first = process.pid
        outcome = await run_among_innocents(world, process, function)
        assert isinstance(outcome, ExecutionFailed)
        assert text in str(outcome)
        assert process.restarts == 1
        assert process.pid != first


@pytest.mark.parametrize(
    ("function", "argument", "text"),
    [
        ("trouble:eat_memory", None, "MemoryError"),
        ("trouble:shout", "40000000", "RESULT_TOO_LARGE"),
        ("trouble:bug", "secret", "ValueError"),
        ("trouble:recurse", None, "RecursionError"),
        ("trouble:fork", None, "PermissionError"),
        ("trouble:open_socket", None, "PermissionError"),
        ("trouble:run_program", None, "PermissionError"),
        ("trouble:fill_disk", None, "Error"),
        ("trouble:nothing", None, "UNKNOWN_FUNCTION"),
        ("trouble:loop_over_keys", None, "more than 10000 keys read"),
    ],
)
async def test_what_a_contract_may_not_do_is_an_error_of_its_transaction(
    world, function, argument, text
):
    async with running_process() as process:
        args = [] if argument is None else [argument]
        outcome = await run_among_innocents(world, process, function, *args)
        assert outcome.response.status in (400, 500)
        assert text in outcome.response.message
        assert process.restarts == 0


@pytest.mark.parametrize(("lines", "length"), [("30000", "100"), ("1", "3000000")])
async def test_loud_printing_is_cut_and_harms_nobody(world, caplog, lines, length):
    limits = ProcessLimits(log_line_bytes_max=1000, log_lines_per_second=20)
    async with running_process(limits) as process:
        with caplog.at_level("INFO"):
            outcome = await run_among_innocents(
                world, process, "trouble:print_loudly", lines, length
            )
        assert outcome.response.status == 200
        assert "lines are dropped" in caplog.text
        assert len(caplog.text) < 500_000


async def test_a_process_killed_from_outside_is_replaced_and_nobody_notices(world):
    async with running_process() as process:
        running = [
            asyncio.create_task(world.run(process, "move", f'["k{n}"]', "t")) for n in range(200)
        ]
        await asyncio.sleep(0)
        os.kill(process.pid, signal.SIGKILL)
        results = await asyncio.gather(*running)
        assert {result.response.status for result in results} == {200}
        assert process.restarts == 1


async def test_a_silent_process_is_ended_and_its_transactions_fail(world):
    limits = ProcessLimits(transaction_timeout_ms=2_000, execute_timeout_ms=60_000)
    async with running_process(limits) as process:
        stopped = process.pid
        os.kill(stopped, signal.SIGSTOP)
        with pytest.raises(ExecutionFailed, match="timeout expired"):
            await world.run(process, "get", "k")
        await until(lambda: process.pid != stopped and process.is_ready)
        assert (await world.run(process, "get", "k")).response.status == 200


async def test_a_process_that_dies_again_and_again_does_not_hold_transactions_for_ever(world):
    async with running_process(replace(QUICK, attempts_max=2)) as process:
        innocent = world.propose("put", "k", "v")
        outcomes = []
        for _ in range(3):
            dying = [world.run(process, "trouble:die") for _ in range(3)]
            outcomes += await asyncio.gather(
                *dying, process.execute(innocent, world.simulator(innocent)),
                return_exceptions=True,
            )  # fmt: skip
        assert all(not isinstance(o, ExecutionFailed) or "terminated" in str(o) for o in outcomes)
        assert len(outcomes) == 12


async def test_one_transaction_is_not_simulated_twice_at_once(world):
    async with running_process() as process:
        proposal = world.propose("put", "k", "v")
        first = asyncio.create_task(process.execute(proposal, world.simulator(proposal)))
        await asyncio.sleep(0)
        with pytest.raises(InvalidMessage) as refusal:
            await process.execute(proposal, world.simulator(proposal))
        assert refusal.value.reason == Reason.REPLAYED
        assert (await first).response.status == 200


async def test_more_transactions_than_may_wait_are_refused_by_name(world):
    async with running_process(ProcessLimits(in_flight_max=4, waiting_max=8)) as process:
        running = [asyncio.create_task(world.run(process, "get", "k")) for _ in range(20)]
        outcomes = await asyncio.gather(*running, return_exceptions=True)
        refused = [o for o in outcomes if isinstance(o, InvalidMessage)]
        assert len(refused) == 8
        assert {o.reason for o in refused} == {Reason.OVERLOADED}


async def test_a_caller_that_gives_up_leaves_nothing_behind(world):
    async with running_process() as process:
        task = asyncio.create_task(world.run(process, "move", '["k"]', "t"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await world.run(process, "get", "k")).response.status == 200
        assert process.restarts == 0


async def test_equal_simulations_give_equal_bytes_whatever_the_hash_seed(world):
    results = []
    for seed in ("1", "4711"):
        async with running_process(PYTHONHASHSEED=seed) as process:
            ran = await world.run(process, "scattered")
            results.append((ran.response, encode_read_write_set(ran.simulator.results())))
    assert results[0] == results[1]
    assert b"epsilon" in results[0][1]


async def test_stopping_ends_the_process_and_its_transactions(world):
    process = ChaincodeProcess(program(), QUICK)
    await process.start()
    pid = process.pid
    running = asyncio.create_task(world.run(process, "trouble:loop"))
    await asyncio.sleep(0)
    await process.stop()
    with pytest.raises(ExecutionFailed, match="is stopped"):
        await running
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ExecutionFailed, match="is not running"):
        await world.run(process, "get", "k")


async def test_a_module_that_does_not_load_is_a_fault_with_its_name():
    limits = ProcessLimits()
    process = ChaincodeProcess(replace(program(), module="tests.no_such_module"), limits)
    with pytest.raises(NodeFault, match=r"tests\.no_such_module"):
        await process.start()
