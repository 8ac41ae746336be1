"""The outside price caps the auction, and a listing whose price nobody vouches for is flagged."""

import json

import pytest

from tests.unit.energy.community import LISTING, Community, hour_of, milliseconds, refuses
from tests.unit.energy.oracle.panel import agree, name_panel, pass_time

PUBLISH, CHECK = "oracle:publish_price", "oracle:check_price"
HOUR_MS, DAY_MS = 3_600_000, 24 * 3_600_000
RETAIL = 50_000


@pytest.fixture
def community() -> Community:
    founded = Community.found(start="2026-01-15T09:50:00Z")
    founded.join()
    founded.join()
    founded.manager.submit(PUBLISH, "feed_in", 20_000, 0, DAY_MS)
    return founded


def open_at_series_price(community: Community) -> dict[str, object]:
    """Open the hour's listing without naming a price."""
    opened: dict[str, object] = community.manager.submit(
        "market:open_listing", LISTING, {"preset": "energy_auction"}
    )
    return opened


def listing(community: Community) -> dict[str, object]:
    found: dict[str, object] = community.manager.evaluate("market:get_listing", LISTING)
    return found


@pytest.mark.row("E043")
def test_no_listing_clears_above_the_retail_price_and_a_stale_one_is_flagged(
    community: Community,
) -> None:
    seller, buyer = community.households
    delivery_ms = milliseconds(hour_of(LISTING))
    oracles = name_panel(community)
    asked = community.manager.submit("oracle:request", "price", "retail")["request_id"]
    agree(oracles, asked, RETAIL)
    opened = open_at_series_price(community)
    assert (opened["cap_utoken_per_kwh"], opened["has_stale_price"]) == (RETAIL, False)
    assert community.scheduler.submit(CHECK, LISTING)["verdict"] == "fresh"
    order = ("market:place_offer", LISTING, seller.res_id, 1_000)
    refuses(community, "ABOVE_RETAIL_PRICE", seller.client, *order, RETAIL + 1)
    community.offer(seller, 1_000, RETAIL)
    community.bid(buyer, 1_000, 10 * RETAIL)

    pass_time(community, HOUR_MS + 1)  # nobody has looked outside since
    assert milliseconds(community.ledger.now) > delivery_ms
    found = community.scheduler.submit(CHECK, LISTING)
    assert found["verdict"] == "stale"
    alarm = community.ledger.events[-1]
    assert (alarm.name, json.loads(alarm.payload)["listing_id"]) == ("PriceAlarm", LISTING)
    assert listing(community)["has_stale_price"] is True
    community.scheduler.submit("market:close_bidding", LISTING)
    assert community.scheduler.submit("market:clear", LISTING)["price_utoken_per_kwh"] == RETAIL


def test_a_listing_opened_at_a_stale_price_is_flagged_from_the_start(
    community: Community,
) -> None:
    community.manager.submit(PUBLISH, "retail", RETAIL, 0, 1_000)
    pass_time(community, 1_001)
    assert open_at_series_price(community)["has_stale_price"] is True
    assert community.dso.submit(CHECK, LISTING)["verdict"] == "stale"
    before = community.ledger.snapshot()
    assert community.scheduler.submit(CHECK, LISTING)["verdict"] == "stale"
    after = community.ledger.snapshot()
    assert (after.state, after.events) == (before.state, before.events), "the alarm rings once"


def test_a_cheaper_price_outside_raises_the_alarm_too(community: Community) -> None:
    community.manager.submit(PUBLISH, "retail", RETAIL, 0, DAY_MS)
    open_at_series_price(community)
    pass_time(community, 1_000)
    community.manager.submit(PUBLISH, "retail", RETAIL - 1, 0, DAY_MS)
    assert community.scheduler.submit(CHECK, LISTING)["verdict"] == "cheaper_outside"
    assert listing(community)["cap_utoken_per_kwh"] == RETAIL, "a listing keeps its price"


def test_who_may_check_and_until_when(community: Community) -> None:
    seller, buyer = community.households
    community.open()
    refuses(community, "UNKNOWN_PRICE", community.scheduler, CHECK, LISTING)
    refuses(community, "UNKNOWN_LISTING", community.scheduler, CHECK, "2026-01-15T11")
    refuses(community, "ROLE_NOT_ALLOWED", seller.client, CHECK, LISTING)
    community.offer(seller, 1_000, 30_000)
    community.bid(buyer, 1_000, 40_000)
    community.close_and_clear()
    refuses(community, "TOO_LATE", community.scheduler, CHECK, LISTING)
