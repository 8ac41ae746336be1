"""Per-appliance energy and voltage on the page are those of the plugs' own messages."""

import asyncio
import re
from dataclasses import replace

import pytest

from chaincode.shim.testing import make_identity
from gateway.hems.household_values import HouseholdValues
from gateway.hems.measurements import MeasurementStore
from gateway.mqtt.device_messages import Measurement
from gateway.web.languages import language
from tests.support.gateway_database import fresh_database
from tests.unit.energy.community import DSO, Community
from tests.unit.gateway.hems import bearer, client_of, hems_of

HOUR_MS = 3_600_000
COUNTERS_WH = {"plug-fridge": (100, 140, 175), "plug-kettle": (5_000, 5_000, 5_310)}


def with_plugs(community: Community) -> None:
    owner = community.households[0]
    for name in COUNTERS_WH:
        key = make_identity(DSO, name, {}, "client").public_key.hex()
        community.dso.submit("devices:register", name, "plug", owner.idgrid, key)


@pytest.mark.row("E078")
def test_the_page_has_the_energy_of_each_plug_and_their_sum():
    community = Community.found()
    owner, other = community.join(), community.join()
    with_plugs(community)

    async def play() -> None:
        async with hems_of(community) as hems:
            store = MeasurementStore(fresh_database())
            values = HouseholdValues(store, hems.services.community)
            hems.services = replace(hems.services, measurements=values)
            now_ms = hems.services.clock_ms()
            store.keep(
                [
                    Measurement(name, now_ms - (3 - at) * HOUR_MS, energy_wh=counter)
                    for name, counters in COUNTERS_WH.items()
                    for at, counter in enumerate(counters)
                ]
                + [Measurement(owner.meter_id, now_ms - 1, u_mv=231_400)],
                now_ms,
            )
            async with client_of(hems) as client:
                page = (await client.get("/meter", headers=bearer(owner.idgrid))).text
                rows = r'data-device="([\w-]+)".*?data-wh="(\d+)"'
                shown = dict(re.findall(rows, page, re.DOTALL))
                assert shown == {"plug-fridge": "75", "plug-kettle": "310"}
                assert f"Together {language('en').kwh(385)} kWh" in page
                assert "231.4" in page
                foreign = (await client.get("/meter", headers=bearer(other.idgrid))).text
                assert "plug-fridge" not in foreign

    asyncio.run(play())
