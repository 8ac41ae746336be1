"""What a listing's clearing means for nodes with relays: their trades become transfers, once."""

import asyncio
import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import Connection

from gateway.database.engine import Database
from gateway.hems.planning import TransferPlanner, keep_planning
from gateway.hems.transfer_rules import Transfer
from gateway.hems.transfers import TransferBook
from gateway.mqtt.device_messages import packed
from tests.firmware.interpreter import CHECKS, FIRMWARE
from tests.unit.energy.community import LISTING, Community, Household, hour_of, milliseconds
from tests.unit.gateway.hems import Hems, hems_of
from tests.unit.gateway.metering.data_service import Keys, Scene
from tests.unit.gateway.metering.test_tier_a import settings_with

sys.path[:0] = [str(FIRMWARE), str(CHECKS)]
FirmwareWorld = importlib.import_module("world").World
PRICE = 90_000
WATT_HOUR_A_SECOND_MW = 3_600_000
START_MS = milliseconds(hour_of(LISTING))
HOUR_MS = 3_600_000


@dataclass
class Site:
    """A community whose seller and first buyer have nodes; the second buyer has a plain meter."""

    community: Community
    hems: Hems
    scene: Scene
    seller: Household
    buyer: Household
    other: Household

    def planner(self) -> TransferPlanner:
        services = self.hems.services
        stores = self.scene.stores
        return TransferPlanner(services.readmodel, services.market, services.community, stores)

    def say(self, home: Household, state: str = "online", **relays: int) -> None:
        content = {"v": 1, "d": home.meter_id, "state": state} | relays
        self.scene.hear((f"{home.meter_id}/state", json.dumps(content).encode()))

    def planned(self) -> list[Transfer]:
        return sorted(self.scene.stores.transfers.all(), key=lambda transfer: transfer.number)

    async def clear(self) -> None:
        self.community.offer(self.seller, 900, PRICE)
        self.community.bid(self.buyer, 600, PRICE)
        self.community.bid(self.other, 300, PRICE)
        self.community.close_and_clear()
        await self.hems.catch_up()


def play(scenario) -> None:
    async def run() -> None:
        community = Community.found()
        homes = [community.join() for _ in range(3)]
        community.open()
        async with hems_of(community) as hems:
            site = Site(community, hems, Scene(Keys()), *homes)
            for home in homes[:2]:
                site.say(home, **{"in": 0, "out": 0})
            site.say(homes[2])
            await scenario(site)
        site.scene.database.close()

    asyncio.run(run())


def test_trades_between_nodes_become_transfers_when_the_listing_is_cleared_and_once_only():
    async def scenario(site: Site) -> None:
        assert site.planner().plan(START_MS - 1) == []
        await site.clear()
        planner = site.planner()
        assert planner.plan(START_MS - 1) == [f"{LISTING}.1"]
        (transfer,) = site.planned()
        assert (transfer.seller.idgrid, transfer.buyer.idgrid) == (
            site.seller.idgrid,
            site.buyer.idgrid,
        )
        assert (transfer.seller.device_id, transfer.buyer.device_id) == (
            site.seller.meter_id,
            site.buyer.meter_id,
        )
        assert transfer.energy_wh == 600
        assert (transfer.begins_ms, transfer.until_ms) == (START_MS, START_MS + HOUR_MS)
        assert planner.plan(START_MS) == []
        site.scene.restart()
        assert site.planner().plan(START_MS) == []
        assert site.planned() == [transfer]

    play(scenario)


@pytest.mark.row("E086")
def test_a_planner_and_a_gateway_that_start_again_close_no_relay_twice(tmp_path):
    async def scenario(site: Site) -> None:
        await site.clear()
        scene, nodes = site.scene, {}
        for home in (site.seller, site.buyer):
            folder, name = str(tmp_path / home.meter_id), home.meter_id
            nodes[name] = FirmwareWorld(folder, account=home.idgrid, device=name)
            nodes[name].clock.set(START_MS)

        def start_again() -> None:
            scene.restart()
            site.planner().plan(scene.now_ms)
            for command in scene.service.due(scene.now_ms):
                for _ in range(2):  # the broker may repeat it
                    said = nodes[command.device_id].send(packed(command.message))
                    scene.hear((f"{command.device_id}/ack", packed(said)))

        scene.now_ms = START_MS
        for _ in range(3):
            start_again()
        assert [one.state for one in site.planned()] == ["running"]
        for _ in range(6):
            nodes[site.seller.meter_id].run(100, -WATT_HOUR_A_SECOND_MW)
            nodes[site.buyer.meter_id].run(100, WATT_HOUR_A_SECOND_MW)
            scene.now_ms += 100_000
            start_again()
        (transfer,) = site.planned()
        assert (transfer.state, transfer.seller.energy_mwh) == ("done", 600_000)
        assert [node.cycles() for node in nodes.values()] == [1, 1]

    play(scenario)


def test_only_nodes_of_one_bus_get_transfers_and_each_bus_has_its_own_turn():
    async def scenario(site: Site) -> None:
        site.say(site.other, **{"in": 0, "out": 0})
        await site.clear()
        services, stores = site.hems.services, site.scene.stores

        def plan(*buses: tuple[Household, str]) -> list[str]:
            named = {home.meter_id: bus for home, bus in buses}
            books = services.readmodel, services.market, services.community, stores
            return TransferPlanner(*books, named).plan(START_MS - 1)

        seller, buyer, other = site.seller, site.buyer, site.other
        assert plan((seller, "a"), (buyer, "b"), (other, "c")) == [], "no wire between them"
        assert plan((seller, "a"), (buyer, "a")) == [f"{LISTING}.1"], "the other is on none"
        assert plan((seller, "b"), (other, "b"), (buyer, "a")) == [f"{LISTING}.2"]
        assert [one.segment for one in site.planned()] == ["a", "b"]
        running = stores.transfers.due(START_MS)
        assert {command.message["id"] for command in running} == {f"{LISTING}.1", f"{LISTING}.2"}

    play(scenario)


class WatchedDatabase:
    """Looks after every transaction how many transfers there are."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.seen: list[int] = []

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self._database.writing() as connection:
            yield connection
        self.seen.append(len(TransferBook(self._database).all()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


def test_whoever_looks_whose_turn_it_is_sees_all_transfers_of_a_listing_or_none():
    async def scenario(site: Site) -> None:
        site.say(site.other, **{"in": 0, "out": 0})
        await site.clear()
        services, database = site.hems.services, WatchedDatabase(site.scene.database)
        stores = replace(site.scene.stores, transfers=TransferBook(database))
        planner = TransferPlanner(services.readmodel, services.market, services.community, stores)
        assert planner.plan(START_MS) == [f"{LISTING}.1", f"{LISTING}.2"]
        assert database.seen == [2]
        assert planner.plan(START_MS) == []

    play(scenario)


def test_a_device_is_on_one_bus(tmp_path):
    buses = {"a": ["node-1", "node-2"], "b": ["node-3"]}
    found = settings_with(tmp_path, {"buses": buses}).hems.buses
    assert found == {"node-1": "a", "node-2": "a", "node-3": "b"}
    with pytest.raises(ValueError, match="node-1 is on the buses a and c"):
        settings_with(tmp_path, {"buses": buses | {"c": ["node-1"]}})


def test_a_node_that_is_lost_gets_its_transfer_when_it_is_back_before_the_hour_is_over():
    async def scenario(site: Site) -> None:
        await site.clear()
        site.say(site.buyer, "lost")
        planner = site.planner()
        assert planner.plan(START_MS) == []
        site.say(site.buyer, **{"in": 0, "out": 0})
        assert planner.plan(START_MS + HOUR_MS) == []
        assert planner.plan(START_MS + HOUR_MS - 1) == [f"{LISTING}.1"]

    play(scenario)


class TellingPlanner(TransferPlanner):
    """Says when it has planned something."""

    def watched(self) -> asyncio.Event:
        self.loop, self.has_planned = asyncio.get_running_loop(), asyncio.Event()
        return self.has_planned

    def plan(self, now_ms: int) -> list[str]:
        planned = super().plan(now_ms)
        if planned:
            self.loop.call_soon_threadsafe(self.has_planned.set)
        return planned


def test_a_running_gateway_plans_as_soon_as_the_block_is_there():
    async def scenario(site: Site) -> None:
        services, stores = site.hems.services, site.scene.stores
        planner = TellingPlanner(services.readmodel, services.market, services.community, stores)
        has_planned = planner.watched()
        planning = asyncio.create_task(keep_planning(planner, services.blocks, lambda: START_MS))
        await site.clear()
        async with asyncio.timeout(60):
            await has_planned.wait()
        planning.cancel()
        with suppress(asyncio.CancelledError):
            await planning
        assert [transfer.transfer_id for transfer in site.planned()] == [f"{LISTING}.1"]

    play(scenario)
