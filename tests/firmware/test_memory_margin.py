"""What a node's heap has left in its worst hour: a full outbox, TLS, readings, relays."""

import asyncio
from pathlib import Path

import pytest

from gateway.measuring.node_over_tls import DEVICE, MARGIN_KIB, TlsNode, node_over_tls
from tests.support.mosquitto import COMMUNITY, mosquitto, needs_mosquitto

pytestmark = needs_mosquitto
TOO_MUCH_KIB = 90
"""With so much less not even its modules fit."""


def measured(folder: Path, margin_kib: int) -> TlsNode:
    with mosquitto(folder, (DEVICE,)) as broker:
        signs_in, token = broker.settings(DEVICE), broker.tokens["gateway"]
        node = asyncio.run(node_over_tls(signs_in, token, COMMUNITY, margin_kib=margin_kib))
    assert node is not None
    return node


def test_with_a_full_outbox_and_tls_a_node_has_the_margin_left(tmp_path):
    node = measured(tmp_path, MARGIN_KIB)
    assert node.is_good, node.problem
    assert 0 < node.in_use_bytes < (192 - MARGIN_KIB) * 1_024
    assert any("carries out a transfer" in line for line in node.lines())


@pytest.mark.slow
def test_a_node_that_lacks_memory_is_told_as_such(tmp_path):
    node = measured(tmp_path, TOO_MUCH_KIB)
    assert not node.is_good
    assert "memory" in node.problem.lower()
    assert node.problem in "".join(node.lines())
