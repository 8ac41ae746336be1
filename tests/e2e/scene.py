"""What a test needs to talk to the running demo: everyone connected, and the steps they share."""

import asyncio
import base64
import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import httpx
import pytest

from gateway.agent.client import HouseholdClient, OrderRefused
from gateway.ledger_access.actor import Actor
from ledger.client.gateway import GatewayClient
from ledger.crypto.signing import CURVE_ORDER, SigningIdentity, parse_signature
from tests.e2e.running_demo import RunningDemo, long_listing
from tests.support.conditions import until

HOURS, HOUSEHOLDS = 2, 6
HASH = "0" * 64
GATEWAY_FOLLOWS_S = 60
"""Longest time a block may take from a peer to the gateway that follows it."""
POLL_S = 0.1
"""A gateway answers an address 100 times a second (`gateway.api.limits`): tests share that."""


async def asking(condition: Callable[[], object], *, timeout_s: float) -> None:
    """Wait until what the gateway answers fulfils a condition, without using up its patience."""
    await until(condition, timeout_s=timeout_s, poll_s=POLL_S)


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
        await asking(lambda: self._gateway_has(opened.tx_id), timeout_s=GATEWAY_FOLLOWS_S)
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

    def staff(self, role: str) -> HouseholdClient:
        """Somebody of the staff who goes through the gateway like everybody else."""
        return HouseholdClient(self.http, self.demo.settings.staff[role].load())

    def idgrid(self, number: int) -> str:
        return self.demo.settings.households[number].idgrid

    async def manager_session(self) -> dict[str, str]:
        """The page's manager link, used once and kept in the folder."""
        return await self._session("session", is_manager=True)

    async def household_session(self) -> dict[str, str]:
        """The first household's, in the same way."""
        return await self._session("household-session", is_manager=False)

    async def _session(self, name: str, *, is_manager: bool) -> dict[str, str]:
        kept = self.demo.folder / name
        if not kept.exists():
            settings = json.loads((self.demo.folder / "gateway.json").read_text())
            link = next(link for link in settings["links"] if link["is_manager"] == is_manager)
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


def in_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


async def endorsed(
    it: Scene, identity: SigningIdentity, function: str, args: Sequence[str]
) -> httpx.Response:
    """The gateway's answer to a signed proposal."""
    body = await signed_proposal(it, identity, function, args)
    return await it.http.post("/v1/transactions/endorse", json=body)


async def asked(
    it: Scene, identity: SigningIdentity, function: str, args: Sequence[str]
) -> httpx.Response:
    """The gateway's answer to a signed question; nothing is ordered."""
    body = await signed_proposal(it, identity, function, args)
    return await it.http.post("/v1/queries", json=body)


async def signed_proposal(
    it: Scene, identity: SigningIdentity, function: str, args: Sequence[str]
) -> dict[str, str]:
    """A proposal of the gateway, signed."""
    creator = {"mspid": identity.mspid, "certificate_pem": identity.certificate_pem.decode()}
    wish = {"creator": creator, "function": function, "args": list(args)}
    prepared = await it.http.post("/v1/proposals", json=wish)
    assert prepared.status_code == 200, prepared.text
    proposal = prepared.json()["to_sign"]
    return {
        "proposal": proposal,
        "signature": in_base64(identity.sign(base64.b64decode(proposal))),
    }


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
