"""A demo that runs while tests talk to it: real validators, gateway, broker and households."""

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import httpx

from gateway.agent.client import HouseholdClient
from gateway.demo.settings import DemoSettings, load_demo_settings
from gateway.ledger_access.actor import Actor
from ledger.client.gateway import GatewayClient
from ledger.crypto.signing import SigningIdentity
from network.certificates.credentials import member_authority
from network.layout import NetworkLayout
from network.plan import load_plan

HOUR_SECONDS = "12"
"""Of a market whose orders, deals, transfers and alarms a test needs, on a slow machine, too."""
START_TIMEOUT_S = 180
RUN_TIMEOUT_S = 300
STOP_TIMEOUT_S = 60
"""Only a test that fails waits so long."""


def demo_command(*options: str) -> list[str]:
    return [sys.executable, "-P", "-m", "network.cli", "demo", *options]


def hours_without_listing() -> Iterator[str]:
    """Listing ids the demo itself never opens, each given once."""
    return ("2020-01-{:02d}T{:02d}".format(*hour) for hour in product(range(1, 32), range(24)))


@dataclass
class RunningDemo:
    """The process and what its folder says."""

    process: subprocess.Popen[str]
    folder: Path
    output: list[str]
    free_hours: Iterator[str] = field(default_factory=hours_without_listing)

    def wait_for(self, pattern: str, timeout_s: float) -> str:
        """Read output until a line matches; a demo that does not say it for so long is ended."""
        assert self.process.stdout is not None
        for line in self.output:
            if re.search(pattern, line):
                return line
        impatient = threading.Timer(timeout_s, self.process.terminate)
        impatient.start()
        try:
            for line in self.process.stdout:
                self.output.append(line)
                if re.search(pattern, line):
                    return line
        finally:
            impatient.cancel()
        raise AssertionError(f"no line like {pattern!r} in:\n{''.join(self.output)}")

    @property
    def settings(self) -> DemoSettings:
        return load_demo_settings(self.folder / "demo.json")

    @property
    def layout(self) -> NetworkLayout:
        return NetworkLayout(self.folder / "network")

    def new_identity(self, member: str, name: str, attributes: dict[str, str]) -> SigningIdentity:
        plan = load_plan(self.folder / "network.toml")
        authority = member_authority(plan, member, self.layout)
        pair = authority.issue_client(name, attributes, now=datetime.now(tz=UTC))
        return authority.signing_identity(pair)

    @asynccontextmanager
    async def http(self):
        async with httpx.AsyncClient(base_url=self.settings.gateway_url, timeout=30) as client:
            yield client

    @asynccontextmanager
    async def actors(self):
        """Staff by role, each at its member's own peer, and a client of every peer."""
        ledger = self.settings.ledger
        clients = {
            peer.mspid: GatewayClient.connect(
                peer.address, ledger.tls_ca.read_bytes(), ledger.channel_id
            )
            for peer in ledger.peers
        }
        try:
            yield (
                {
                    role: Actor(clients[files.mspid], files.load(), ledger.chaincode)
                    for role, files in self.settings.staff.items()
                },
                list(clients.values()),
            )
        finally:
            await asyncio.gather(*(client.close() for client in clients.values()))

    def household(self, http: httpx.AsyncClient, number: int) -> HouseholdClient:
        return HouseholdClient(http, self.settings.households[number].identity.load())


@contextmanager
def running_demo(folder: Path, *options: str) -> Iterator[RunningDemo]:
    """Start; the caller waits for what it needs; always stopped at the end."""
    process = subprocess.Popen(
        demo_command("--keep", str(folder), *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    demo = RunningDemo(process, folder, [])
    try:
        demo.wait_for(r"manager ", START_TIMEOUT_S)
        yield demo
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        finally:
            process.kill()
            assert process.stdout is not None
            process.stdout.close()


def long_listing(listing_id: str, **changes: Any) -> str:
    """Parameters of a listing that takes orders for the next ten minutes."""
    now_ms = time.time_ns() // 1_000_000
    return json.dumps(
        {
            "floor_utoken_per_kwh": 10_000,
            "cap_utoken_per_kwh": 60_000,
            "opens_at_ms": now_ms - 1_000,
            "gate_closure_ms": now_ms + 600_000,
            "delivery_start_ms": now_ms + 600_000,
            "delivery_end_ms": now_ms + 4_200_000,
            "settlement_end_ms": now_ms + 5_000_000,
        }
        | changes
    )
