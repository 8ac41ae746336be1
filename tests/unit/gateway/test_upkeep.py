"""Deals are settled, money is freed and alarms ring without anybody asking for it."""

import asyncio
from datetime import timedelta

import pytest

from gateway.errors import LedgerRefusal
from gateway.timetable.upkeep import Upkeep
from tests.unit.energy.community import Community, hour_of
from tests.unit.energy.marketplace.scene import (
    HOUR,
    LOT_WH,
    PRICE,
    call,
    flow,
    founded,
    free,
    locked,
    offer,
    request,
    to_hour_end,
)
from tests.unit.energy.oracle.panel import pass_time
from tests.unit.gateway.acting import LedgerActor
from tests.unit.gateway.hems import clock_of

DAY_MS = 24 * 3_600_000


@pytest.fixture
def community() -> Community:
    return founded()


def rounds(community: Community, *, count: int = 1) -> int:
    """Steps of one member's upkeep."""
    upkeep = Upkeep(LedgerActor(community.scheduler), clock_of(community))
    return sum(asyncio.run(upkeep.round()) for _ in range(count))


def test_everything_on_the_marketplace_ends_by_itself(
    community: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaincode.energy.marketplace.views.POSTS_PER_PAGE_MAX", 2)
    seller, buyer, other, rival = community.households
    before = {home.idgrid: free(community, home) for home in community.households}
    deal = offer(community, seller)["post_id"]
    held = offer(community, rival)["post_id"]
    request(community, other)
    call(buyer.client, "buy", deal)
    call(other.client, "reserve", held)
    assert rounds(community) == 0, "nothing is due"
    community.ledger.at(hour_of(HOUR) - timedelta(minutes=20))
    assert rounds(community) == 1, "the reservation ends"
    community.ledger.at(hour_of(HOUR))
    assert rounds(community, count=2) == 2, "the offer and the request nobody took"
    assert locked(community, other) == 0
    flow(community, {seller.idgrid: (0, LOT_WH), buyer.idgrid: (LOT_WH, 0)})
    assert rounds(community, count=2) == 1, "the deal is settled once"
    assert free(community, seller) == before[seller.idgrid] + PRICE
    assert free(community, other) == before[other.idgrid]
    assert community.audit()["difference_utoken"] == 0


def test_payouts_of_an_account_that_has_many_are_gathered(
    community: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaincode.energy.tokens.funds.CROWDED_PAYOUTS", 3)
    monkeypatch.setattr("chaincode.energy.tokens.funds.LOOKED_AT_KEYS_MAX", 4)
    seller, buyer, *_ = community.households
    for home, count in ((seller, 1), (buyer, 4)):
        for _ in range(count):
            community.manager.submit("tokens:deposit", home.idgrid, 1, "cash")
    before = {home.idgrid: free(community, home) for home in community.households}
    upkeep = Upkeep(LedgerActor(community.scheduler), clock_of(community))
    steps = 0
    for _ in range(4):
        steps += asyncio.run(upkeep.round())
        community.ledger.advance(minutes=1)
    assert steps == 1
    pending = [community.account(home)["pending_payouts"] for home in (seller, buyer)]
    assert pending == [2, 0]
    assert {home.idgrid: free(community, home) for home in community.households} == before


def test_a_deal_without_readings_is_disputed_and_given_back_in_the_end(
    community: Community,
) -> None:
    seller, buyer, *_ = community.households
    deal = offer(community, seller)["post_id"]
    call(buyer.client, "buy", deal)
    for minutes, steps, state in (
        (5, 0, "PURCHASED"),
        (15, 1, "DISPUTED"),
        (60, 0, "DISPUTED"),
        (25 * 60, 1, "REFUNDED"),
        (26 * 60, 0, "REFUNDED"),
    ):
        to_hour_end(community, minutes=minutes)
        assert rounds(community) == steps
        assert call_state(community, deal) == state
    assert locked(community, buyer) == 0


def call_state(community: Community, post_id: str) -> str:
    return str(community.manager.evaluate("marketplace:get_post", post_id)["state"])


def test_the_alarm_of_a_stale_price_rings_once(community: Community) -> None:
    publish = "oracle:publish_price"
    community.manager.submit(publish, "retail", 50_000, 0, 60_000)
    community.manager.submit(publish, "feed_in", 20_000, 0, DAY_MS)
    opening = {"preset": "energy_auction", "opens_at_ms": 0}
    community.manager.submit("market:open_listing", HOUR, opening)
    assert rounds(community) == 0
    pass_time(community, 60_001)
    assert rounds(community, count=2) == 1
    assert community.ledger.events[-1].name == "PriceAlarm"
    assert community.manager.evaluate("market:get_listing", HOUR)["has_stale_price"] is True


def test_what_the_ledger_refuses_for_another_reason_is_not_swallowed(
    community: Community,
) -> None:
    buyer = community.households[1]
    request(community, buyer)
    community.ledger.at(hour_of(HOUR))

    class Broken(LedgerActor):
        async def submit(self, function: str, *args: str) -> object:
            raise LedgerRefusal("UNAVAILABLE", "no peer")

    with pytest.raises(LedgerRefusal):
        asyncio.run(Upkeep(Broken(community.scheduler), clock_of(community)).round())
