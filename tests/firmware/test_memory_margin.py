"""What a node's heap has left in its worst hour: a full outbox, TLS, readings, relays."""

import asyncio
import json
import time
from pathlib import Path

from tests.firmware.interpreter import run_micropython
from tests.firmware.pc_node import PcNode
from tests.firmware.test_pc_node import scene, transfer

HEAP_KIB = 192
"""What MicroPython gives an application on a Pico W."""
MARGIN_KIB = 12
"""The node works with so much less. The virtual node holds a board's TLS buffers, and on 64 bits
its code takes a fifth more than on a board."""
DAY_RECORDS = 8_640
"""24 hours at one reading per 10 s."""
FILL = """
import sys
sys.path.insert(0, "a")
from meternode.outbox import Outbox
from meternode.reading import Reading
outbox = Outbox("state/outbox", 64, {count})
for seq in range(1, {count} + 1):
    t_end_ms = {last_ms} - ({count} - seq) * 10_000
    outbox.append(Reading(seq, t_end_ms, seq, 0, "measured"), bytes(64))
"""


def fill_the_outbox(folder: Path) -> None:
    (folder / "state").mkdir()
    last_ms = time.time_ns() // 1_000_000_000 * 1_000 - 60_000
    script = folder / "fill.py"
    script.write_text(FILL.format(count=DAY_RECORDS, last_ms=last_ms))
    done = run_micropython(script.name, folder=folder)
    assert done.returncode == 0, done.stderr
    script.unlink()


def test_with_a_full_outbox_and_tls_a_node_has_the_margin_left(tmp_path):
    async def play() -> None:
        async with scene(tmp_path) as world:
            folder = world.image(
                "node-1", interval_ms=10_000, sample_ms=200, outbox_records=DAY_RECORDS
            )
            fill_the_outbox(folder)
            node = PcNode(folder, heap=f"{HEAP_KIB - MARGIN_KIB}k")
            try:
                await node.start()
                states = await world.wait_for("node-1", "state", lambda s: "outbox" in s)
                assert states[0]["outbox"] >= DAY_RECORDS
                await world.wait_for("node-1", "reading", count=30)
                await node.tell(power_mw=-18_000_000)
                await world.command("node-1", **transfer(1, energy_wh=5))
                await world.wait_for("node-1", "ack", lambda a: a["status"] == "done")
                stored = {"v": 1, "m": "node-1", "seqs": [[1, 30]]}
                await world.send("node-1", "stored", stored)
                await world.wait_for("node-1", "reading", lambda r: r["seq"] > 50)
                await node.tell(memory=1)
                heap = next(line["memory"] for line in node.lines if "memory" in line)
                assert heap["used"] < (HEAP_KIB - MARGIN_KIB) * 1024, json.dumps(heap)
                assert [line for line in node.said if "MemoryError" in line] == []
            finally:
                await node.kill()

    asyncio.run(play())
