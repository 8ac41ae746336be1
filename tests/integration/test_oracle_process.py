"""Members' oracles as processes on a real network: over HTTP, one of three lies, one restarts."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from network.bench.trial_households import CHAINCODE
from network.commands.oracle import RUN_LOG, jobs_for, prepare
from tests.integration.market_scene import MarketScene
from tests.integration.running_network import running_network
from tests.unit.gateway.serving import serve

pytestmark = pytest.mark.slow

MEMBERS = ("cooperative", "dso", "utility")
LIAR = "utility"
STORED_KWH = 6.001
WAIT_S = 60
STOP_S = 60


@dataclass(frozen=True)
class OracleFiles:
    """What one oracle is told, and where it logs."""

    config: Path
    run_log: Path

    def steps(self, request_id: str) -> list[str]:
        """The steps of a request that were done."""
        lines = [json.loads(line) for line in self.run_log.read_text().splitlines()]
        return [x["step"] for x in lines if x["request_id"] == request_id and x["is_done"]]


def prepared(scene: MarketScene, member_id: str, address: str) -> OracleFiles:
    """As `gridledger oracle MEMBER` writes it; the liar doubles what it reads."""
    jobs = jobs_for(hems=address, token="", price=None)
    if member_id == LIAR:
        jobs = [job | {"times": 2 * job["times"]} for job in jobs]
    config = prepare(scene.network.plan_path, member_id, CHAINCODE, jobs)
    return OracleFiles(config, config.parent / RUN_LOG)


@contextmanager
def running(files: list[OracleFiles]) -> Iterator[None]:
    command = [sys.executable, "-m", "gateway.oracle.server", "--config"]
    processes = [subprocess.Popen([*command, str(found.config)]) for found in files]
    try:
        yield
        assert [process.poll() for process in processes] == [None] * len(files)
    finally:
        for process in processes:
            process.terminate()
            process.wait(STOP_S)


async def with_battery(scene: MarketScene) -> tuple[Any, str]:
    home = await scene.join()
    battery = f"battery-{home.meter_id}"
    register = ("registry:register_res", battery, home.idgrid, "battery", "5000")
    await scene.submit(home.identity, *register)
    await scene.submit(scene.operator, "registry:approve_res", battery)
    return home, battery


async def ask(scene: MarketScene, home: Any, battery: str) -> str:
    done = await scene.submit(home.identity, "oracle:request", "battery_soc", battery)
    return done.tx_id


async def decided(scene: MarketScene, request_id: str) -> dict[str, Any]:
    async with asyncio.timeout(WAIT_S):
        while True:
            found: dict[str, Any] = await scene.ask(
                scene.manager, "oracle:get_request", request_id
            )
            if found["state"] == "FULFILLED":
                return found
            await asyncio.sleep(0.1)


def devices(asked: list[str]) -> FastAPI:
    app = FastAPI()

    @app.get("/battery-soc/{battery_id}")
    async def charge(battery_id: str, at_ms: int) -> dict[str, Any]:
        asked.append(battery_id)
        return {"id": battery_id, "value": STORED_KWH, "at_ms": at_ms}

    return app


def test_three_processes_answer_one_lies_and_one_that_restarts_catches_up(tmp_path: Path) -> None:
    async def play(scene: MarketScene) -> None:
        await scene.open()
        panel = json.dumps([scene.member_authority(name).mspid for name in MEMBERS])
        await scene.submit(scene.manager, "oracle:name_panel", panel, "2")
        home, battery = await with_battery(scene)
        seen: list[str] = []
        async with serve(devices(seen)) as address:
            files = {name: prepared(scene, name, address) for name in MEMBERS}
            first = await ask(scene, home, battery)
            with running(list(files.values())):
                found = await decided(scene, first)
            assert (found["value"], found["attempt"]) == (6_001, 1)

            second = await ask(scene, home, battery)  # while no oracle runs
            honest = [files[name] for name in MEMBERS if name != LIAR]
            with running(honest):
                assert (await decided(scene, second))["value"] == 6_001
            for oracle in honest:
                assert oracle.steps(second) == [
                    "decode",
                    "fetch",
                    "parse",
                    "check signature",
                    "encode",
                    "submit",
                ]
        assert set(seen) == {battery}
        await scene.close()

    with running_network(tmp_path) as network, asyncio.Runner() as runner:
        runner.run(play(MarketScene(network, runner)))
