"""Two households of the running system want the same thing of the marketplace, over HTTP."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.agent.client import OrderRefused
from network.cli import main
from tests.e2e.newcomers import Newcomer, newcomer
from tests.e2e.scene import Scene, play, refused_with, signed, status_of

pytestmark = pytest.mark.slow

PRICE_UTOKEN = 216_000
COMMITTED = "/v1/transactions?wait=committed"


async def posted(it: Scene, function: str, home: Newcomer, *args: str) -> str:
    """The id of a new offer or request for the hour after the next."""
    hour = (datetime.now(tz=UTC) + timedelta(hours=2)).strftime("%Y-%m-%dT%H")
    tx_id = await home.client.submit(function, [hour, *args], wait=True)
    shown = await it.http.get(f"/v1/transactions/{tx_id}", headers=await it.manager_session())
    post_id: str = shown.json()["event_payload"]["post_id"]
    return post_id


async def account(it: Scene, home: Newcomer) -> dict[str, Any]:
    path = f"/v1/accounts/{home.idgrid}"
    found: dict[str, Any] = (await it.http.get(path, headers=await it.manager_session())).json()
    return found


@pytest.mark.row("E035")
@pytest.mark.parametrize(("function", "number"), [("reserve", "3510"), ("buy", "3520")])
def test_of_two_that_accept_one_offer_together_one_gets_200_and_one_409(demo, function, number):
    async def scene(it: Scene) -> None:
        names = [f"{int(number) + one}" for one in range(3)]
        seller, *buyers = await asyncio.gather(*(newcomer(it, name) for name in names))
        offer = (seller.res_id, "4000", str(PRICE_UTOKEN))
        post_id = await posted(it, "marketplace:post_offer", seller, *offer)
        bodies = [
            await signed(it, buyer.identity, f"marketplace:{function}", [post_id])
            for buyer in buyers
        ]
        answers = await asyncio.gather(*(it.http.post(COMMITTED, json=body) for body in bodies))
        told = {
            answer.status_code: (buyer, answer.json())
            for buyer, answer in zip(buyers, answers, strict=True)
        }
        assert set(told) == {200, 409}, [answer.text for answer in answers]
        (winner, _), (loser, refusal) = told[200], told[409]
        assert refusal["code"] == "RESERVED"
        assert (await account(it, winner))["locked_utoken"] == PRICE_UTOKEN
        assert (await account(it, loser))["locked_utoken"] == 0

    play(demo, scene)


def test_of_five_that_reserve_at_once_one_holds_the_offer(demo):
    async def scene(it: Scene) -> None:
        names = [str(3530 + one) for one in range(6)]
        seller, *buyers = await asyncio.gather(*(newcomer(it, name) for name in names))
        offer = (seller.res_id, "4000", str(PRICE_UTOKEN))
        post_id = await posted(it, "marketplace:post_offer", seller, *offer)

        async def reserve(buyer: Newcomer) -> tuple[int, str | None]:
            try:
                await buyer.client.submit("marketplace:reserve", [post_id], wait=True)
            except OrderRefused as refusal:
                return status_of(refusal), refusal.code
            return 200, None

        outcomes = await asyncio.gather(*(reserve(buyer) for buyer in buyers))
        assert sorted(outcomes, key=str) == [(200, None), *[(409, "RESERVED")] * 4]
        shown = (await it.http.get(f"/v1/marketplace/posts/{post_id}")).json()
        assert shown["label"] == "Reserved"

    play(demo, scene)


def test_every_step_of_an_offer_and_a_request_is_shown_and_what_is_taken_stays(demo):
    async def scene(it: Scene) -> None:
        seller, buyer = await asyncio.gather(newcomer(it, "3601"), newcomer(it, "3602"))
        lot = ("4000", str(PRICE_UTOKEN))
        offer = await posted(it, "marketplace:post_offer", seller, seller.res_id, *lot)
        request = await posted(it, "marketplace:post_request", buyer, *lot)

        async def labels() -> list[str]:
            paths = (f"/v1/marketplace/posts/{post_id}" for post_id in (offer, request))
            return [(await it.http.get(path)).json()["label"] for path in paths]

        assert await labels() == ["Buy", "Request to Sell"]
        asking = [request, seller.res_id]
        await seller.client.submit("marketplace:request_to_sell", asking, wait=True)
        await buyer.client.submit("marketplace:buy", [offer], wait=True)
        assert await labels() == ["Purchased", "Requested for Sell"]
        await buyer.client.submit("marketplace:accept", [request], wait=True)
        assert await labels() == ["Purchased", "Sold"]
        for home, post_id, code in (
            (seller, offer, "ALREADY_PURCHASED"),
            (buyer, request, "ALREADY_SOLD"),
        ):
            await refused_with(code, 409, home.client.submit("marketplace:delete", [post_id]))
        assert (await account(it, buyer))["locked_utoken"] == 2 * PRICE_UTOKEN
        assert (await account(it, seller))["locked_utoken"] == 0

    play(demo, scene)


@pytest.mark.row("E036")
def test_a_deal_s_receipt_proves_it_to_who_asks_no_peer(demo, tmp_path, capsys):
    """Four validators sealed it; the command needs the list of them and nobody's word."""

    async def scene(it: Scene) -> tuple[str, str]:
        names = ("3701", "3702", "3703")
        seller, buyer, other = await asyncio.gather(*(newcomer(it, name) for name in names))
        offer = (seller.res_id, "4000", str(PRICE_UTOKEN))
        post_id = await posted(it, "marketplace:post_offer", seller, *offer)
        await buyer.client.submit("marketplace:buy", [post_id], wait=True)
        await posted(it, "marketplace:post_request", other, "1000", "54000")  # the next block
        path = f"/v1/marketplace/posts/{post_id}/receipt"
        assert (await it.http.get(path)).status_code == 401
        answer = await it.http.get(path, headers=await it.manager_session())
        assert answer.status_code == 200, answer.text
        (tmp_path / "deal.receipt").write_bytes(answer.content)
        listed = await it.http.get("/v1/validators")
        (tmp_path / "validators.json").write_bytes(listed.content)
        return seller.idgrid, buyer.idgrid

    parties: list[str] = []

    async def noted(it: Scene) -> None:
        parties.extend(await scene(it))

    play(demo, noted)
    receipt, validators = tmp_path / "deal.receipt", tmp_path / "validators.json"
    assert main(["verify-receipt", str(receipt), "--validators", str(validators)]) == 0
    told = capsys.readouterr().out
    assert "PROVEN: deal from house to house, hour from " in told
    assert f"seller {parties[0]}, buyer {parties[1]}; 4.000 kWh for 0.216000 tokens" in told
    assert "bought, not settled yet" in told
    assert "of 4 validators" in told
    altered = receipt.read_bytes().replace(b'"price_utoken":216000', b'"price_utoken":116000')
    receipt.write_bytes(altered)
    assert main(["verify-receipt", str(receipt), "--validators", str(validators)]) == 1
    assert "REFUSED at the Merkle path" in capsys.readouterr().out
