"""The running system as its users meet it: HTTP in front, four validators behind."""

import asyncio
import base64
import json
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from gateway.actor import Actor
from gateway.agent.client import OrderRefused
from gateway.errors import LedgerRefusal
from gateway.hems.virtual_meter import VirtualMeter
from gateway.transactions import refusal_code
from ledger.crypto.signing import CURVE_ORDER, SigningIdentity, parse_signature
from ledger.rpc.client import GatewayClient
from tests.e2e.running_demo import RUN_TIMEOUT_S, RunningDemo, long_listing, running_demo
from tests.unit.gateway.ledger_double import an_identity

pytestmark = pytest.mark.slow

HOURS, HOUSEHOLDS = 2, 6
FREE_HOUR = "2020-01-{:02d}T{:02d}".format
HASH = "0" * 64


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    options = ("--hours", str(HOURS), "--households", str(HOUSEHOLDS), "--hour-seconds", "3")
    with running_demo(tmp_path_factory.mktemp("demo") / "kept", *options) as running:
        running.wait_for("the page stays", RUN_TIMEOUT_S)
        yield running


class Scene:
    """Everyone a test needs, connected."""

    def __init__(self, demo: RunningDemo, http: httpx.AsyncClient, actors, peers) -> None:
        self.demo = demo
        self.http = http
        self.actors: dict[str, Actor] = actors
        self.peers: list[GatewayClient] = peers

    async def open_listing(self, listing_id: str, **changes: Any) -> str:
        parameters = long_listing(listing_id, **changes)
        await self.actors["scheduler"].submit("market:open_listing", listing_id, parameters)
        return listing_id

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
    assert str(refusal.value).startswith(str(status))


def test_the_summary_says_that_everything_holds(demo):
    text = "".join(demo.output)
    assert f"Summary of {HOURS} market hours, {HOUSEHOLDS} homes" in text
    assert "money conserved     yes" in text
    hashes = {line.split()[2] for line in demo.output if "state hash" in line}
    assert len(hashes) == 1
    assert sum("state hash" in line for line in demo.output) == 4
    assert "all invariants hold" in text


@pytest.mark.row("E016")
def test_every_hour_had_a_listing_on_every_peer_without_manual_action(demo):
    async def scene(it: Scene) -> None:
        found = await it.on_every_peer("market:list_listings", "2016-01-01T00", "2017-01-01T00")
        assert len(set(found)) == 1
        ids = [listing["listing_id"] for listing in json.loads(found[0])]
        assert ids == ["2016-08-01T20", "2016-08-01T21"]

    play(demo, scene)


@pytest.mark.row("E046")
def test_four_peers_have_the_identical_result(demo):
    async def scene(it: Scene) -> None:
        found = await it.on_every_peer("market:get_result", "2016-08-01T20")
        assert len(set(found)) == 1
        shown = (await it.http.get("/v1/listings/2016-08-01T20/result")).json()
        assert shown == json.loads(found[0])

    play(demo, scene)


@pytest.mark.row("E053")
def test_a_settled_hour_is_not_settled_again(demo):
    async def scene(it: Scene) -> None:
        before = await it.on_every_peer("tokens:audit")
        with pytest.raises(LedgerRefusal) as refusal:
            await it.actors["scheduler"].submit("market:settle", "2016-08-01T20")
        assert refusal_code(refusal.value) == "ALREADY_SETTLED"
        assert await it.on_every_peer("tokens:audit") == before

    play(demo, scene)


@pytest.mark.row("E001")
def test_an_idgrid_is_given_once_and_is_the_same_on_every_peer(demo):
    async def scene(it: Scene) -> None:
        manager = it.demo.settings.staff["community_manager"].load()
        client = type(it.household(0))(it.http, manager)
        taken = it.idgrid(0)
        register = "registry:register_participant"
        await refused_with(
            "ALREADY_EXISTS", 409, client.submit(register, [taken, "prosumer", HASH])
        )
        await refused_with(
            "INVALID_ARGUMENT", 422, client.submit(register, ["", "prosumer", HASH])
        )
        found = await it.on_every_peer("registry:get_participant", taken)
        assert len(set(found)) == 1
        shown = await it.http.get(f"/v1/participants/{taken}", headers=await it.manager_session())
        assert shown.json() == json.loads(found[0])

    play(demo, scene)


async def newcomer(it: Scene, number: str, role: str) -> tuple[str, SigningIdentity]:
    """Registered by the manager through the gateway, with a meter, not yet approved.

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
    last = await manager.submit("tokens:deposit", [idgrid, "1000000", "hello"], wait=True)
    await it.actors["dso"].see([last])
    return idgrid, identity


@pytest.mark.row("E007")
def test_a_connection_trades_only_after_the_operator_approved_it(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing(FREE_HOUR(1, 0))
        idgrid, identity = await newcomer(it, "0101", "consumer")
        client = type(it.household(0))(it.http, identity)
        bid = client.submit("market:place_bid", [listing_id, "1000", "50000"])
        await refused_with("NOT_APPROVED", 403, bid)
        assert (await it.http.get(f"/v1/listings/{listing_id}/orders")).json()["items"] == []
        approval = await it.actors["dso"].commit("registry:approve_participant", idgrid)
        await it.actors["scheduler"].see([approval.tx_id])
        await client.submit("market:place_bid", [listing_id, "1000", "50000"], wait=True)
        items = (await it.http.get(f"/v1/listings/{listing_id}/orders")).json()["items"]
        assert [item["energy_wh"] for item in items] == [1_000]

    play(demo, scene)


@pytest.mark.row("E003")
def test_one_household_sells_in_one_hour_and_buys_in_the_next(demo):
    async def scene(it: Scene) -> None:
        first = await it.open_listing(FREE_HOUR(2, 0))
        second = await it.open_listing(FREE_HOUR(2, 1))
        home = it.household(0)
        await home.submit("market:place_offer", [first, "pv-01", "500", "20000"], wait=True)
        await home.submit("market:place_bid", [second, "500", "50000"], wait=True)
        for listing_id, side in ((first, "offer"), (second, "bid")):
            book = (await it.http.get(f"/v1/listings/{listing_id}/orders")).json()["items"]
            assert [item["side"] for item in book] == [side]
        _, identity = await newcomer(it, "0301", "consumer")
        consumer = type(home)(it.http, identity)
        offer = consumer.submit("market:place_offer", [first, "pv-01", "500", "20000"])
        with pytest.raises(OrderRefused, match="403"):
            await offer

    play(demo, scene)


@pytest.mark.row("E004")
def test_an_offer_needs_the_sellers_own_source(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing(FREE_HOUR(3, 0))
        home, height = it.household(0), await it.height()
        for source in ("pv-02", "pv-77"):
            offer = home.submit("market:place_offer", [listing_id, source, "500", "20000"])
            await refused_with("RES_REQUIRED", 403, offer)
        assert await it.height() == height

    play(demo, scene)


@pytest.mark.row("E018")
def test_after_gate_closure_no_order_is_taken(demo):
    async def scene(it: Scene) -> None:
        bid = it.household(1).submit("market:place_bid", ["2016-08-01T20", "500", "100000"])
        await refused_with("BIDS_CLOSED", 409, bid)
        listing = (await it.http.get("/v1/listings/2016-08-01T20")).json()
        assert listing["state"] == "SETTLED"

    play(demo, scene)


@pytest.mark.row("E023")
def test_only_the_market_opens_a_window_and_announces_its_terms(demo):
    async def scene(it: Scene) -> None:
        listing_id = FREE_HOUR(4, 0)
        opening = it.household(0).submit(
            "market:open_listing", [listing_id, long_listing(listing_id)]
        )
        await refused_with("ROLE_NOT_ALLOWED", 403, opening)
        sent = await it.actors["scheduler"].commit(
            "market:open_listing", listing_id, long_listing(listing_id)
        )
        shown = await transaction_at_gateway(it, sent.tx_id)
        assert shown["event"] == "WindowStarted"
        terms = shown["event_payload"]
        assert terms["cap_utoken_per_kwh"] == 60_000
        assert terms["max_order_wh"] == 10_000
        assert terms["delivery_end_ms"] - terms["delivery_start_ms"] == 3_600_000

    play(demo, scene)


async def transaction_at_gateway(it: Scene, tx_id: str) -> dict[str, Any]:
    """A transaction sent straight to a peer, once the gateway has its block."""
    async with asyncio.timeout(10):
        while not (answer := await it.http.get(f"/v1/transactions/{tx_id}")).is_success:
            assert answer.status_code == 404
            await asyncio.sleep(0.05)
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.row("E024")
@pytest.mark.row("E025")
def test_orders_are_on_the_ledger_as_sent_and_count_in_the_totals(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing(FREE_HOUR(5, 0))
        seller, buyer = it.household(0), it.household(1)
        offer = await seller.submit(
            "market:place_offer", [listing_id, "pv-01", "1500", "20000"], wait=True
        )
        bid = await buyer.submit("market:place_bid", [listing_id, "700", "50000"], wait=True)
        raw = await it.on_every_peer("market:get_orders", listing_id, it.idgrid(0))
        assert json.loads(raw[0]) == [
            {
                "order_id": offer,
                "listing_id": listing_id,
                "idgrid": it.idgrid(0),
                "side": "offer",
                "energy_wh": 1_500,
                "price_utoken_per_kwh": 20_000,
                "res_id": "pv-01",
            }
        ]
        book = json.loads((await it.on_every_peer("market:get_book", listing_id))[0])
        assert (book["available_wh"], book["wanted_wh"]) == (1_500, 700)
        await it.household(2).submit("market:place_bid", [listing_id, "300", "40000"], wait=True)
        book = json.loads((await it.on_every_peer("market:get_book", listing_id))[0])
        assert book["wanted_wh"] == 1_000
        found = (await it.http.get(f"/v1/transactions/{bid}")).json()
        assert found["arguments"] == [listing_id, "700", "50000"]

    play(demo, scene)


@pytest.mark.row("E029")
def test_the_limit_of_ten_kwh_holds_for_one_order_and_for_the_sum(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing(FREE_HOUR(6, 0))
        home = it.household(1)
        too_much = home.submit("market:place_bid", [listing_id, "11000", "20000"])
        await refused_with("CAP_EXCEEDED", 422, too_much)
        await home.submit("market:place_bid", [listing_id, "6000", "20000"], wait=True)
        second = home.submit("market:place_bid", [listing_id, "6000", "20000"])
        await refused_with("CAP_EXCEEDED", 422, second)

    play(demo, scene)


@pytest.mark.row("E030")
def test_a_bid_locks_what_it_may_cost_and_needs_the_money(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing(FREE_HOUR(7, 0), cap_utoken_per_kwh=10_000_000)
        manager = await it.manager_session()
        account = f"/v1/accounts/{it.idgrid(3)}"
        before = (await it.http.get(account, headers=manager)).json()
        home = it.household(3)
        dear = home.submit("market:place_bid", [listing_id, "9000", "9000000"])
        await refused_with("INSUFFICIENT_FUNDS", 402, dear)
        await home.submit("market:place_bid", [listing_id, "2000", "54000"], wait=True)
        after = (await it.http.get(account, headers=manager)).json()
        assert before["balance_utoken"] - after["balance_utoken"] == 108_000
        assert after["locked_utoken"] - before["locked_utoken"] == 108_000

    play(demo, scene)


@pytest.mark.row("E032")
def test_the_same_signed_order_sent_twice_is_one_order_and_one_escrow(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing(FREE_HOUR(8, 0))
        identity = it.demo.settings.households[4].identity.load()
        body = await signed_bid(it, identity, [listing_id, "1000", "50000"])
        url = "/v1/transactions?wait=committed"
        assert (await it.http.post(url, json=body)).status_code == 200
        again = await it.http.post(url, json=body)
        assert again.status_code == 409
        orders = await it.on_every_peer("market:get_orders", listing_id, it.idgrid(4))
        assert len(json.loads(orders[0])) == 1
        account = f"/v1/accounts/{it.idgrid(4)}"
        shown = (await it.http.get(account, headers=await it.manager_session())).json()
        assert shown["locked_utoken"] == 50_000

    play(demo, scene)


async def signed_bid(
    it: Scene, identity: SigningIdentity, args: list[str], *, sign=None
) -> dict[str, str]:
    """An endorsed and signed bid, ready to submit."""
    sign = sign or identity.sign
    creator = {
        "mspid": identity.mspid,
        "certificate_pem": identity.certificate_pem.decode(),
    }
    prepared = (
        await it.http.post(
            "/v1/bids/prepare",
            json={
                "creator": creator,
                "listing_id": args[0],
                "energy_wh": int(args[1]),
                "price_utoken_per_kwh": int(args[2]),
            },
        )
    ).json()["to_sign"]
    signature = base64.b64encode(identity.sign(base64.b64decode(prepared))).decode()
    endorsed = await it.http.post(
        "/v1/transactions/endorse", json={"proposal": prepared, "signature": signature}
    )
    payload = endorsed.json()["to_sign"]
    return {
        "payload": payload,
        "signature": base64.b64encode(sign(base64.b64decode(payload))).decode(),
    }


@pytest.mark.row("E124")
def test_a_conflicting_order_is_recorded_with_its_reason(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing(FREE_HOUR(9, 0))
        identity = it.demo.settings.households[5].identity.load()
        bids = [
            await signed_bid(it, identity, [listing_id, "1000", str(price)])
            for price in (50_000, 51_000)
        ]
        answers = [await it.http.post("/v1/transactions?wait=committed", json=bid) for bid in bids]
        assert [answer.status_code for answer in answers] == [200, 409]
        won, lost = answers[0].json(), answers[1].json()
        assert won["status"] == "valid"
        assert won["event_payload"]["energy_wh"] == 1_000
        assert lost["type"] == "/problems/transaction-conflict"
        shown = (await it.http.get(f"/v1/transactions/{lost['transaction_id']}")).json()
        assert shown["status"] == "invalid"
        assert shown["code"] in ("MVCC_READ_CONFLICT", "PHANTOM_READ_CONFLICT")

    play(demo, scene)


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


def test_bad_signatures_are_refused_and_change_nothing(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing(FREE_HOUR(10, 0))
        identity = it.demo.settings.households[0].identity.load()
        other = it.demo.settings.households[1].identity.load()
        for sign, reason in (
            (high_s(identity), "HIGH_S_SIGNATURE"),
            (other.sign, "BAD_SIGNATURE"),
            (lambda _: b"nonsense", "BAD_SIGNATURE"),
        ):
            body = await signed_bid(it, identity, [listing_id, "100", "50000"], sign=sign)
            answer = await it.http.post("/v1/transactions?wait=committed", json=body)
            assert answer.status_code == 403, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == reason
        assert (await it.http.get(f"/v1/listings/{listing_id}/orders")).json()["items"] == []

    play(demo, scene)


def test_a_stranger_with_a_self_made_certificate_is_refused(demo):
    async def scene(it: Scene) -> None:
        stranger = an_identity({"role": "prosumer", "idgrid": it.idgrid(0)})
        client = type(it.household(0))(it.http, stranger)
        bid = client.submit("market:place_bid", ["2016-08-01T20", "100", "90000"])
        await refused_with("CERTIFICATE_INVALID", 403, bid)

    play(demo, scene)


@pytest.mark.parametrize(
    ("function", "args", "status"),
    [
        ("market:place_bid", ["2020-12-31T00", "100", "50000"], 404),
        ("market:place_bid", ["2020-01-01T00", "0", "50000"], 422),
        ("market:place_bid", ["2020-01-01T00", "-5", "50000"], 422),
        ("market:place_bid", ["2020-01-01T00", "1e3", "50000"], 422),
        ("market:place_bid", ["2020-01-01T00"], 422),
        ("market:no_such_function", [], 422),
    ],
)
def test_bad_orders_get_a_clear_answer(demo, function, args, status):
    async def scene(it: Scene) -> None:
        height = await it.height()
        with pytest.raises(OrderRefused, match=str(status)):
            await it.household(2).submit(function, args)
        assert await it.height() == height

    play(demo, scene)


@pytest.mark.row("E113")
def test_a_client_that_was_offline_misses_no_event(demo):
    async def scene(it: Scene) -> None:
        height = await it.height()
        seen = []
        headers = {"Last-Event-ID": "0"}
        async with (
            asyncio.timeout(30),
            it.http.stream("GET", "/v1/events", headers=headers) as response,
        ):
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    seen.append(json.loads(line[6:]))
                    if seen[-1]["number"] == height - 1:
                        break
        assert [block["number"] for block in seen] == list(range(1, height))
        names = {event["name"] for block in seen for event in block["events"]}
        assert {"WindowStarted", "OrderPlaced", "MatchResult", "SettlementState"} <= names

    play(demo, scene)


@pytest.mark.row("E123")
def test_the_explorer_finds_blocks_and_transactions(demo):
    async def scene(it: Scene) -> None:
        block = (await it.http.get("/v1/blocks/5")).json()
        assert len(block["signers"]) >= 3
        assert block["round"] >= 0
        tx_id = block["transaction_ids"][0]
        for query, location in (
            ("5", "/v1/blocks/5"),
            (block["hash"], "/v1/blocks/5"),
            (tx_id, f"/v1/transactions/{tx_id}"),
        ):
            found = (await it.http.get(f"/v1/search?q={query}")).json()["location"]
            assert found == location
            assert (await it.http.get(found)).is_success

    play(demo, scene)


def test_money_adds_up_after_everything_these_tests_did(demo):
    async def scene(it: Scene) -> None:
        money = (await it.http.get("/v1/money")).json()
        assert money["is_conserved"] is True
        audit = json.loads((await it.on_every_peer("tokens:audit"))[0])
        assert audit["difference_utoken"] == 0

    play(demo, scene)
