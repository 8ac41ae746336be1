"""A household's plugs on its page: on or off, their last command; nobody else's."""

import asyncio
from dataclasses import replace

from chaincode.shim.testing import make_identity
from gateway.hems.batteries import BatteryStore
from gateway.hems.household_values import HouseholdValues
from gateway.hems.plausibility import Limits
from gateway.hems.running import open_service
from gateway.mqtt.device_messages import ONLINE, DeviceState, Measurement
from tests.support.gateway_database import fresh_database
from tests.unit.energy.community import DSO, Community
from tests.unit.gateway.hems import bearer, client_of, hems_of

PLUG, PENDING = "fridge-01", "fridge-02"


def test_a_plug_shows_its_state_its_power_and_how_its_last_command_fared():
    community = Community.found()
    owner, other = community.join(), community.join()
    key = make_identity(DSO, PLUG, {}, "client").public_key.hex()
    community.dso.submit("devices:register", PLUG, "plug", owner.idgrid, key)
    community.dso.submit("registry:approve_meter", PLUG)
    key = make_identity(DSO, PENDING, {}, "client").public_key.hex()
    community.dso.submit("devices:register", PENDING, "plug", owner.idgrid, key)

    async def play() -> list[str]:
        async with hems_of(community) as hems:
            now_ms = hems.services.clock_ms()
            service = open_service(
                fresh_database(),
                BatteryStore(),
                Limits(),
                now_ms=now_ms,
                answering_by_state=[PLUG],
            )
            stores = service.stores
            values = HouseholdValues(stores.measurements, hems.services.community)
            hems.services = replace(hems.services, hems=service, measurements=values)
            seen = []
            async with client_of(hems) as client:

                async def look() -> None:
                    answer = await client.get("/devices", headers=bearer(owner.idgrid))
                    part = answer.text.partition(f'data-plug="{PLUG}"')[2]
                    seen.append(part.partition("</li>")[0])
                    waiting = answer.text.partition(f'data-plug="{PENDING}"')[2].partition("</li>")
                    assert "waits for approval" in waiting[0]
                    assert "data-switch" not in waiting[0]

                await look()
                said = DeviceState(PLUG, ONLINE, now_ms, plug_on=1)
                stores.devices.heard([PLUG], now_ms, states={PLUG: said})
                stores.measurements.keep([Measurement(PLUG, now_ms, p_mw=85_000)], now_ms)
                await look()
                stores.switches.issue(PLUG, is_on=False, now_ms=now_ms, lifetime_ms=5_000)
                await look()
                off = {PLUG: replace(said, plug_on=0)}
                stores.devices.heard([PLUG], now_ms, states=off)
                stores.switches.note([], off, now_ms)
                await look()
                foreign = await client.get("/devices", headers=bearer(other.idgrid))
                assert PLUG not in foreign.text
            return seen

    unknown, running, told, off = asyncio.run(play())
    assert "data-plug-state" not in unknown
    assert unknown.count("data-switch") == 2
    assert "switched on" in running
    assert "0.08 kW" in running or "0.09 kW" in running
    assert 'data-to="off"' in running
    assert 'data-to="on"' not in running
    assert "to switch off: no answer yet" in told
    assert "to switch off: done" in off
    assert 'data-to="on"' in off
