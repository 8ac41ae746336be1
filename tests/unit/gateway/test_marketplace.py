"""The marketplace over HTTP: who was first, and what everybody sees."""

import asyncio
import base64
import re

import pytest

from ledger.model.codes import ValidationCode
from tests.unit.energy.community import hour_of
from tests.unit.energy.marketplace.scene import (
    HOUR,
    LOT_WH,
    PRICE,
    call,
    founded,
    offer,
    request,
)
from tests.unit.gateway.hems import IDENTITY, bearer, client_of, hems_of


def play(scene) -> None:
    community = founded()

    async def run() -> None:
        async with hems_of(community) as hems, client_of(hems) as client:
            await scene(community, hems, client)

    asyncio.run(run())


async def labels(client, home, path: str = "/v1/marketplace/posts") -> list[str]:
    answer = await client.get(path, headers=bearer(home.idgrid) if home else {})
    assert answer.status_code == 200, answer.text
    return [item["label"] for item in answer.json()["items"]]


async def take(client, post_id: str, *terms: str, function: str = "marketplace:reserve"):
    """Prepare, endorse and submit; returns the last answer."""

    async def signed(path: str, body: dict[str, object]):
        answer = await client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        raw = base64.b64decode(answer.json()["to_sign"])
        return answer.json()["to_sign"], base64.b64encode(IDENTITY.sign(raw)).decode()

    certificate = IDENTITY.certificate_pem.decode()
    creator = {"mspid": IDENTITY.mspid, "certificate_pem": certificate}
    proposal, signature = await signed(
        "/v1/proposals", {"creator": creator, "function": function, "args": [post_id, *terms]}
    )
    body = {"proposal": proposal, "signature": signature}
    payload, signature = await signed("/v1/transactions/endorse", body)
    return await client.post(
        "/v1/transactions?wait=committed", json={"payload": payload, "signature": signature}
    )


@pytest.mark.row("E035")
def test_of_two_clients_that_take_one_offer_together_one_gets_409_reserved():
    async def scene(community, hems, client) -> None:
        seller, buyer, other, _ = community.households
        post_id = offer(community, seller)["post_id"]
        await hems.catch_up()

        # Both are simulated on the same state and ordered into one block: the validator decides.
        both = [home.client.simulate("marketplace:reserve", post_id) for home in (buyer, other)]
        codes = community.ledger.commit(both)
        assert codes == ["VALID", "MVCC_READ_CONFLICT"]
        terms = (HOUR, str(LOT_WH), str(PRICE))
        first = await take(client, post_id, *terms)
        assert first.status_code == 200
        hems.mirror.code = ValidationCode[codes[1]]
        second = await take(client, post_id, *terms)
        assert (second.status_code, second.json()["code"]) == (409, "RESERVED")
        recorded = hems.services.readmodel.transaction(second.json()["transaction_id"])
        assert (recorded.code.name, recorded.block_number) == (
            codes[1],
            second.json()["block_number"],
        )

    play(scene)


def test_a_conflict_with_something_else_may_be_tried_again():
    async def scene(community, hems, client) -> None:
        seller, *_ = community.households
        post_id = offer(community, seller)["post_id"]
        await hems.catch_up()
        hems.mirror.code = ValidationCode.MVCC_READ_CONFLICT
        for taken in (post_id, "nothing"):
            answer = await take(client, taken)
            assert (answer.status_code, answer.json()["code"]) == (409, "MVCC_READ_CONFLICT")
            assert answer.json()["is_retryable"] is True

    play(scene)


def test_a_post_deleted_first_is_closed():
    async def scene(community, hems, client) -> None:
        seller, *_ = community.households
        post_id = offer(community, seller)["post_id"]
        call(seller.client, "delete", post_id)
        await hems.catch_up()
        hems.mirror.code = ValidationCode.MVCC_READ_CONFLICT
        answer = await take(client, post_id, function="marketplace:buy")
        assert (answer.status_code, answer.json()["code"]) == (409, "POST_CLOSED")

    play(scene)


@pytest.mark.row("E036")
def test_everybody_sees_what_they_can_do_with_each_post():
    async def scene(community, hems, client) -> None:
        seller, buyer, other, rival = community.households
        offered = offer(community, seller)["post_id"]
        wanted = request(community, buyer)["post_id"]

        async def seen(home) -> dict[str, str]:
            headers = bearer(home.idgrid) if home else {}
            page = (await client.get("/marketplace", headers=headers)).text
            rows = re.findall(r"<tr.*?</tr>", page, flags=re.DOTALL)
            found = {}
            for post_id in (offered, wanted):
                row = next(row for row in rows if post_id.partition(".")[2] in row)
                _, _, cell = row.partition("data-label=")
                texts = re.findall(r">\s*([^<>]*[^<>\s])\s*<", cell)
                found[post_id] = texts[0]
                answer = await client.get(f"/v1/marketplace/posts/{post_id}", headers=headers)
                assert answer.json()["label"] == found[post_id]
            return found

        await hems.catch_up()
        assert await seen(seller) == {offered: "Delete", wanted: "Request to Sell"}
        assert await seen(buyer) == {offered: "Buy", wanted: "Delete"}
        assert await seen(None) == {offered: "Buy", wanted: "Request to Sell"}

        call(rival.client, "request_to_sell", wanted, rival.res_id)
        call(other.client, "reserve", offered)
        await hems.catch_up()
        for home in (seller, buyer, rival):
            assert await seen(home) == {offered: "Reserved", wanted: "Requested for Sell"}
        assert (await seen(other))[offered] == "Buy"

        call(buyer.client, "accept", wanted)
        call(other.client, "buy", offered)
        await hems.catch_up()
        for home in (seller, buyer, other, rival, None):
            assert await seen(home) == {offered: "Purchased", wanted: "Sold"}

    play(scene)


def test_posts_come_in_pages_by_delivery_hour():
    async def scene(community, hems, client) -> None:
        seller, *_ = community.households
        early = [offer(community, seller, energy_wh=1)["post_id"] for _ in range(3)]
        late = offer(community, seller, energy_wh=1, hour="2026-01-15T11")["post_id"]
        await hems.catch_up()
        path = "/v1/marketplace/posts?limit=2"
        first = (await client.get(path)).json()
        assert [item["post_id"] for item in first["items"]] == [late, min(early)]
        second = (await client.get(f"{path}&after={first['next']}")).json()
        assert [item["post_id"] for item in second["items"]] == sorted(early)[1:]
        assert second["next"] is None
        assert await labels(client, seller, "/v1/marketplace/posts?hour=2026-01-15T11") == [
            "Delete"
        ]
        assert (await client.get("/v1/marketplace/posts?hour=noon")).status_code == 422
        assert (await client.get(f"/v1/marketplace/posts/{late[:-1]}f0")).status_code == 404
        community.ledger.at(hour_of("2026-01-15T11"))
        assert set(await labels(client, None)) == {"Expired"}

    play(scene)


FORM = re.compile(r'<form data-sign="marketplace:(\w+)">(.*?)</form>', re.DOTALL)
FIELD = re.compile(r'data-argument="(\d)" value="([^"]*)"')


def test_every_button_that_takes_a_post_signs_the_terms_of_its_row():
    async def scene(community, hems, client) -> None:
        seller, buyer, _, rival = community.households
        offered = offer(community, seller, price_utoken=PRICE + 1)["post_id"]
        wanted, open_still = (request(community, buyer)["post_id"] for _ in range(2))
        call(rival.client, "request_to_sell", wanted, rival.res_id)
        await hems.catch_up()

        async def signed_by(home) -> dict[tuple[str, str], list[str]]:
            """By function and post: the other arguments of its form."""
            page = (await client.get("/marketplace", headers=bearer(home.idgrid))).text
            found = {}
            for function, body in FORM.findall(page):
                fields = dict(FIELD.findall(body))
                post_id, *others = (fields[str(at)] for at in range(len(fields)))
                found[function, post_id] = others
            return found

        terms = [HOUR, str(LOT_WH), str(PRICE)]
        assert await signed_by(buyer) == {
            ("buy", offered): [HOUR, str(LOT_WH), str(PRICE + 1)],
            ("reserve", offered): [HOUR, str(LOT_WH), str(PRICE + 1)],
            ("accept", wanted): terms,
            ("decline", wanted): [],
            ("delete", open_still): [],
        }
        asking = await signed_by(seller)
        assert asking["request_to_sell", open_still] == [seller.res_id, *terms]
        assert asking["delete", offered] == []

    play(scene)
