"""Caliper writes and reads through one of our peers without a failure."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from network.chaincode.planned import commit_definitions
from network.cli import main
from tests.integration.running_network import running_network
from tests.interop.caliper_bench import READS, WRITES, Round, Target, read_summary, run_caliper
from tests.support.node_runtime import node_runtime

BASIC = """
[[chaincodes]]
name = "basic"
version = "1.0"
module = "tests.interop.contracts.basic"
"""
SUMMARY = """
+-------+------+------+-----------------+-----------------+
| Name  | Succ | Fail | Send Rate (TPS) | Max Latency (s) |
|-------|------|------|-----------------|-----------------|
| write | 201  | 0    | 50.3            | 0.31            |
| read  | 399  | 2    | 50.1            | 0.02            |
+-------+------+------+-----------------+-----------------+
"""


def test_a_summary_is_read() -> None:
    assert read_summary(SUMMARY) == {"write": Round(201, 0), "read": Round(399, 2)}


@pytest.mark.full
def test_a_write_and_a_read_round_have_no_failure(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with running_network(tmp_path, more_plan=BASIC) as network:
        asyncio.run(commit_definitions(network.plan, network.layout))
        member = network.plan.members[0]
        assert main(["cert", "issue", member.id, "caliper", "--plan", str(network.plan_path)]) == 0
        user = network.layout.member(member.id).user("caliper")
        target = Target(network.plan, network.layout, user, "basic")
        rounds = run_caliper(node_runtime(), tmp_path, target)
    for name, done in rounds.items():
        record_property(f"Caliper {name}s", f"{done.succeeded} of {done.succeeded + done.failed}")
    assert rounds == {"write": Round(WRITES, 0), "read": Round(READS, 0)}
