"""Rules of the market as somebody meets them over HTTP, on four validators."""

import asyncio
import json
import re
import time
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from chaincode.energy.community import Role
from gateway.hems.virtual_meter import VirtualMeter
from gateway.web.languages import language
from tests.e2e.delivery import Delivery
from tests.e2e.newcomers import Newcomer, newcomer
from tests.e2e.scene import HASH, Scene, asked, endorsed, play, refused_with
from tests.e2e.test_running_marketplace import posted

pytestmark = pytest.mark.slow

PLACE_OFFER, PLACE_BID, CANCEL = "market:place_offer", "market:place_bid", "orders:cancel"
REGISTER = "registry:register_participant"
SOON_MS = 120_000
kwh, tokens = language("en").kwh, language("en").tokens


async def money(it: Scene, home: Newcomer) -> tuple[int, int]:
    """Free and locked micro-tokens."""
    path = f"/v1/accounts/{home.idgrid}"
    account = (await it.http.get(path, headers=await it.manager_session())).json()
    return account["balance_utoken"], account["locked_utoken"]


@pytest.mark.row("E006")
def test_public_lighting_bids_and_stands_in_the_result(demo):
    async def scene(it: Scene) -> None:
        idgrid = (await it.on_every_peer("registry:complete_idgrid", "FON-0602"))[0].decode()
        register = [idgrid, Role.CONSUMER, HASH, "public_lighting"]
        await it.staff("community_manager").submit(REGISTER, register, wait=True)
        light = await newcomer(it, "0602", Role.CONSUMER, leave_out={REGISTER})
        seller = await newcomer(it, "0601")
        delivery = Delivery(it)
        hour = await delivery.open()
        await seller.client.submit(PLACE_OFFER, [hour, seller.res_id, "60", "20000"], wait=True)
        await light.client.submit(PLACE_BID, [hour, "40", "50000"], wait=True)
        await delivery.clear()
        headers = await it.manager_session()
        result = (await it.http.get(f"/v1/listings/{hour}/result", headers=headers)).json()
        matched = {one["idgrid"]: one["matched_wh"] for one in result["matches"]}
        assert matched == {light.idgrid: 40, seller.idgrid: 40}
        record = (await it.http.get(f"/v1/participants/{idgrid}", headers=headers)).json()
        assert record["kind"] == "public_lighting"

    play(demo, scene)


@pytest.mark.row("E026")
def test_a_price_of_zero_and_missing_energy_are_refused_in_the_documents_words(demo):
    async def scene(it: Scene) -> None:
        hour, home = await it.open_listing(), it.demo.settings.households[0].identity.load()
        no_energy = {"BidPrice": 50_000, "listingid": hour, "consumer": it.idgrid(0)}
        for function, args, code, words in (
            (
                PLACE_OFFER,
                [hour, "pv-01", "500", "0"],
                "OFFER_PRICE_NOT_POSITIVE",
                "Product price must be greater than zero",
            ),
            (
                PLACE_BID,
                [hour, "500", "0"],
                "BID_PRICE_NOT_POSITIVE",
                "Price must be greater than zero",
            ),
            (PLACE_BID, [hour, "0", "50000"], "ENERGY_MISSING", "Energy must be specified"),
            (
                "orders:BUYOffer",
                [json.dumps(no_energy)],
                "ENERGY_MISSING",
                "Energy must be specified",
            ),
        ):
            answer = await endorsed(it, home, function, args)
            assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
            assert words in answer.json()["detail"]
        creator = {"mspid": home.mspid, "certificate_pem": home.certificate_pem.decode()}
        bid: dict[str, Any] = {"creator": creator, "listing_id": hour}
        for changed, field in (
            ({"energy_wh": 500, "price_utoken_per_kwh": 0}, "/body/price_utoken_per_kwh"),
            ({"price_utoken_per_kwh": 50_000}, "/body/energy_wh"),
        ):
            answer = await it.http.post("/v1/bids/prepare", json=bid | changed)
            assert answer.status_code == 422
            assert [error["pointer"] for error in answer.json()["errors"]] == [field]
        assert (await it.http.get(f"/v1/listings/{hour}/orders")).json()["items"] == []

    play(demo, scene)


@pytest.mark.row("E031")
def test_nobody_is_paired_with_himself_in_an_hour_or_house_to_house(demo):
    async def scene(it: Scene) -> None:
        hour, home = await it.open_listing(), await newcomer(it, "3101")
        await home.client.submit(PLACE_OFFER, [hour, home.res_id, "60", "20000"], wait=True)
        own_bid = home.client.submit(PLACE_BID, [hour, "60", "50000"])
        await refused_with("SELF_TRADE", 409, own_bid)
        lot = (home.res_id, "60", "20000")
        post_id = await posted(it, "marketplace:post_offer", home, *lot)
        for function in ("marketplace:buy", "marketplace:reserve"):
            await refused_with("SELF_TRADE", 409, home.client.submit(function, [post_id]))
        assert (await money(it, home))[1] == 0

    play(demo, scene)


@pytest.mark.row("E033")
def test_an_order_is_taken_back_before_the_gate_closes_and_not_after(demo):
    async def scene(it: Scene) -> None:
        home = await newcomer(it, "3301")
        free_utoken, _ = before = await money(it, home)
        delivery = Delivery(it)
        hour = await delivery.open()
        orders = [
            await home.client.submit(PLACE_BID, [hour, str(energy_wh), "50000"], wait=True)
            for energy_wh in (1_000, 2_000)
        ]
        assert await money(it, home) == (free_utoken - 150_000, 150_000)
        await home.client.submit(CANCEL, [hour, orders[1]], wait=True)
        assert await money(it, home) == (free_utoken - 50_000, 50_000)
        book = (await it.http.get(f"/v1/listings/{hour}/orders")).json()["items"]
        assert [order["energy_wh"] for order in book] == [1_000]
        await delivery.clear()
        await refused_with("BIDS_CLOSED", 409, home.client.submit(CANCEL, [hour, orders[0]]))
        assert await money(it, home) == before

    play(demo, scene)


@pytest.mark.row("E034")
def test_the_open_page_has_totals_best_prices_and_countdown_of_every_peer(demo):
    async def scene(it: Scene) -> None:
        listing = await it.open_listing(gate_closure_ms=_soon_ms(), floor_utoken_per_kwh=1)
        seller, buyer = it.household(0), it.household(1)
        for energy_wh, price in ((1_200, 30_000), (300, 20_000)):
            args = [listing, "pv-01", str(energy_wh), str(price)]
            await seller.submit(PLACE_OFFER, args, wait=True)
            shown = await _shown_book(it)
            book = await _book_of_every_peer(it, listing)
            assert shown[0] == _in_words(book)
        await buyer.submit(PLACE_BID, [listing, "700", "40000"], wait=True)
        text, gate_ms = await _shown_book(it)
        book = await _book_of_every_peer(it, listing)
        assert (book["available_wh"], book["wanted_wh"]) == (1_500, 700)
        assert text == _in_words(book)
        answers = await it.on_every_peer("market:get_listing", listing)
        assert {json.loads(raw)["gate_closure_ms"] for raw in answers} == {gate_ms}

    play(demo, scene)


def _soon_ms() -> int:
    """Before every other listing's gate, so the page shows this one."""
    return time.time_ns() // 1_000_000 + SOON_MS


async def _shown_book(it: Scene) -> tuple[str, int]:
    page = (await it.http.get("/market")).text
    [text] = re.findall(r'<span id="book-totals">([^<]*)</span>', page)
    [gate_ms] = re.findall(r'data-countdown-ms="(\d+)"', page)
    return text, int(gate_ms)


async def _book_of_every_peer(it: Scene, listing_id: str) -> dict[str, Any]:
    answers = await it.on_every_peer("market:get_book", listing_id)
    assert len(set(answers)) == 1
    book: dict[str, Any] = json.loads(answers[0])
    return book


def _in_words(book: dict[str, Any]) -> str:
    """As the page writes it."""
    return (
        f"Wanted {kwh(book['wanted_wh'])} kWh,"
        f" best bid {tokens(book['best_bid_utoken_per_kwh'], 3)};"
        f" offered {kwh(book['available_wh'])} kWh,"
        f" best offer {tokens(book['best_offer_utoken_per_kwh'], 3)}"
    )


@pytest.mark.row("E005")
def test_a_device_is_its_owner_s_and_its_key_s_and_a_transfer_moves_the_right_to_grant(demo):
    async def scene(it: Scene) -> None:
        home, other = await asyncio.gather(newcomer(it, "0501"), newcomer(it, "0502"))
        meter_id = home.meter.meter_id
        record = await _device(it, home)
        assert record["owner_idgrid"] == home.idgrid
        key = load_pem_public_key(home.meter.public_key_pem.encode())
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert record["key_fingerprint"] == sha256(spki).hexdigest()

        stranger = VirtualMeter(meter_id)
        now_ms = time.time_ns() // 1_000_000
        forged = [asdict(stranger.read(now_ms))]
        latest = await it.latest("oracle:report_readings")
        oracle = it.demo.settings.staff["oracle"].load()
        refused = await endorsed(it, oracle, "oracle:report_readings", [json.dumps(forged)])
        assert refused.json()["code"] == "BAD_READING_SIGNATURE"
        assert meter_id in refused.json()["detail"]
        assert await it.latest("oracle:report_readings") == latest

        grant = ("access:grant", ["market", meter_id])
        await home.client.submit("devices:offer_transfer", [meter_id, other.idgrid], wait=True)
        await refused_with("NOT_YOURS", 403, other.client.submit(*grant))
        await other.client.submit("devices:accept_transfer", [meter_id], wait=True)
        await refused_with("NOT_YOURS", 403, home.client.submit(*grant))
        await other.client.submit(*grant, wait=True)
        assert (await _device(it, replace(home, identity=other.identity)))["owner_idgrid"] == (
            other.idgrid
        )

    play(demo, scene)


async def _device(it: Scene, home: Newcomer) -> dict[str, Any]:
    answer = await asked(it, home.identity, "devices:get", [home.meter.meter_id])
    found: dict[str, Any] = answer.raise_for_status().json()["content"]
    return found
