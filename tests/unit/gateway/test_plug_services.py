"""Plugs behind their maker's service: a real one on a socket, well or failing."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from chaincode.energy.hours import DAY_MS
from chaincode.shim.testing import make_identity
from gateway.application import create_app
from gateway.hems.batteries import BatteryStore
from gateway.hems.plausibility import Limits
from gateway.hems.plug_services import PlugServices
from gateway.hems.running import open_service
from gateway.mqtt.device_messages import ONLINE, DeviceState, Measurement
from gateway.settings import PlugService
from tests.support.gateway_database import fresh_database
from tests.unit.energy.community import DSO, Community
from tests.unit.gateway.hems import bearer, client_of, hems_of
from tests.unit.gateway.serving import serve

PLUG, OTHER, TOKEN = "meter-0", "meter-1", "a-bridge's"
KETTLE = "kettle-0"
DEVICE = {"deviceid": "10014", "online": True, "params": {"power": "8.50", "voltage": "231.20"}}
MONTHLY = {"status": "ok", "monthly": 12.34}
FAULTS = {
    "refuses": Response(b'{"error":"at expired"}', 500),
    "is no JSON": Response(b"<html>"),
    "is no object": Response(b"[1]"),
    "leads elsewhere": Response(b"", 302, {"location": "http://127.0.0.1:1/"}),
    "is too long": Response(b'{"a":"' + b"x" * 70_000 + b'"}'),
}


def bridge_of(answer: dict[str, Response]) -> FastAPI:
    """As the source's server: two addresses, and `answer["now"]` in their place."""
    app = FastAPI()

    @app.get("/api/{what}")
    def api(what: str, request: Request) -> Any:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        return answer.get("now") or {"device": DEVICE, "mensual": MONTHLY}[what]

    return app


def play(scene) -> None:
    async def run() -> None:
        community, answer = Community.found(), {}
        owner, neighbour = community.join(), community.join()
        async with hems_of(community) as hems, serve(bridge_of(answer)) as url:
            plugs = PlugServices({PLUG: PlugService(url, TOKEN)})
            app = create_app(replace(hems.services, plug_services=plugs))
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as api:
                await scene(api, owner, neighbour, answer)

    asyncio.run(run())


@pytest.mark.row("E074")
def test_a_plug_and_its_months_come_from_the_makers_service_and_a_failure_is_a_500():
    async def scene(api, owner, neighbour, answer) -> None:
        path = f"/v1/devices/{PLUG}/plug"
        known = bearer(owner.idgrid)
        assert (await api.get(path, headers=known)).json() == DEVICE
        assert (await api.get(f"{path}/monthly", headers=known)).json() == MONTHLY
        for name, fault in FAULTS.items():
            answer["now"] = fault
            for asked in (path, f"{path}/monthly"):
                refused = await api.get(asked, headers=known)
                assert refused.status_code == 500, name
                assert refused.headers["content-type"] == "application/problem+json"
                assert refused.json()["type"] == "/problems/plug-service-failed"
                assert "plug's service" in refused.json()["detail"]

    play(scene)


def test_a_plug_is_shown_to_its_owner_alone():
    async def scene(api, owner, neighbour, answer) -> None:
        path = f"/v1/devices/{PLUG}/plug"
        assert (await api.get(path)).status_code == 401
        assert (await api.get(path, headers=bearer(neighbour.idgrid))).status_code == 403
        without = await api.get(f"/v1/devices/{OTHER}/plug", headers=bearer(neighbour.idgrid))
        assert without.status_code == 404

    play(scene)


def test_a_plug_without_a_service_is_described_from_what_it_told_this_gateway():
    async def run() -> None:
        community = Community.found()
        owner, neighbour = community.join(), community.join()
        key = make_identity(DSO, KETTLE, {}, "client").public_key.hex()
        community.dso.submit("devices:register", KETTLE, "plug", owner.idgrid, key)
        async with hems_of(community) as hems:
            now_ms = hems.services.clock_ms()
            service = open_service(fresh_database(), BatteryStore(), Limits(), now_ms=now_ms)
            hems.services = replace(hems.services, hems=service)
            path, known = f"/v1/devices/{KETTLE}/plug", bearer(owner.idgrid)
            async with client_of(hems) as api:
                said = (await api.get(path, headers=known)).json()
                assert (said["online"], said["params"]["switch"]) == (False, "")
                on = DeviceState(KETTLE, ONLINE, now_ms, plug_on=1)
                service.stores.devices.heard([KETTLE], now_ms, states={KETTLE: on})
                days_ago = {2: 10_000, 1: 11_250, 0: 13_000}
                service.stores.measurements.keep(
                    [
                        Measurement(
                            KETTLE, now_ms - days * DAY_MS, 231_200, p_mw=8_500, energy_wh=wh
                        )
                        for days, wh in days_ago.items()
                    ],
                    now_ms,
                )
                assert (await api.get(path, headers=known)).json() == {
                    "deviceid": KETTLE,
                    "name": KETTLE,
                    "online": True,
                    "params": {
                        "switch": "on",
                        "power": "8.50",
                        "voltage": "231.20",
                        "current": "",
                    },
                }
                used = (await api.get(f"{path}/monthly", headers=known)).json()
                assert (used["status"], used["month"], used["monthly"]) == ("ok", "2026-01", 3.0)
                assert used["daily"][-2:] == [
                    {"day": 14, "usage": 1.25},
                    {"day": 15, "usage": 1.75},
                ]
                assert len(used["daily"]) == 15
                theirs = await api.get(path, headers=bearer(neighbour.idgrid))
                assert theirs.status_code == 403
                meter = f"/v1/devices/{owner.meter_id}/plug"
                assert (await api.get(meter, headers=known)).status_code == 404

    asyncio.run(run())


def test_nobody_at_the_address_is_a_failure_too():
    async def run() -> None:
        community = Community.found()
        owner = community.join()
        async with hems_of(community) as hems, serve(FastAPI()) as gone:
            pass
        plugs = PlugServices({PLUG: PlugService(gone)})
        transport = httpx.ASGITransport(create_app(replace(hems.services, plug_services=plugs)))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as api:
            answer = await api.get(f"/v1/devices/{PLUG}/plug", headers=bearer(owner.idgrid))
        assert answer.status_code == 500

    asyncio.run(run())


@pytest.mark.parametrize("url", ["http://plugs.example", "ftp://127.0.0.1", "", "https://"])
def test_a_token_is_never_sent_in_the_clear(url):
    with pytest.raises(ValueError, match="https"):
        PlugService(url, TOKEN)
