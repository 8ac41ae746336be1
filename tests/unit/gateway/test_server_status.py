"""The manager sees whether the broker is there, and since when."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta

import aiomqtt

from gateway.hems.batteries import BatteryStore
from gateway.hems.plausibility import Limits
from gateway.hems.running import open_service
from gateway.identity.sessions import Viewer
from gateway.mqtt.broker_link import BrokerLink
from tests.support.gateway_database import fresh_database
from tests.unit.energy.community import Community
from tests.unit.gateway.hems import bearer, client_of, hems_of

STATUS = re.compile(r'data-broker="(\w+)" data-since="(\d+)"')


def test_the_page_tells_that_the_broker_is_there_and_since_when():
    community = Community.found()
    community.join()

    async def play() -> list[tuple[str, int]]:
        async with hems_of(community) as hems:
            clock_ms = hems.services.clock_ms
            hems.services.sessions.admit("manager", Viewer("", is_manager=True))
            link = BrokerLink(clock_ms)
            seen = []
            async with client_of(hems) as without:
                answer = await without.get("/console/meters", headers=bearer("manager"))
                assert "listens to no broker" in answer.text
            service = open_service(fresh_database(), BatteryStore(), Limits(), now_ms=clock_ms())
            hems.services = replace(hems.services, broker=link, hems=service)
            async with client_of(hems) as client:

                async def look() -> None:
                    answer = await client.get("/console/meters", headers=bearer("manager"))
                    (found,) = STATUS.findall(answer.text)
                    seen.append((found[0], int(found[1])))

                began_ms = clock_ms()
                await look()
                community.ledger.at(community.ledger.now + timedelta(minutes=5))
                with link.over(aiomqtt.Client("127.0.0.1")):
                    await look()
                    community.ledger.at(community.ledger.now + timedelta(minutes=5))
                await look()
        return [(state, (since_ms - began_ms) // 60_000) for state, since_ms in seen]

    assert asyncio.run(play()) == [("away", 0), ("connected", 5), ("away", 10)]
