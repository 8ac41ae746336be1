"""How much memory a node has left with a day of readings: `firmware/measure_day.py`, run here.

Tier A and without a link: what a connection takes besides must fit into what is free, and
`node_over_tls` shows that it does.
"""

import asyncio
import json
import os
import tempfile
from dataclasses import dataclass

from gateway.hems.firmware_meter import FIRMWARE, HEAP_KIB, interpreter

RUN_S_MAX = 600
READINGS_OF_A_DAY = 8_640
"""One per 10 s, as `firmware/measure_day.py` makes them."""
KIB = 1_024
FREE_BYTES_MIN = 16_717 + 4_429 + 24 * 512
"""What a TLS connection takes of a board's heap, with its handshake (docs/hardware.md): with less
left the node would be deaf."""


@dataclass(frozen=True, slots=True)
class NodeMemory:
    """Bytes of the firmware's heap, after collections; `waiting` readings in the outbox."""

    waiting: int
    sent: int
    flash_bytes: int
    empty_bytes: int
    in_use_max_bytes: int
    free_min_bytes: int

    @property
    def is_good(self) -> bool:
        """The day was kept whole, and a connection has room beside it."""
        return self.waiting == READINGS_OF_A_DAY and self.free_min_bytes >= FREE_BYTES_MIN

    def lines(self) -> list[str]:
        """For people."""
        in_use = f"{self.in_use_max_bytes / KIB:.0f} KiB in use at most"
        goal = f"goal >= {FREE_BYTES_MIN / KIB:.0f}, for TLS"
        empty = f"{self.empty_bytes / KIB:.0f} with an empty outbox"
        return [
            f"node with a day offline, tier A, no link, MicroPython, heap {HEAP_KIB} KiB",
            f"  outbox    {self.waiting} readings, {self.flash_bytes // KIB} KiB of flash",
            f"  heap      {in_use} ({empty}),",
            f"            {self.free_min_bytes / KIB:.0f} KiB free at least ({goal})",
        ]


async def measured_node() -> NodeMemory | None:
    """None where MicroPython is not installed; raises `OSError` when the firmware fails."""
    command = interpreter()
    if command is None:
        return None
    path = {"MICROPYPATH": f"{FIRMWARE / 'src'}:.frozen"}
    with tempfile.TemporaryDirectory(prefix="gridledger-node-") as folder:
        process = await asyncio.create_subprocess_exec(
            *command,
            str(FIRMWARE / "measure_day.py"),
            cwd=folder,
            env=os.environ | path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(RUN_S_MAX):
            told, _ = await process.communicate()
    if process.returncode:
        raise OSError(f"the firmware failed: {told.decode()[-1_000:]}")
    return NodeMemory(**json.loads(told))
