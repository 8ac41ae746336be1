"""The devices' interface is down when a window settles: it waits, asks again, is disputed."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count

import httpx
import pytest

from gateway.oracle.http_source import HttpReadings, HttpSource
from gateway.oracle.node import OracleNode
from tests.unit.energy.community import LISTING, Community, hour_of, milliseconds, refuses
from tests.unit.energy.marketplace.scene import call, offer
from tests.unit.gateway.acting import LedgerActor
from tests.unit.gateway.hems import HOUR_MS, ORACLE_TOKEN, hems_of, serving
from tests.unit.gateway.test_oracle_jobs import closed_address

START = hour_of(LISTING)
START_MS, END_MS = milliseconds(START), milliseconds(START) + HOUR_MS
WAITED_MS = 1_000


@pytest.fixture(autouse=True)
def no_pause(monkeypatch) -> None:
    monkeypatch.setattr("gateway.oracle.http_source.MISSING_RETRY_MS", 0)


@pytest.fixture
def community() -> Community:
    """Two prosumers with an auction of 3 kWh and a deal of 1 kWh in the same hour."""
    founded = Community.found(start="2026-01-15T09:50:00Z")
    seller, buyer = founded.join(), founded.join()
    founded.open()
    lot = offer(founded, seller, energy_wh=1_000, price_utoken=50_000)["post_id"]
    call(buyer.client, "buy", lot)
    founded.offer(seller, 3_000, 40_000)
    founded.bid(buyer, 3_000, 60_000)
    founded.close_and_clear()
    return founded


@asynccontextmanager
async def oracle_at(community: Community, address: str):
    """The member's oracle with the devices' interface at this address."""
    waited = count(step=WAITED_MS)
    async with httpx.AsyncClient() as http:
        readings = HttpReadings(HttpSource(http), address, ORACLE_TOKEN, lambda: next(waited))
        yield OracleNode(LedgerActor(community.oracle), readings)


async def deliver(hems) -> None:
    """The meters measure and report to the interface, whoever can read it."""
    seller, buyer = hems.community.households
    for at_ms, sold_wh in ((START_MS - HOUR_MS, 0), (START_MS, 0), (END_MS, 4_000)):
        await hems.read(seller, at_ms, pv_wh=sold_wh)
        await hems.read(buyer, at_ms, load_wh=sold_wh)


def state(community: Community) -> str:
    return str(community.manager.evaluate("market:get_listing", LISTING)["state"])


@pytest.mark.row("E067")
def test_a_window_waits_for_the_oracle_asks_again_and_is_disputed(community) -> None:
    async def scene() -> None:
        meters = [home.meter_id for home in community.households]
        deal = community.manager.evaluate("marketplace:list_posts", LISTING)["posts"][0]["post_id"]
        async with hems_of(community) as hems:
            await deliver(hems)
            async with oracle_at(community, closed_address()) as oracle:
                for minute in (0, 1, 2):
                    community.ledger.at(START + timedelta(hours=1, minutes=minute))
                    assert await oracle.report(meters, END_MS) == 0
                    settle = ("market:settle", LISTING)
                    refuses(community, "READINGS_MISSING", community.scheduler, *settle)
                    assert state(community) == "CLEARED", "still to be settled"
                community.ledger.at(START + timedelta(hours=1, minutes=3))
                community.settle()
                assert state(community) == "DISPUTED"
                assert call(community.scheduler, "settle", deal)["state"] == "DISPUTED"

            async with serving(hems) as address, oracle_at(community, address) as oracle:
                assert await oracle.report(meters, START_MS) == 2
                assert await oracle.report(meters, END_MS) == 2
            assert community.settle()["settled_wh"] == 3_000
            assert state(community) == "SETTLED"
            settled = call(community.scheduler, "settle", deal)
            assert (settled["state"], settled["delivered_wh"]) == ("SETTLED", 1_000)
            assert community.audit()["difference_utoken"] == 0

    asyncio.run(scene())


def test_only_the_reading_of_the_very_instant_is_carried(community) -> None:
    async def scene() -> None:
        meters = [home.meter_id for home in community.households]
        community.ledger.at(START + timedelta(hours=1))
        async with hems_of(community) as hems:
            await deliver(hems)
            async with serving(hems) as address, oracle_at(community, address) as oracle:
                assert await oracle.report(meters, END_MS - 1) == 0
                assert await oracle.report([*meters, "meter-9"], END_MS) == 2

    asyncio.run(scene())
