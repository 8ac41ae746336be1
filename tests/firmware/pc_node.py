"""A node on a PC: the image that would go on a board, run by MicroPython with a board's heap."""

import asyncio
import json
import os
import runpy
from pathlib import Path
from typing import Any

from tests.firmware.interpreter import HEAP, ROOT, micropython_command

LINE_S_MAX = 60
"""Only a test that fails waits so long: nodes of five houses start at once on two cores."""
_PROVISION = runpy.run_path(str(ROOT / "firmware" / "provision.py"))
make_image = _PROVISION["make_image"]
BadRequest = _PROVISION["BadRequest"]


def settings(device: str, port: int, **fields: object) -> dict[str, Any]:
    return {
        "community": "val",
        "device": device,
        "account": f"IDG-{device}",
        "tier": "B",
        "sample_ms": 100,
        "measure_ms": 1_000,
        "interval_ms": 1_000,
        "outbox_records": 2_000,
        "broker_host": "127.0.0.1",
        "broker_port": port,
        "board": {"kind": "pc"},
    } | fields


class PcNode:
    """The process; `lines` are what it printed so far."""

    def __init__(
        self,
        folder: Path,
        modules: Path | None = None,
        heap: str = HEAP,
        script: str | Path = "main.py",
    ) -> None:
        self.folder = folder
        self._script = str(script)
        self._heap = heap
        self._modules = modules
        self.lines: list[dict[str, Any]] = []
        self.said: list[str] = []
        """Lines that are no JSON: what a person would see on the board's console."""
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()

    @property
    def enrolment(self) -> dict[str, Any]:
        return next(line["enrolment"] for line in self.lines if "enrolment" in line)

    async def start(self, is_ready=lambda line: "started" in line, *, waits: bool = True) -> None:
        path = {"MICROPYPATH": f"{self._modules}:.frozen"} if self._modules else {}
        self._process = await asyncio.create_subprocess_exec(
            *micropython_command(self._heap),
            self._script,
            cwd=self.folder,
            env=os.environ | path,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reading = asyncio.create_task(self._read())
        if waits:
            await self.wait_for(is_ready)

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for raw in self._process.stdout:
            text = raw.decode()
            async with self._news:
                if text.startswith("{"):
                    self.lines.append(json.loads(text))
                else:
                    self.said.append(text)
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()

    async def wait_for(
        self, wanted, count: int = 1, seconds_max: float = LINE_S_MAX
    ) -> list[dict[str, Any]]:
        """The lines that `wanted` accepts, once there are that many of them."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.lines if wanted(line)]

        async with self._news:
            try:
                async with asyncio.timeout(seconds_max):
                    await self._news.wait_for(lambda: len(found()) >= count)
            except TimeoutError:
                raise AssertionError(f"{self.lines}\n{''.join(self.said)}") from None
        return found()

    async def wait_until_it_says(self, text: str) -> None:
        async with self._news, asyncio.timeout(LINE_S_MAX):
            await self._news.wait_for(lambda: any(text in line for line in self.said))

    async def type(self, line: str) -> None:
        """A line on standard input, whatever it is."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()

    async def tell(self, **order: object) -> None:
        before = sum("obeyed" in line for line in self.lines)
        await self.type(json.dumps(order))
        await self.wait_for(lambda line: "obeyed" in line, before + 1)

    def pins(self, name: str) -> list[int]:
        """How a pin went: 1 closed, 0 opened."""
        return [line["closed"] for line in self.lines if line.get("pin") == name]

    async def ended(self) -> None:
        """Wait for a process that ends by itself (its status is the wrapper's, not the node's)."""
        assert self._process is not None
        assert self._reading is not None
        async with asyncio.timeout(LINE_S_MAX):
            await self._reading
            await self._process.wait()

    async def kill(self) -> None:
        """The plug is pulled."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        if self._process is not None and self._reading is not None:
            await self._process.wait()
            await self._reading
