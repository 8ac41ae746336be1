"""What the bench of meters makes of its figures."""

import argparse
from dataclasses import replace

import pytest

from gateway.measuring.meters import Burst, Nodes, Steady, _report
from gateway.measuring.node_memory import FREE_BYTES_MIN, READINGS_OF_A_DAY, NodeMemory
from gateway.measuring.node_over_tls import TlsNode

STEADY = Steady(sent=30, stored=30, gateway=0.3, broker=0.1)
BURST = Burst(queued=10, absorbed=10, elapsed_s=5.0, cpu_s=2.0)
NODE = NodeMemory(READINGS_OF_A_DAY, READINGS_OF_A_DAY, 596_160, 101_024, 112_704, 81_600)
LINKED = TlsNode(160_000, 24_000)
NODES = Nodes(NODE, LINKED)


def verdict(capsys, *, steady=STEADY, burst=BURST, anchored=40, nodes=NODES) -> tuple[int, str]:
    code = _report(argparse.Namespace(meters=2), steady, burst, anchored, nodes)
    return code, capsys.readouterr().out.splitlines()[-1]


def test_all_goals_are_met(capsys):
    assert verdict(capsys) == (0, "goals met")


@pytest.mark.parametrize(
    "missed",
    [
        {"nodes": Nodes(None, None)},
        {"nodes": Nodes(replace(NODE, waiting=READINGS_OF_A_DAY - 1), LINKED)},
        {"nodes": Nodes(replace(NODE, free_min_bytes=FREE_BYTES_MIN - 1), LINKED)},
        {"nodes": Nodes(NODE, TlsNode(problem="MemoryError"))},
        {"anchored": 39},
        {"steady": replace(STEADY, gateway=0.5)},
        {"steady": replace(STEADY, stored=29)},
        {"burst": replace(BURST, elapsed_s=60.0)},
        {"burst": replace(BURST, absorbed=9)},
    ],
)
def test_one_missed_goal_is_enough(capsys, missed):
    assert verdict(capsys, **missed) == (1, "goals MISSED")
