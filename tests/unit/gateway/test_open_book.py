"""The open book on the page: totals, best prices and countdown are those of the contract."""

import asyncio
import re
from datetime import timedelta

import pytest

from gateway.identity.sessions import Viewer
from gateway.web.languages import language
from tests.unit.energy.community import CAP, FLOOR, LISTING, Community, refuses
from tests.unit.gateway.hems import client_of, hems_of

MANAGER = "manager-session"
kwh, tokens = language("en").kwh, language("en").tokens


def totals(text: str) -> str:
    [found] = re.findall(r'<span id="book-totals">([^<]*)</span>', text)
    return str(found)


def as_the_contract_says(community: Community) -> str:
    book = community.manager.evaluate("market:get_book", LISTING)
    return (
        f"Wanted {kwh(book['wanted_wh'])} kWh,"
        f" best bid {tokens(book['best_bid_utoken_per_kwh'], 3)};"
        f" offered {kwh(book['available_wh'])} kWh,"
        f" best offer {tokens(book['best_offer_utoken_per_kwh'], 3)}"
    )


@pytest.mark.row("E034")
def test_the_page_shows_the_open_book_as_the_contract_has_it() -> None:
    community = Community.found()
    seller, cheap, buyer = (community.join() for _ in range(3))
    community.open()

    async def play() -> None:
        async with hems_of(community) as hems, client_of(hems) as client:
            await hems.catch_up()
            empty = await client.get("/market")
            assert totals(empty.text) == as_the_contract_says(community)
            community.offer(seller, 2500, 45_000)
            community.offer(cheap, 1230, FLOOR - 5_000)
            community.bid(buyer, 3210, CAP + 7_000)
            await hems.catch_up()
            for path in ("/market",):
                shown = (await client.get(path)).text
                assert totals(shown) == as_the_contract_says(community)
                assert "Wanted 3.21 kWh, best bid 0.102; offered 3.73 kWh" in totals(shown)
                gate_ms = re.findall(r'data-countdown-ms="(\d+)"', shown)
                listing = community.manager.evaluate("market:get_listing", LISTING)
                assert gate_ms == [str(listing["gate_closure_ms"])]
                assert "offers: 2, bids: 1" in " ".join((await client.get("/")).text.split())
            community.close_and_clear()
            await hems.catch_up()
            closed = (await client.get("/market")).text
            assert "data-countdown-ms" not in closed

    asyncio.run(play())


NOT_YET = {
    "en": ("opens later", "Takes orders from"),
    "es": ("abre más tarde", "Recibe órdenes desde"),
    "pt": ("abre mais tarde", "Recebe ordens a partir de"),
}
"""State and heading of a listing before it opens, by language."""


@pytest.mark.row("E034")
def test_a_listing_that_does_not_take_orders_yet_says_from_when_and_has_no_form() -> None:
    """Its state on the ledger is that of an open one; the contract refuses with NOT_OPEN_YET."""
    community = Community.found()
    home = community.join()
    opens_at = community.ledger.now + timedelta(minutes=1)
    opens_at_ms = round(opens_at.timestamp() * 1000)
    community.open(opens_at_ms=opens_at_ms)

    async def play() -> None:
        async with hems_of(community) as hems, client_of(hems) as client:
            await hems.catch_up()
            hems.services.sessions.admit(MANAGER, Viewer("", is_manager=True))
            client.headers["authorization"] = f"Bearer {home.idgrid}"
            manager = {"authorization": f"Bearer {MANAGER}"}
            for code, (state, heading) in NOT_YET.items():
                spoken = {"accept-language": code, "accept": "text/html"}
                shown = (await client.get("/market", headers=spoken)).text
                assert state in shown
                assert heading in shown
                assert "data-countdown-ms" not in shown
                assert 'data-sign="market:place_bid"' not in shown
                assert ", every 20s" in shown
                assert heading in (await client.get("/", headers=spoken)).text
                listed = (await client.get("/console/listings", headers=spoken | manager)).text
                assert f'<span class="state">{state}</span>' in listed
            refuses(community, "NOT_OPEN_YET", home.client, "market:place_bid", LISTING, 100, CAP)
            community.ledger.at(opens_at)
            opened = (await client.get("/market")).text
            assert "data-countdown-ms" in opened
            assert 'data-sign="market:place_bid"' in opened
            assert ", every 20s" not in opened
            community.bid(home, 100, CAP)

    asyncio.run(play())
