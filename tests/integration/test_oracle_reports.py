"""Oracles of three members report a real network's meters: one killed, one lied to, one lies.

Readings go from each gateway's own series, by database or HTTP, to the ledger at the end of every
market hour, here a short one; the listing in which one is missing is disputed until it comes.
"""

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from grpc import aio

from chaincode.energy.oracle.records import MeterReading
from gateway.database import migrate, open_database
from gateway.hems.running import limits_for
from gateway.hems.series import SeriesStore
from gateway.ledger_access.peer_line import refusal_of
from gateway.mqtt.ingest import SeriesIntake
from gateway.mqtt.reading import encode_reading, key_id
from gateway.mqtt.reading_check import ReadingCheck
from gateway.mqtt.topics import Topic
from gateway.oracle.settings import load_oracle_settings
from ledger.crypto.signing import SigningIdentity
from network.bench.trial_households import CHAINCODE
from network.commands.oracle import RUN_LOG, jobs_for, prepare
from tests.integration.market_scene import CAP, FLOOR, Home, MarketScene, now_ms
from tests.integration.running_network import running_network
from tests.support.conditions import until
from tests.unit.gateway.serving import serve

pytestmark = pytest.mark.slow

HOUR_MS = 4_000
"""Of this market: a reading is due every four seconds."""
MEMBERS = ("cooperative", "dso", "utility")
SOLD_WH, TAKEN_WH = 3_000, 3_000
WAIT_S = 60
STOP_S = 60


class Keys:
    """Of the meters of these homes."""

    def __init__(self, homes: list[Home]) -> None:
        self._keys = {home.meter_id: home.meter.public_key for home in homes}

    def public_key(self, meter_id: str) -> ec.EllipticCurvePublicKey | None:
        return self._keys.get(meter_id)


class Gateway:
    """One member's own series, and what it answers an oracle over HTTP; a liar adds energy."""

    def __init__(self, folder: Path, name: str, homes: list[Home], *, lie_wh: int = 0) -> None:
        self.url = f"sqlite:///{folder}/{name}.db"
        self.lie_wh = lie_wh
        database = open_database(self.url)
        migrate(database)
        self.series = SeriesStore(database, limits_for(HOUR_MS), 0)
        self.intake = SeriesIntake(self.series, ReadingCheck(Keys(homes)), now_ms)
        self.close = database.close

    async def hear(self, home: Home, reading: MeterReading) -> None:
        topic = Topic("test", home.meter_id, "reading")
        message = encode_reading(reading, key_id(home.meter.public_key))
        assert await self.intake.accept(topic, message) is not None

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/v1/meters/{meter_id}/signed-readings")
        def signed(meter_id: str, after_ms: int, until_ms: int) -> dict[str, Any]:
            return {"readings": self.told(self.series.between(meter_id, after_ms, until_ms))}

        @app.get("/smartmeter/{meter_id}")
        def hour(meter_id: str, at_ms: int) -> dict[str, Any]:
            ends = self.told(self.series.between(meter_id, at_ms - HOUR_MS - 1, at_ms))
            value = (ends[-1]["import_wh"] - ends[0]["import_wh"]) / 1_000
            return {"value": value, "readings": ends}

        return app

    def told(self, readings: list[MeterReading]) -> list[dict[str, Any]]:
        *others, last = readings or [None]
        if last is None:
            return []
        lied = replace(last, import_wh=last.import_wh + self.lie_wh)
        return [asdict(reading) for reading in (*others, lied)]


class Oracle:
    """A member's oracle process, as `gridledger oracle MEMBER` starts it."""

    def __init__(
        self, scene: MarketScene, member_id: str, reports: dict[str, Any], address: str
    ) -> None:
        jobs = [job | {"hour_ms": HOUR_MS} for job in jobs_for(hems=address, token="", price=None)]
        quick = {"every_ms": HOUR_MS, "spread_ms": 200, "retry_ms": 200}
        self.config = prepare(
            scene.network.plan_path, member_id, CHAINCODE, jobs, reports=reports | quick
        )
        self.run_log = self.config.parent / RUN_LOG
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "gateway.oracle.server", "--config", str(self.config)]
        self.process = subprocess.Popen(command)

    def identity(self) -> SigningIdentity:
        return load_oracle_settings(self.config).identity.load()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(STOP_S)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(STOP_S)

    def steps(self, step: str, *, is_done: bool = True) -> list[str]:
        lines = self.run_log.read_text().splitlines() if self.run_log.exists() else []
        found = [json.loads(line) for line in lines]
        return [x["detail"] for x in found if (x["step"], x["is_done"]) == (step, is_done)]


async def until_time(instant_ms: int) -> None:
    await asyncio.sleep(max(0, instant_ms - now_ms()) / 1_000)


async def recorded(scene: MarketScene, home: Home, t_end_ms: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                last = await scene.ask(scene.oracle, "oracle:last_reading", home.meter_id)
            except aio.AioRpcError:
                last = {"t_end_ms": 0}
            if last["t_end_ms"] >= t_end_ms:
                return
            await asyncio.sleep(0.05)


async def every_recorded_reading(scene: MarketScene) -> Counter[tuple[str, int]]:
    """How often each reading was recorded, over the whole chain up to the settlement."""
    found: Counter[tuple[str, int]] = Counter()
    async for response in scene.client.chaincode_events(scene.manager, CHAINCODE, start_block=1):
        for event in response.events:
            if event.event_name == "EnergyReceived":
                for reading in json.loads(event.payload)["readings"]:
                    found[reading["meter_id"], reading["t_end_ms"]] += 1
            if event.event_name == "SettlementState":
                return found
    raise AssertionError("the stream of events ended")


async def is_disputed(scene: MarketScene, hour: "Hour", listing_id: str) -> None:
    """One meter is silent at the end: nothing is decided, and after the time for it, disputed."""
    await until_time(hour.settlement_end_ms + 1)
    await scene.submit(scene.manager, "market:settle", listing_id)
    found = await scene.ask(scene.manager, "market:get_listing", listing_id)
    assert found["state"] == "DISPUTED"


async def lies_change_nothing(
    scene: MarketScene, misled: Oracle, homes: list[Home], hour: "Hour"
) -> None:
    """Its own oracle leaves out what its gateway altered; sent on purpose, peers refuse it."""
    told = misled.steps("check signature", is_done=False)
    assert any("BAD_READING_SIGNATURE" in line for line in told)
    true = homes[0].reading(seq=9, t_end_ms=hour.end_ms + 1, import_wh=0, export_wh=SOLD_WH)
    forged = json.dumps([asdict(replace(true, export_wh=SOLD_WH + 1))])
    async with scene.unchanged():
        with pytest.raises(aio.AioRpcError) as refused:
            await scene.submit(misled.identity(), "oracle:report_readings", forged)
    assert "BAD_READING_SIGNATURE" in str(refusal_of(refused.value))


async def outvoted(scene: MarketScene, misled: Oracle, home: Home, at_ms: int) -> None:
    """A member that answers what its meters did not sign: two others decide, it is named."""
    question = ("oracle:request", "smartmeter", home.meter_id, str(at_ms))
    asked = (await scene.submit(home.identity, *question)).tx_id
    await scene.submit(misled.identity(), "oracle:answer", asked, str(TAKEN_WH + 7_000))
    async with asyncio.timeout(WAIT_S):
        while True:
            found = await scene.ask(scene.manager, "oracle:get_request", asked)
            if found["state"] == "FULFILLED":
                break
            await asyncio.sleep(0.1)
    assert found["value"] == TAKEN_WH


class Hour:
    """A market hour with a match, and what the meters say at its ends."""

    def __init__(self, scene: MarketScene, homes: list[Home]) -> None:
        self.scene, self.homes = scene, homes
        self.opens_ms = now_ms()
        self.gate_ms = self.opens_ms + HOUR_MS
        self.start_ms = (self.gate_ms // HOUR_MS + 1) * HOUR_MS
        self.end_ms = self.start_ms + HOUR_MS
        self.settlement_end_ms = self.end_ms + HOUR_MS

    async def trade(self) -> str:
        scene, (seller, buyer, _) = self.scene, self.homes
        listing_id = await scene.open_listing(
            opens_at_ms=self.opens_ms,
            gate_closure_ms=self.gate_ms,
            delivery_start_ms=self.start_ms,
            delivery_end_ms=self.end_ms,
            settlement_end_ms=self.settlement_end_ms,
            reading_tolerance_ms=0,
        )
        offer = ("market:place_offer", listing_id, seller.res_id, str(SOLD_WH), str(FLOOR))
        bid = ("market:place_bid", listing_id, str(SOLD_WH), str(CAP))
        # As of the opening: a slow machine has them on the ledger after the gate.
        for home, order in ((seller, offer), (buyer, bid)):
            await scene.submit(home.identity, *order, at_ms=self.opens_ms)
        await until_time(self.gate_ms)
        await scene.submit(scene.manager, "market:close_bidding", listing_id)
        await scene.submit(scene.manager, "market:clear", listing_id)
        return listing_id

    def readings(self, *, at_end: bool) -> list[tuple[Home, MeterReading]]:
        """What all meters say, signed: the seller fed in, the buyer took."""
        t_end_ms = self.end_ms if at_end else self.start_ms
        flows = ((0, SOLD_WH), (TAKEN_WH, 0), (0, 0))
        return [
            (
                home,
                home.reading(
                    seq=2 if at_end else 1,
                    t_end_ms=t_end_ms,
                    import_wh=imported if at_end else 0,
                    export_wh=exported if at_end else 0,
                ),
            )
            for home, (imported, exported) in zip(self.homes, flows, strict=True)
        ]


class Street:
    """Three homes, three members' gateways and oracles, and what happens to them."""

    def __init__(self, scene: MarketScene, homes: list[Home], folder: Path) -> None:
        self.scene, self.homes = scene, homes
        self.good, self.other = (Gateway(folder, name, homes) for name in MEMBERS[:2])
        self.liar = Gateway(folder, MEMBERS[2], homes, lie_wh=7_000)

    async def start(self, stack: AsyncExitStack) -> None:
        """The processes; the third member's gateway lies to it."""
        for gateway in (self.good, self.other, self.liar):
            stack.callback(gateway.close)
        address = await stack.enter_async_context(serve(self.good.app()))
        lying = await stack.enter_async_context(serve(self.liar.app()))
        self.by_http = Oracle(self.scene, MEMBERS[0], {"gateway": address}, address)
        self.by_database = Oracle(self.scene, MEMBERS[1], {"database": self.other.url}, address)
        self.misled = Oracle(self.scene, MEMBERS[2], {"gateway": lying}, lying)
        for oracle in (self.by_http, self.by_database, self.misled):
            stack.callback(oracle.stop)

    async def begin(self, hour: Hour) -> None:
        """One oracle has the readings first and is killed with its report sent, or not."""
        await until_time(hour.start_ms)
        for home, reading in hour.readings(at_end=False):
            for gateway in (self.other, self.liar):
                await gateway.hear(home, reading)
        await until(lambda: self.by_database.steps("encode"))
        self.by_database.kill()
        for home, reading in hour.readings(at_end=False):
            await self.good.hear(home, reading)
        for home in self.homes:
            await recorded(self.scene, home, hour.start_ms)

    async def end(self, hour: Hour) -> tuple[Home, MeterReading]:
        """The buyer's meter is out of reach; returns what it would have said."""
        await until_time(hour.end_ms)
        found = hour.readings(at_end=True)
        late = found.pop(1)
        for home, reading in found:
            await self.hear(home, reading)
        for home, _ in found:
            await recorded(self.scene, home, hour.end_ms)
        self.by_database.start()
        return late

    async def hear(self, home: Home, reading: MeterReading) -> None:
        for gateway in (self.good, self.other, self.liar):
            await gateway.hear(home, reading)


async def staffed(scene: MarketScene) -> None:
    """Three members' oracles count, and two of them decide."""
    mspids = [scene.member_authority(name).mspid for name in MEMBERS]
    roles = {"oracle": mspids, "community_manager": [mspids[0]], "dso": [mspids[1]]}
    await scene.submit(scene.manager, "registry:configure", json.dumps(roles))
    await scene.submit(scene.manager, "oracle:name_panel", json.dumps(mspids), "2")


async def a_day(scene: MarketScene, folder: Path, stack: AsyncExitStack) -> None:
    await scene.open()
    stack.push_async_callback(scene.close)
    await staffed(scene)
    homes = [await scene.join() for _ in range(3)]
    street, hour = Street(scene, homes, folder), Hour(scene, homes)
    listing_id = await hour.trade()
    await street.start(stack)
    await street.begin(hour)
    late = await street.end(hour)
    await is_disputed(scene, hour, listing_id)
    await lies_change_nothing(scene, street.misled, homes, hour)

    await street.hear(*late)
    await recorded(scene, homes[1], hour.end_ms)
    await outvoted(scene, street.misled, homes[1], hour.end_ms)
    await scene.submit(scene.manager, "market:settle", listing_id)
    settled = await scene.ask(scene.manager, "market:get_settlement", listing_id)
    assert settled["settled_wh"] == TAKEN_WH
    ends = (hour.start_ms, hour.end_ms)
    once = {(home.meter_id, end): 1 for home in homes for end in ends}
    assert await every_recorded_reading(scene) == once


def test_three_members_report_every_hour_once_though_one_is_killed_and_one_lies(
    tmp_path: Path,
) -> None:
    async def play(scene: MarketScene) -> None:
        async with AsyncExitStack() as stack:
            await a_day(scene, tmp_path, stack)

    with running_network(tmp_path) as network, asyncio.Runner() as runner:
        runner.run(play(MarketScene(network, runner)))
