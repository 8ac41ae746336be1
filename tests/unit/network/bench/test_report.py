"""The benchmark's arithmetic and what it prints; its networks are run by hand."""

import sys
from pathlib import Path

import pytest

from network.bench.node_sdk import NodeClient, NodeClientFailed
from network.bench.report import Report, Run, median_run, report_table
from network.bench.step_costs import Ordered, Profile, Reading, profile_table, told_apart

pytestmark = pytest.mark.anyio
PEERS = 4


def ordered(transactions: int, blocks: int, *, each_ms: float, block_ms: float) -> Ordered:
    """A run in which every transaction and every block costs the same at each peer."""
    spent_s = PEERS * (transactions * each_ms + blocks * block_ms) / 1_000
    return Ordered(Reading(spent_s, 0.0), transactions=transactions, blocks=blocks)


def test_what_a_block_costs_and_what_a_transaction_in_it():
    many = ordered(1_000, 10, each_ms=0.75, block_ms=5.0)
    few = ordered(100, 100, each_ms=0.75, block_ms=5.0)
    transaction, block = told_apart(many, few, PEERS)
    assert (transaction.peer_ms, block.peer_ms) == (0.75, 5.0)
    table = profile_table(Profile([transaction, block], [100.0, 1.0]))
    assert "transaction ordered and validated" in table
    assert "100.0 and 1.0 transactions per block" in table


def run(tps: float, **changes: object) -> Run:
    figures = {
        "client": "python",
        "in_flight": 64,
        "transactions": 1_000,
        "tps": tps,
        "p50_ms": 1.0,
        "p95_ms": 2.0,
        "p99_ms": 3.0,
        "cpu_ms_per_tx": 9.0,
        "client_cpu_ms_per_tx": 1.0,
        "disk_bytes_per_tx": 10_000.0,
        "tx_per_block": 16.0,
    }
    return Run(**{**figures, **changes})


def test_the_median_of_each_figure():
    middle = median_run([run(10.0), run(30.0, p50_ms=9.0), run(20.0, p50_ms=5.0)])
    assert (middle.tps, middle.p50_ms, middle.client) == (20.0, 5.0, "python")
    assert "python          64      20.0" in report_table(Report([middle], {"client": 80.0}))


def node_client(program: str) -> NodeClient:
    return NodeClient(program, Path(), plan=None, layout=None)  # nothing of a network is asked


async def test_a_program_that_is_not_there():
    with pytest.raises(NodeClientFailed, match="cannot be run"):
        await node_client("/no/such/node")._run(Path("task.json"))


async def test_what_a_failing_program_says():
    with pytest.raises(NodeClientFailed, match="SyntaxError"):
        await node_client(sys.executable)._run(Path("task.json"))  # Python reads no JavaScript
