"""Orders on the running system: what is taken, what is refused and how it is answered."""

import base64
import json
from dataclasses import asdict
from typing import Any

import pytest

from chaincode.energy.community import Role
from chaincode.energy.market.records import MarketOrder
from gateway.agent.client import OrderRefused
from tests.e2e.newcomers import newcomer
from tests.e2e.running_demo import long_listing
from tests.e2e.scene import (
    GATEWAY_FOLLOWS_S,
    Scene,
    asking,
    high_s,
    in_base64,
    play,
    refused_with,
    signed,
    signed_proposal,
    status_of,
)
from tests.unit.gateway.ledger_double import an_identity

pytestmark = pytest.mark.slow

PLACE_BID = "market:place_bid"


@pytest.mark.row("E007")
def test_a_connection_trades_only_after_the_operator_approved_it(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing()
        approval = "registry:approve_participant"
        home = await newcomer(it, "0101", Role.CONSUMER, leave_out={approval})
        bid = home.client.submit(PLACE_BID, [listing_id, "1000", "50000"])
        await refused_with("NOT_APPROVED", 403, bid)
        assert (await it.http.get(f"/v1/listings/{listing_id}/orders")).json()["items"] == []
        await it.staff("dso").submit(approval, [home.idgrid], wait=True)
        await home.client.submit(PLACE_BID, [listing_id, "1000", "50000"], wait=True)
        items = (await it.http.get(f"/v1/listings/{listing_id}/orders")).json()["items"]
        assert [item["energy_wh"] for item in items] == [1_000]

    play(demo, scene)


@pytest.mark.row("E003")
def test_one_household_sells_in_one_hour_and_buys_in_the_next(demo):
    async def scene(it: Scene) -> None:
        first = await it.open_listing()
        second = await it.open_listing()
        home = it.household(0)
        await home.submit("market:place_offer", [first, "pv-01", "500", "20000"], wait=True)
        await home.submit("market:place_bid", [second, "500", "50000"], wait=True)
        for listing_id, side in ((first, "offer"), (second, "bid")):
            book = (await it.http.get(f"/v1/listings/{listing_id}/orders")).json()["items"]
            assert [item["side"] for item in book] == [side]
        consumer = await newcomer(it, "0301", Role.CONSUMER)
        offer = consumer.client.submit("market:place_offer", [first, "pv-01", "500", "20000"])
        await refused_with("ROLE_NOT_ALLOWED", 403, offer)

    play(demo, scene)


@pytest.mark.row("E004")
def test_an_offer_needs_the_sellers_own_source(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing()
        home, latest = it.household(0), await it.latest("market:place_offer")
        for source in ("pv-02", "pv-77"):
            offer = home.submit("market:place_offer", [listing_id, source, "500", "20000"])
            await refused_with("RES_REQUIRED", 403, offer)
        assert await it.latest("market:place_offer") == latest

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
        listing_id = next(it.demo.free_hours)
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
    """A transaction sent straight to a peer, once the gateway has its block; as the manager."""
    path, manager = f"/v1/transactions/{tx_id}", await it.manager_session()

    async def is_there() -> bool:
        answer = await it.http.get(path, headers=manager)
        assert answer.is_success or answer.status_code == 404
        return answer.is_success

    await asking(is_there, timeout_s=GATEWAY_FOLLOWS_S)
    found: dict[str, Any] = (await it.http.get(path, headers=manager)).json()
    return found


@pytest.mark.row("E024")
@pytest.mark.row("E025")
def test_orders_are_on_the_ledger_as_sent_and_count_in_the_totals(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing()
        buyer = it.household(1)
        identity = it.demo.settings.households[0].identity.load()
        body = await signed(
            it, identity, "market:place_offer", [listing_id, "pv-01", "1500", "20000"]
        )
        accepted = await it.http.post("/v1/transactions", json=body)
        assert accepted.status_code == 202
        offer = accepted.json()["transaction_id"]
        assert accepted.headers["location"] == f"/v1/transactions/{offer}"
        await it.actors["scheduler"].see([offer])
        bid = await buyer.submit("market:place_bid", [listing_id, "700", "50000"], wait=True)
        raw = await it.on_every_peer("market:get_orders", listing_id, it.idgrid(0))
        expected = MarketOrder(
            order_id=offer,
            listing_id=listing_id,
            idgrid=it.idgrid(0),
            side="offer",
            energy_wh=1_500,
            price_utoken_per_kwh=20_000,
            res_id="pv-01",
        )
        assert json.loads(raw[0]) == [asdict(expected)]
        book = json.loads((await it.on_every_peer("market:get_book", listing_id))[0])
        assert (book["available_wh"], book["wanted_wh"]) == (1_500, 700)
        await it.household(2).submit("market:place_bid", [listing_id, "300", "40000"], wait=True)
        book = json.loads((await it.on_every_peer("market:get_book", listing_id))[0])
        assert book["wanted_wh"] == 1_000
        found = await transaction_at_gateway(it, bid)
        assert found["arguments"] == [listing_id, "700", "50000"]

    play(demo, scene)


@pytest.mark.row("E029")
def test_the_limit_of_ten_kwh_holds_for_one_order_and_for_the_sum(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing()
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
        listing_id = await it.open_listing(cap_utoken_per_kwh=10_000_000)
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
        listing_id = await it.open_listing()
        identity = it.demo.settings.households[4].identity.load()
        account = f"/v1/accounts/{it.idgrid(4)}"
        before = (await it.http.get(account, headers=await it.manager_session())).json()
        body = await signed(it, identity, PLACE_BID, [listing_id, "1000", "50000"])
        url = "/v1/transactions?wait=committed"
        assert (await it.http.post(url, json=body)).status_code == 200
        again = await it.http.post(url, json=body)
        assert (again.status_code, again.json()["type"]) == (409, "/problems/conflict")
        orders = await it.on_every_peer("market:get_orders", listing_id, it.idgrid(4))
        assert len(json.loads(orders[0])) == 1
        shown = (await it.http.get(account, headers=await it.manager_session())).json()
        assert shown["locked_utoken"] - before["locked_utoken"] == 50_000

    play(demo, scene)


@pytest.mark.row("E124")
def test_a_conflicting_order_is_recorded_with_its_reason(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing()
        identity = it.demo.settings.households[5].identity.load()
        bids = [
            await signed(it, identity, PLACE_BID, [listing_id, "1000", str(price)])
            for price in (50_000, 51_000)
        ]
        answers = [await it.http.post("/v1/transactions?wait=committed", json=bid) for bid in bids]
        assert [answer.status_code for answer in answers] == [200, 409]
        won, lost = answers[0].json(), answers[1].json()
        assert won["status"] == "valid"
        assert won["event_payload"]["energy_wh"] == 1_000
        assert lost["type"] == "/problems/transaction-conflict"
        shown = await transaction_at_gateway(it, won["transaction_id"])
        assert (shown["status"], shown["code"], shown["event"]) == (
            "valid",
            "VALID",
            "OrderPlaced",
        )
        payload = shown["event_payload"]
        assert (payload["listing_id"], payload["energy_wh"]) == (listing_id, 1_000)
        shown = (await it.http.get(f"/v1/transactions/{lost['transaction_id']}")).json()
        assert (shown["status"], shown["is_retryable"]) == ("invalid", True)
        assert shown["code"] in ("MVCC_READ_CONFLICT", "PHANTOM_READ_CONFLICT")

    play(demo, scene)


def test_bad_signatures_are_refused_and_change_nothing(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing()
        identity = it.demo.settings.households[0].identity.load()
        other = it.demo.settings.households[1].identity.load()
        for sign, reason in (
            (high_s(identity), "HIGH_S_SIGNATURE"),
            (other.sign, "BAD_SIGNATURE"),
            (lambda _: b"nonsense", "BAD_SIGNATURE"),
        ):
            body = await signed(it, identity, PLACE_BID, [listing_id, "100", "50000"], sign=sign)
            answer = await it.http.post("/v1/transactions?wait=committed", json=body)
            assert answer.status_code == 403, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == reason
        assert (await it.http.get(f"/v1/listings/{listing_id}/orders")).json()["items"] == []

    play(demo, scene)


def test_what_was_changed_after_it_was_signed_is_refused_and_changes_nothing(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing()
        identity = it.demo.settings.households[0].identity.load()
        wish = PLACE_BID, [listing_id, "1234", "50000"]
        proposal = await signed_proposal(it, identity, *wish)
        transaction = await signed(it, identity, *wish)
        for path, body, field in (
            ("/v1/transactions/endorse", proposal, "proposal"),
            ("/v1/queries", proposal, "proposal"),
            ("/v1/transactions?wait=committed", transaction, "payload"),
        ):
            raw = base64.b64decode(body[field])
            assert b"1234" in raw
            changed = in_base64(raw.replace(b"1234", b"9234"))
            answer = await it.http.post(path, json=body | {field: changed})
            assert (answer.status_code, answer.json()["code"]) == (403, "BAD_SIGNATURE")
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
        ("market:place_bid", ["an open hour", "0", "50000"], 422),
        ("market:place_bid", ["an open hour", "-5", "50000"], 422),
        ("market:place_bid", ["an open hour", "1e3", "50000"], 422),
        ("market:place_bid", ["an open hour"], 422),
        ("market:no_such_function", [], 422),
    ],
)
def test_bad_orders_get_a_clear_answer(demo, function, args, status):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing()
        filled = [listing_id if argument == "an open hour" else argument for argument in args]
        latest = await it.latest(function)
        with pytest.raises(OrderRefused) as refusal:
            await it.household(2).submit(function, filled)
        assert status_of(refusal.value) == status
        assert await it.latest(function) == latest

    play(demo, scene)
