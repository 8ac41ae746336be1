"""The devices' interface is down when a window settles: it waits, asks again, is disputed."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from gateway.oracle.http_source import HttpReadings, HttpSource
from gateway.oracle.instants import ReportTimes
from gateway.oracle.job import RunLog
from gateway.oracle.reporting import ReportingNode
from tests.unit.energy.community import LISTING, Community, hour_of, milliseconds, refuses
from tests.unit.energy.marketplace.scene import call, offer
from tests.unit.gateway.acting import LedgerActor
from tests.unit.gateway.hems import HOUR_MS, ORACLE_TOKEN, clock_of, hems_of, serving
from tests.unit.gateway.test_oracle_jobs import closed_address

START = hour_of(LISTING)
START_MS, END_MS = milliseconds(START), milliseconds(START) + HOUR_MS


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
    clock_ms = clock_of(community)
    async with httpx.AsyncClient() as http:
        yield ReportingNode(
            LedgerActor(community.oracle),
            HttpReadings(HttpSource(http), address, ORACLE_TOKEN),
            ReportTimes(),
            clock_ms=clock_ms,
            log=RunLog(clock_ms),
        )


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
        deal = community.manager.evaluate("marketplace:list_posts", LISTING)["posts"][0]["post_id"]
        async with hems_of(community) as hems:
            await deliver(hems)
            async with oracle_at(community, closed_address()) as oracle:
                for minute in (0, 1, 2):
                    community.ledger.at(START + timedelta(hours=1, minutes=minute))
                    assert await oracle.report_due() == 0
                    settle = ("market:settle", LISTING)
                    refuses(community, "READINGS_MISSING", community.scheduler, *settle)
                    assert state(community) == "CLEARED", "still to be settled"
                community.ledger.at(START + timedelta(hours=1, minutes=3))
                community.settle()
                assert state(community) == "DISPUTED"
                assert call(community.scheduler, "settle", deal)["state"] == "DISPUTED"

            async with serving(hems) as address, oracle_at(community, address) as oracle:
                assert await oracle.report_due() == 6, "two meters, three ends of hours"
                assert await oracle.report_due() == 0, "they are recorded"
            assert community.settle()["settled_wh"] == 3_000
            assert state(community) == "SETTLED"
            settled = call(community.scheduler, "settle", deal)
            assert (settled["state"], settled["delivered_wh"]) == ("SETTLED", 1_000)
            assert community.audit()["difference_utoken"] == 0

    asyncio.run(scene())
