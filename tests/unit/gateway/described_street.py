"""A gateway of a street that has lived: something to read for every call of the API.

`python -m tests.unit.gateway.described_street` writes `gateway/api/examples.json` anew from its
answers.
"""

import asyncio
import json
from dataclasses import replace
from functools import cache
from typing import Any

import httpx
from fastapi import FastAPI

from chaincode.shim.testing import make_identity
from gateway.api.described_app import EXAMPLES
from gateway.api.limits import RateLimit
from gateway.application import create_app
from gateway.hems.batteries import Observation
from gateway.hems.running import StoredReadings
from gateway.hems.virtual_meter import VirtualMeter
from gateway.identity.sessions import Viewer, Way
from gateway.mqtt.device_messages import EnergyEvent
from gateway.notices.outside_http import Reach
from gateway.notices.push_devices import PushDevices
from gateway.notices.ways import NoticeWays
from gateway.notices.webhooks import MASTER_BYTES, Webhooks
from gateway.services import Services
from tests.support.config_world import ConfigWorld
from tests.unit.energy.community import DSO, LISTING, Household
from tests.unit.energy.marketplace import scene
from tests.unit.energy.settlement.trades import settled_trade
from tests.unit.gateway.ledger_double import an_identity, services_over
from tests.unit.gateway.metering.data_service import NOON_MS, QUARTER_MS, Keys, Scene
from tests.unit.gateway.metering.test_transfers import end, transfer
from tests.unit.gateway.notices.push_browser import a_subscription, as_sent
from tests.unit.gateway.readmodel_blocks import Ledger, an_order

MANAGER, HOUSEHOLD, NEIGHBOUR = "manager-token", "household-token", "neighbour-token"
NO_LIMIT = RateLimit(per_second=1e9, burst=10**9)
HOUR_MS = 4 * QUARTER_MS
TRANSFER = "t-1"
PLUG = "plug-1"
WEBHOOK = {"url": "https://example.org/notices"}
ENTRIES_MAX, CHARACTERS_MAX = 2, 90
"""Of an example."""


class Street:
    """Two households that traded an hour, a third with a battery; `app` is their gateway."""

    def __init__(self) -> None:
        self.community, self.seller, self.buyer = settled_trade(8000, 9000)
        self.battery = self.community.join(source_type="battery")
        key = make_identity(DSO, PLUG, {}, "client").public_key.hex()
        register = ("devices:register", PLUG, "plug", self.seller.idgrid, key)
        self.community.dso.submit(*register)
        self.community.dso.submit("registry:approve_meter", PLUG)
        self.post_id = scene.offer(self.community, self.seller, hour="2026-01-15T14")["post_id"]
        self.ledger = Ledger()
        self.tx_id = self._play()
        meter = VirtualMeter(self.seller.meter_id, self.seller.meter.private_key)
        self.scene = _heard(self.seller, meter)
        self.services = self._services(meter)
        self.app: FastAPI = create_app(self.services, rate=NO_LIMIT)
        self.command_id = self.scene.stores.switches.issue(
            PLUG, is_on=True, now_ms=NOON_MS, lifetime_ms=5_000
        ).command_id

    def _play(self) -> str:
        self.ledger.raw_block(*ConfigWorld().consortium.genesis.entries)
        contracts = self.community.ledger
        state = {key: contracts.state(key) or b"" for key in contracts.keys("")}
        self.ledger.block(("registry:found", state))
        order = an_order("o1", self.seller.idgrid, LISTING)
        self.ledger.block(("market:place_bid", order), args=(LISTING, "1000", "54000"))
        self.ledger.catch_up()
        return self.ledger.readmodel.transactions_of_block(2)[0].tx_id

    def _services(self, meter: VirtualMeter) -> Services:
        services = services_over(
            self.ledger.double,
            lambda: self.scene.now_ms,
            readmodel=self.ledger.readmodel,
            energy_hour_ms=HOUR_MS,
        )
        services.batteries.record(self.battery.res_id, Observation(NOON_MS, 4_200))
        services.sessions.admit(MANAGER, Viewer("", is_manager=True))
        services.sessions.admit(HOUSEHOLD, Viewer(self.seller.idgrid))
        services.sessions.begin(Viewer(self.seller.idgrid), Way.PASSWORD)
        services.sessions.admit(NEIGHBOUR, Viewer(self.battery.idgrid))
        clock_ms, database = services.clock_ms, services.readmodel.database
        webhooks = Webhooks(database, clock_ms, Reach(), master=bytes(MASTER_BYTES))
        webhooks.add(self.seller.idgrid, WEBHOOK["url"])
        push = PushDevices(database, clock_ms, Reach(), bytes(range(65)))
        push.add(self.seller.idgrid, a_subscription(), "Linux")
        ways = NoticeWays(webhooks=webhooks, push=push)
        stores = self.scene.stores
        readings = StoredReadings(stores.series, self.scene.database)
        return replace(services, hems=self.scene.service, notice_ways=ways, readings=readings)


def _heard(seller: Household, meter: VirtualMeter) -> Scene:
    """A data service that heard the seller's meter for an hour, but for one reading."""
    scene = Scene(Keys(meter), now_ms=NOON_MS - HOUR_MS)
    name = seller.meter_id
    state = {"v": 1, "d": name, "state": "online", "fw": "1.2.0", "tier": "B", "outbox": 0}
    scene.hear((f"{name}/state", json.dumps(state).encode()))
    scene.hear_reading(meter)
    meter.run_hour(load_wh=750, pv_wh=0)
    meter.read(NOON_MS - 2 * QUARTER_MS)
    scene.now_ms = NOON_MS
    scene.service.watch(NOON_MS)
    scene.hear_reading(meter)
    altered = scene.read(meter).replace(b'"imp_wh":', b'"imp_wh":1')
    scene.hear((f"{name}/reading", altered))
    values = {"v": 1, "d": name, "t": NOON_MS, "u_mv": 229_800, "i_ma": 3_100, "p_mw": 712_000}
    scene.hear((f"{name}/measure", json.dumps(values).encode()))
    seller_end, buyer_end = end(1), end(2)
    scene.stores.transfers.plan(
        transfer(TRANSFER, seller=replace(seller_end, idgrid=seller.idgrid), buyer=buyer_end)
    )
    started = EnergyEvent(seller_end.device_id, TRANSFER, "start", NOON_MS // 1000, 0)
    scene.stores.transfers.note((), (started,), NOON_MS)
    return scene


@cache
def street() -> Street:
    """The street, made once: contracts are slow to run."""
    return Street()


def calls(it: Street) -> dict[str, tuple[str, dict[str, Any] | None]]:
    """Per operation an address and a body that are answered with something."""
    home, meter, creator = it.seller.idgrid, it.seller.meter_id, _creator()
    order = {"creator": creator, "listing_id": LISTING}
    amounts = {"energy_wh": 1_500, "price_utoken_per_kwh": 54_000}
    reads = {
        "/battery-soc/{battery_id}": f"/battery-soc/{it.battery.res_id}",
        "/healthz": "/healthz",
        "/problems": "/problems",
        "/problems/{slug}": "/problems/conflict",
        "/readyz": "/readyz",
        "/smartmeter/{meter_id}": f"/smartmeter/{meter}",
        "/v1/accounts": "/v1/accounts",
        "/v1/accounts/{idgrid}": f"/v1/accounts/{home}",
        "/v1/accounts/{idgrid}/inbox": f"/v1/accounts/{home}/inbox",
        "/v1/accounts/{idgrid}/movements": f"/v1/accounts/{home}/movements",
        "/v1/accounts/{idgrid}/settlements": f"/v1/accounts/{home}/settlements",
        "/v1/accounts/{idgrid}/statements/{month}": f"/v1/accounts/{home}/statements/2026-01",
        "/v1/alarms": "/v1/alarms",
        "/v1/blocks": "/v1/blocks?limit=2",
        "/v1/blocks/{number}": "/v1/blocks/2",
        "/v1/channel": "/v1/channel",
        "/v1/currencies": "/v1/currencies?utoken=54000",
        "/v1/devices": "/v1/devices",
        "/v1/devices/{device_id}/availability": f"/v1/devices/{meter}/availability?days=1",
        "/v1/devices/{device_id}/commands/{command_id}": (
            f"/v1/devices/{PLUG}/commands/{it.command_id}"
        ),
        "/v1/devices/{device_id}/gaps": f"/v1/devices/{meter}/gaps",
        "/v1/devices/{device_id}/measurements": f"/v1/devices/{meter}/measurements",
        "/v1/enrolments": "/v1/enrolments",
        "/v1/functions": "/v1/functions",
        "/v1/identity-log": "/v1/identity-log",
        "/v1/invoices/{month}": "/v1/invoices/2026-01",
        "/v1/keys": "/v1/keys",
        "/v1/keys/requests": "/v1/keys/requests",
        "/v1/listings": "/v1/listings",
        "/v1/listings/{listing_id}": f"/v1/listings/{LISTING}",
        "/v1/listings/{listing_id}/orders": f"/v1/listings/{LISTING}/orders",
        "/v1/listings/{listing_id}/result": f"/v1/listings/{LISTING}/result",
        "/v1/listings/{listing_id}/settlement": f"/v1/listings/{LISTING}/settlement",
        "/v1/marketplace/posts": "/v1/marketplace/posts",
        "/v1/marketplace/posts/{post_id}": f"/v1/marketplace/posts/{it.post_id}",
        "/v1/meters/{meter_id}/reading": f"/v1/meters/{meter}/reading",
        "/v1/meters/{meter_id}/signed-readings": (
            f"/v1/meters/{meter}/signed-readings?after_ms=0&until_ms={NOON_MS}"
        ),
        "/v1/money": "/v1/money",
        "/v1/passkeys": "/v1/passkeys",
        "/v1/sessions": "/v1/sessions",
        "/v1/participants": "/v1/participants",
        "/v1/participants/{idgrid}": f"/v1/participants/{home}",
        "/v1/push-devices": "/v1/push-devices",
        "/v1/push-devices/key": "/v1/push-devices/key",
        "/v1/search": "/v1/search?q=2",
        "/v1/tokens": "/v1/tokens",
        "/v1/transactions": "/v1/transactions",
        "/v1/transactions/{tx_id}": f"/v1/transactions/{it.tx_id}",
        "/v1/set-aside": "/v1/set-aside",
        "/v1/transfers": "/v1/transfers",
        "/v1/transfers/{transfer_id}/events": f"/v1/transfers/{TRANSFER}/events",
        "/v1/validators": "/v1/validators",
        "/v1/webhooks": "/v1/webhooks",
    }
    proposal = {"creator": creator, "function": "market:get_listing", "args": [LISTING]}
    token = {"label": "my heating", "scopes": ["own:read"]}
    writes: dict[str, tuple[str, dict[str, Any]]] = {
        "/v1/tokens": ("/v1/tokens", token),
        "/v1/webhooks": ("/v1/webhooks", WEBHOOK),
        "/v1/push-devices": ("/v1/push-devices", as_sent(a_subscription()) | {"label": "Linux"}),
        "/v1/proposals": ("/v1/proposals", proposal),
        "/v1/bids/prepare": ("/v1/bids/prepare", order | amounts),
        "/v1/offers/prepare": (
            "/v1/offers/prepare",
            order | amounts | {"res_id": it.seller.res_id},
        ),
        "/v1/devices/{device_id}/switch": (f"/v1/devices/{PLUG}/switch", {"on": True}),
        "/v1/letters": ("/v1/letters", {"idgrid": home, "purpose": "enrol"}),
        "/v1/login/links": ("/v1/login/links", {}),
        "/v1/login/key/options": ("/v1/login/key/options", {}),
        "/v1/login/passkey/options": ("/v1/login/passkey/options", {}),
        "/v1/passkeys/options": ("/v1/passkeys/options", {}),
    }
    return {f"POST {path}": call for path, call in writes.items()} | {
        f"GET {path}": (address, None) for path, address in reads.items()
    }


async def answers(it: Street) -> dict[str, httpx.Response]:
    """What the gateway answers to `calls`, to the first of three who may ask."""
    found = {}
    transport = httpx.ASGITransport(it.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for operation, (address, body) in calls(it).items():
            method = operation.partition(" ")[0]
            for token in (HOUSEHOLD, NEIGHBOUR, MANAGER):
                headers = {"Authorization": f"Bearer {token}"}
                answer = await client.request(method, address, json=body, headers=headers)
                if answer.is_success:
                    break
            found[operation] = answer
    return found


def _creator() -> dict[str, str]:
    identity = an_identity()
    return {"mspid": identity.mspid, "certificate_pem": identity.certificate_pem.decode()}


def shortened(content: Any) -> Any:
    """As an example: of lists the first entries, of long texts the beginning."""
    if isinstance(content, dict):
        return {name: shortened(value) for name, value in content.items()}
    if isinstance(content, list):
        return [shortened(value) for value in content[:ENTRIES_MAX]]
    if isinstance(content, str) and len(content) > CHARACTERS_MAX:
        return content[:CHARACTERS_MAX] + "…"
    return content


if __name__ == "__main__":
    shown = {
        operation: shortened(answer.json())
        for operation, answer in asyncio.run(answers(street())).items()
    }
    shown["POST /v1/tokens"]["token"] = "glt_…"
    shown["POST /v1/login/links"]["url"] = "https://gateway.example/login/…"
    shown["POST /v1/webhooks"]["secret"] = "whsec_"
    EXAMPLES.write_text(
        json.dumps(shown, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8"
    )
