"""What a test needs to talk to the running demo: everyone connected, and the steps they share."""

import asyncio
import base64
import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import httpx
import pytest

from chaincode.energy.access.records import MARKET
from gateway.agent.client import OrderRefused
from gateway.hems.virtual_meter import VirtualMeter
from gateway.ledger_access.actor import Actor
from ledger.client.gateway import GatewayClient
from ledger.crypto.signing import CURVE_ORDER, SigningIdentity, parse_signature
from tests.e2e.running_demo import RunningDemo, long_listing

HOURS, HOUSEHOLDS = 2, 6
HASH = "0" * 64
GATEWAY_FOLLOWS_S = 10
"""Longest time a block may take from a peer to the gateway that follows it."""


class Scene:
    """Everyone a test needs, connected."""

    def __init__(self, demo: RunningDemo, http: httpx.AsyncClient, actors, peers) -> None:
        self.demo = demo
        self.http = http
        self.actors: dict[str, Actor] = actors
        self.peers: list[GatewayClient] = peers

    async def open_listing(self, **changes: Any) -> str:
        """A listing of its own for each caller; the gateway has its block when this returns."""
        listing_id = next(self.demo.free_hours)
        parameters = long_listing(listing_id, **changes)
        opened = await self.actors["scheduler"].commit(
            "market:open_listing", listing_id, parameters
        )
        async with asyncio.timeout(GATEWAY_FOLLOWS_S):
            while not await self._gateway_has(opened.tx_id):
                pass
        return listing_id

    async def _gateway_has(self, tx_id: str) -> bool:
        return (await self.http.get(f"/v1/transactions/{tx_id}")).is_success

    async def on_every_peer(self, function: str, *args: str) -> list[bytes]:
        auditor = self.demo.settings.staff["auditor"].load()
        return [
            await peer.evaluate_transaction(auditor, "energy", function, *args)
            for peer in self.peers
        ]

    async def height(self) -> int:
        return (
            int((await self.http.get("/v1/money")).is_success)
            and (await self.http.get("/v1/blocks?limit=1")).json()["height"]
        )

    async def latest(self, function: str) -> list[str]:
        """The newest transaction of a contract's function, none if there is none yet."""
        query = {"function": function, "limit": "1"}
        found = (await self.http.get("/v1/transactions", params=query)).json()["items"]
        return [one["transaction_id"] for one in found]

    def household(self, number: int):
        return self.demo.household(self.http, number)

    def idgrid(self, number: int) -> str:
        return self.demo.settings.households[number].idgrid

    async def manager_session(self) -> dict[str, str]:
        """The page's manager link, used once per module and kept in the folder."""
        kept = self.demo.folder / "session"
        if not kept.exists():
            settings = json.loads((self.demo.folder / "gateway.json").read_text())
            link = next(link for link in settings["links"] if link["is_manager"])
            answer = await self.http.get(f"/login/{link['token']}")
            kept.write_text(answer.cookies["gridledger_session"])
        self.http.cookies.clear()
        return {"Authorization": f"Bearer {kept.read_text()}"}


def play(demo: RunningDemo, scene: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with demo.http() as http, demo.actors() as (actors, peers):
            await scene(Scene(demo, http, actors, peers))

    asyncio.run(run())


async def refused_with(code: str, status: int, work: Coroutine[Any, Any, Any]) -> None:
    with pytest.raises(OrderRefused) as refusal:
        await work
    assert refusal.value.code == code
    assert status_of(refusal.value) == status


def status_of(refusal: OrderRefused) -> int:
    return int(str(refusal).split()[0])


async def newcomer(it: Scene, number: str, role: str) -> tuple[str, SigningIdentity]:
    """Registered by the manager through the gateway, with an approved meter the market may read.

    It has agreed to the terms and is not approved yet.

    The grid operator's own peer has seen it when this returns.
    """
    idgrid = (await it.on_every_peer("registry:complete_idgrid", f"FON-{number}"))[0].decode()
    identity = it.demo.new_identity("cooperative", idgrid, {"role": role, "idgrid": idgrid})
    manager = type(it.household(0))(it.http, it.demo.settings.staff["community_manager"].load())
    await manager.submit("registry:register_participant", [idgrid, role, HASH], wait=True)
    meter = VirtualMeter(f"meter-{number}")
    await manager.submit(
        "registry:register_meter", [meter.meter_id, idgrid, meter.public_key_pem], wait=True
    )
    household = type(manager)(it.http, identity)
    await household.submit("membership:consent", [HASH], wait=True)
    await household.submit("access:grant", [MARKET, meter.meter_id], wait=True)
    last = await manager.submit("tokens:deposit", [idgrid, "1000000", "hello"], wait=True)
    await it.actors["dso"].see([last])
    approval = await it.actors["dso"].commit("registry:approve_meter", meter.meter_id)
    await it.actors["scheduler"].see([approval.tx_id])
    return idgrid, identity


def in_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


async def endorsed(
    it: Scene, identity: SigningIdentity, function: str, args: Sequence[str]
) -> httpx.Response:
    """The gateway's answer to a signed proposal."""
    creator = {"mspid": identity.mspid, "certificate_pem": identity.certificate_pem.decode()}
    wish = {"creator": creator, "function": function, "args": list(args)}
    prepared = await it.http.post("/v1/proposals", json=wish)
    assert prepared.status_code == 200, prepared.text
    proposal = prepared.json()["to_sign"]
    signature = in_base64(identity.sign(base64.b64decode(proposal)))
    return await it.http.post(
        "/v1/transactions/endorse", json={"proposal": proposal, "signature": signature}
    )


async def signed(
    it: Scene,
    identity: SigningIdentity,
    function: str,
    args: Sequence[str],
    *,
    sign: Callable[[bytes], bytes] | None = None,
) -> dict[str, str]:
    """An endorsed and signed transaction, ready to submit."""
    payload = (await endorsed(it, identity, function, args)).json()["to_sign"]
    signature = (sign or identity.sign)(base64.b64decode(payload))
    return {"payload": payload, "signature": in_base64(signature)}


def high_s(identity: SigningIdentity) -> Callable[[bytes], bytes]:
    """The other valid form of a signature, which Fabric's rule refuses."""

    def sign(message: bytes) -> bytes:
        r, s = parse_signature(identity.sign(message))
        parts = b"".join(
            bytes((2, len(body))) + body for body in (der_integer(r), der_integer(CURVE_ORDER - s))
        )
        return bytes((0x30, len(parts))) + parts

    return sign


def der_integer(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big")
