"""The open book on the page: totals, best prices and countdown are those of the contract."""

import asyncio
import re

import pytest

from gateway.web.languages import language
from tests.unit.energy.community import CAP, FLOOR, LISTING, Community
from tests.unit.gateway.hems import client_of, hems_of

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
