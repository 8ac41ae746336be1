"""Foreign devices through the real mosquitto into the API: as settings name them."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateway.application import create_app
from gateway.mqtt.collecting import start_collecting
from gateway.settings import (
    CommunitySettings,
    ForeignDevices,
    GatewaySettings,
    HemsSettings,
    IdentityFiles,
    LedgerSettings,
)
from tests.support.gateway_database import fresh_database
from tests.support.mosquitto import COMMUNITY, Mosquitto, mosquitto, needs_mosquitto
from tests.unit.energy.community import Community
from tests.unit.gateway.hems import HOUR_MS, bearer, hems_of

pytestmark = needs_mosquitto
SECONDS_MAX = 20
METER, NEIGHBOUR = "meter-0", "meter-1"
FOREIGN = ForeignDevices(source={"p2p": METER, "p2p-2": NEIGHBOUR})
NO_FILE = Path("/nowhere")


def settings_for(broker: Mosquitto, foreign: ForeignDevices) -> GatewaySettings:
    return GatewaySettings(
        host="127.0.0.1",
        port=0,
        ledger=LedgerSettings("channel", "energy", NO_FILE, ()),
        identity=IdentityFiles("CoopMSP", NO_FILE, NO_FILE),
        community=CommunitySettings(COMMUNITY, "Test community", HOUR_MS, 0),
        mqtt=broker.settings("gateway"),
        links=(),
        database="",
        hems=HemsSettings(foreign=foreign),
    )


@asynccontextmanager
async def gateway_beside(broker: Mosquitto, foreign: ForeignDevices):
    """The API of a community of two households, collecting from the broker."""
    community = Community.found()
    homes = [community.join(), community.join()]
    assert [home.meter_id for home in homes] == [METER, NEIGHBOUR]
    settings = settings_for(broker, foreign)
    async with hems_of(community) as hems, broker.client(METER) as device:
        await device.subscribe(f"rec/{COMMUNITY}/gateway/time", qos=1)
        started_ms, begun = hems.services.clock_ms(), time.monotonic()
        running = replace(
            hems.services,
            clock_ms=lambda: started_ms + int((time.monotonic() - begun) * 1_000),
        )
        services, tasks = await start_collecting(settings, running, fresh_database())
        transport = httpx.ASGITransport(create_app(services))
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as api:
                async with asyncio.timeout(SECONDS_MAX):
                    await anext(aiter(device.messages))  # it subscribes before it tells the time
                yield api, device, homes, services
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def shown(api: httpx.AsyncClient, idgrid: str, field: str, wanted: int) -> None:
    """Return when the newest measurement of the household's meter shows this value."""
    path = f"/v1/devices/{METER}/measurements"
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            answer = await api.get(path, headers=bearer(idgrid))
            found = answer.raise_for_status().json()
            if found and found[-1][field] == wanted:
                return
            await asyncio.sleep(0.05)


@pytest.mark.row("E068")
def test_a_value_published_to_the_sources_topic_is_in_the_api(tmp_path):
    async def play(broker: Mosquitto) -> None:
        async with gateway_beside(broker, FOREIGN) as (api, device, (home, neighbour), _):
            await device.publish("p2p-2/voltage", b"99", qos=1)  # the neighbour's: not granted
            await device.publish("p2p/voltage", b"12.4", qos=1)
            await shown(api, home.idgrid, "u_mv", 12_400)
            await device.publish("p2p/potencia", b"10.54", qos=1)
            await shown(api, home.idgrid, "p_mw", 10_540)
            theirs = f"/v1/devices/{NEIGHBOUR}/measurements"
            answer = await api.get(theirs, headers=bearer(neighbour.idgrid))
            assert (answer.status_code, answer.json()) == (200, [])

    with mosquitto(tmp_path, (METER, NEIGHBOUR), foreign=FOREIGN) as broker:
        asyncio.run(play(broker))
