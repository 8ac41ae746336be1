"""A meter that is the firmware itself: MicroPython in a process of its own, fake pins.

`firmware/provision.py` makes the flash that would go on a board; the process obeys lines of JSON
(`firmware/virtual/start.py`) and does the rest alone: key, registers, signing, MQTT over TLS.
"""

import asyncio
import importlib.util
import json
import logging
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gateway.settings import MqttSettings

FIRMWARE = Path(__file__).parents[2] / "firmware"
HEAP_KIB = 192
"""What a Raspberry Pi Pico W has left for MicroPython."""
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0
HOUR_MS = 3_600_000
BUS_POWER_MW = 3_000_000
BUS_SAMPLE_MS = 100

logger = logging.getLogger(__name__)


class FirmwareError(Exception):
    """The node did not start; the text is what it said."""


def interpreter(heap_kib: int = HEAP_KIB) -> list[str] | None:
    """How MicroPython is started here; None when it or the firmware's files are not installed."""
    heap = f"heapsize={heap_kib}k"
    if not (FIRMWARE / "provision.py").exists():
        return None
    if importlib.util.find_spec("micropython_unix") is not None:
        return [sys.executable, "-m", "micropython_unix", "-X", heap]
    program = shutil.which("micropython")
    return None if program is None else [program, "-X", heap]


class FirmwareMeter:
    """One running node; `start` makes it, `close` ends it."""

    def __init__(self, meter_id: str, process: asyncio.subprocess.Process) -> None:
        self.meter_id = meter_id
        self.public_key_pem = ""
        self._process = process
        self._listening: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        command: list[str],
        folder: Path,
        *,
        community: str,
        account: str,
        mqtt: MqttSettings,
        market_hour_ms: int = HOUR_MS,
    ) -> Self:
        """Make a node's flash in `folder` and run it; its name is its MQTT user.

        Through a closed relay flow 3 kW, faster as the market's hour is shorter than an hour.

        Raises `FirmwareError`. The node connects by itself as soon as the broker is there.
        """
        bus_power_mw = BUS_POWER_MW * HOUR_MS // market_hour_ms
        settings = {
            "community": community,
            "account": account,
            "tier": "B",
            "sample_ms": BUS_SAMPLE_MS,
            "measure_ms": HOUR_MS,
            "interval_ms": HOUR_MS,
            "board": {"kind": "pc", "samples": False, "bus_power_mw": bus_power_mw},
        }
        flash = await make_flash(folder, settings, mqtt)
        process = await asyncio.create_subprocess_exec(
            *command,
            "main.py",
            cwd=flash,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        meter = cls(mqtt.username, process)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                meter.public_key_pem = await meter._enrolment()
        except (TimeoutError, FirmwareError) as error:
            await meter.close()
            raise FirmwareError(f"{mqtt.username} did not start: {error}") from error
        meter._listening = asyncio.create_task(meter._listen())
        return meter

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The key the node made."""
        key = load_pem_public_key(self.public_key_pem.encode("ascii"))
        assert isinstance(key, ec.EllipticCurvePublicKey), "the firmware makes no other"
        return key

    def run_hour(self, *, load_wh: int, pv_wh: int) -> None:
        """Let one hour of energy flow through the node's integrator."""
        self._tell(hour={"load_wh": load_wh, "pv_wh": pv_wh})

    async def publish(self, t_end_ms: int) -> None:
        """The node signs and sends its registers as of this instant, in its own time."""
        self._tell(read=t_end_ms)

    async def measure(self, *, t_ms: int, u_mv: int, i_ma: int, p_mw: int) -> None:
        """The node sends these values in its own time; they are of when it does."""
        self._tell(values={"u_mv": u_mv, "i_ma": i_ma, "power_mw": p_mw})

    async def connect(self) -> None:
        """Nothing to do: the node connects by itself."""

    async def close(self) -> None:
        """End the node: its input ends, then it does."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if self._listening is not None:
            await self._listening

    def _tell(self, **order: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def _enrolment(self) -> str:
        assert self._process.stdout is not None
        said = []
        async for raw in self._process.stdout:
            line = raw.decode()
            if line.startswith('{"enrolment"'):
                return str(json.loads(line)["enrolment"]["public_key"])
            said.append(line)
        raise FirmwareError("".join(said))

    async def _listen(self) -> None:
        """What is not JSON is for people: a lost link, an error."""
        assert self._process.stdout is not None
        async for raw in self._process.stdout:
            if not raw.startswith(b"{"):
                logger.info("%s: %s", self.meter_id, raw.decode().rstrip())


async def make_flash(folder: Path, settings: Mapping[str, Any], mqtt: MqttSettings) -> Path:
    """The node's flash, as a household's installer makes it; `folder` is private and empty.

    `settings` are those of `config.json` but its name and its broker. Raises `FirmwareError`.
    """
    link = {"device": mqtt.username, "broker_host": mqtt.host, "broker_port": mqtt.port}
    (folder / "config.json").write_text(json.dumps({**settings, **link}), encoding="utf-8")
    (folder / "token").write_text(mqtt.token, encoding="ascii")
    flash = folder / "flash"
    command = [sys.executable, str(FIRMWARE / "provision.py"), "image", str(flash)]
    command += ["--settings", str(folder / "config.json"), "--authority", str(mqtt.ca)]
    command += ["--token-file", str(folder / "token"), "--code", "DEMO"]
    making = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await making.communicate()
    if making.returncode != 0:
        raise FirmwareError(told.decode())
    return flash
