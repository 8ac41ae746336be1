"""The timetable: defaults of a community, one step at a time, by anybody's scheduler."""

from datetime import timedelta
from typing import Any

import pytest

from chaincode.energy.hours import HOUR_MS, listing_id_at
from chaincode.shim import ContractError
from chaincode.shim.testing import MVCC_READ_CONFLICT, VALID, TestClient
from tests.unit.energy.community import (
    CAP,
    COOP,
    DSO,
    EPOCH,
    FLOOR,
    LISTING,
    UTILITY,
    Community,
    hour_of,
    milliseconds,
    refuses,
)

PRICE = 54_000
DEFAULTS = {
    "preset": "energy_auction",
    "floor_utoken_per_kwh": FLOOR,
    "cap_utoken_per_kwh": CAP,
}


def scheduler_of(community: Community, mspid: str) -> TestClient:
    return community.ledger.client(
        mspid, f"scheduler of {mspid}", attributes={"role": "scheduler"}
    )


def advance(community: Community, client: TestClient, listing_id: str = LISTING) -> str:
    return str(client.submit("listings:advance", listing_id)["step"])


def state(community: Community, listing_id: str = LISTING) -> str:
    return str(community.manager.evaluate("market:get_listing", listing_id)["state"])


@pytest.fixture
def community() -> Community:
    founded = Community.found(start="2026-01-15T09:00:00Z")
    founded.join(tokens=0)
    founded.join(role="consumer", tokens=10**6)
    founded.manager.submit("listings:set_defaults", DEFAULTS)
    return founded


def test_any_members_scheduler_moves_a_listing_and_a_second_call_changes_nothing(
    community: Community,
) -> None:
    seller, buyer = community.households
    runners = [scheduler_of(community, mspid) for mspid in (COOP, DSO, UTILITY)]

    def only_the_first_does(step: str) -> None:
        assert advance(community, runners[0]) == step
        before = community.ledger.snapshot()
        for runner in (*runners, community.dso, community.manager):
            assert advance(community, runner) == "nothing"
        after = community.ledger.snapshot()
        assert (after.state, after.events) == (before.state, before.events)

    assert advance(community, runners[2]) == "nothing"  # an hour before delivery
    community.ledger.at("2026-01-15T09:48:00Z")
    only_the_first_does("open")
    community.offer(seller, 8000, 40_000)
    community.bid(buyer, 8000, PRICE)
    community.ledger.at("2026-01-15T09:58:00Z")
    assert advance(community, runners[1]) == "close"
    only_the_first_does("clear")
    community.ledger.at("2026-01-15T10:00:00Z")
    only_the_first_does("deliver")
    community.deliver({seller.idgrid: (0, 8000), buyer.idgrid: (8000, 0)})
    only_the_first_does("settle")
    assert state(community) == "SETTLED"


def test_two_schedulers_in_one_block_act_once(community: Community) -> None:
    first, second = (scheduler_of(community, mspid) for mspid in (COOP, DSO))
    community.ledger.at("2026-01-15T09:50:00Z")
    both = [runner.simulate("listings:advance", LISTING) for runner in (first, second)]
    assert community.ledger.commit(both) == [VALID, MVCC_READ_CONFLICT]
    community.ledger.at("2026-01-15T09:58:00Z")
    both = [runner.simulate("listings:advance", LISTING) for runner in (first, second)]
    assert community.ledger.commit(both) == [VALID, MVCC_READ_CONFLICT]
    assert state(community) == "BIDS_CLOSED"


@pytest.mark.row("E022")
def test_three_hours_run_side_by_side_and_every_order_stays_in_its_own(
    community: Community,
) -> None:
    seller, buyer = community.households
    start = hour_of(LISTING)
    listings = [listing_id_at(milliseconds(start) + hour * HOUR_MS) for hour in range(3)]
    alive: list[int] = []
    placed: set[str] = set()
    for minute in sorted(60 * hour + step for hour in range(5) for step in (-12, -8, -2, 0, 3)):
        community.ledger.at(start + timedelta(minutes=minute))
        if minute % 60 == 0:
            community.report(start + timedelta(minutes=minute))
        for listing_id in listings:
            while advance(community, community.scheduler, listing_id) != "nothing":
                pass
        now = [state_or_none(community, listing_id) for listing_id in listings]
        alive.append(sum(s not in (None, "SETTLED") for s in now))
        for listing_id, its_state in zip(listings, now, strict=True):
            if its_state == "AUTHORIZE_OFFERS" and listing_id not in placed:
                placed.add(listing_id)
                community.offer(seller, 1000 + len(placed), 40_000, listing_id)
                community.bid(buyer, 1000 + len(placed), PRICE, listing_id)
    assert max(alive) == 2
    for number, listing_id in enumerate(listings, 1):
        result = community.manager.evaluate("market:get_result", listing_id)
        assert (result["available_wh"], result["wanted_wh"]) == (1000 + number,) * 2
        assert state_or_none(community, listing_id) == "SETTLED"


def state_or_none(community: Community, listing_id: str) -> str | None:
    found = community.manager.evaluate("market:list_listings", listing_id, listing_id + ":")
    return str(found[0]["state"]) if found else None


def test_households_and_strangers_do_not_advance(community: Community) -> None:
    community.ledger.at("2026-01-15T09:50:00Z")
    home = community.households[0].client
    refuses(community, "ROLE_NOT_ALLOWED", home, "listings:advance", LISTING)
    refuses(community, "ROLE_NOT_ALLOWED", community.oracle, "listings:advance", LISTING)
    refuses(community, "ROLE_NOT_ALLOWED", community.scheduler, "listings:set_defaults", DEFAULTS)


def test_without_defaults_nothing_opens_by_itself() -> None:
    community = Community.found()
    assert advance(community, community.scheduler) == "nothing"
    assert community.scheduler.evaluate("listings:get_defaults") == {"parameters": {}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"preset": "custom"},
        {"preset": "weekly"},
        {"opens_at_ms": 5},
        {"reveal_until_ms": 5},
        {"max_order_wh": -1},
        {"floor_utoken_per_kwh": CAP + 1},
        {"preset": "day_market", "is_sealed": True},
        {"clock_members": 65},
    ],
)
def test_impossible_defaults_are_refused(community: Community, wrong: dict[str, Any]) -> None:
    with pytest.raises(ContractError) as refusal:
        community.manager.submit("listings:set_defaults", DEFAULTS | wrong)
    assert refusal.value.code in ("INVALID_ARGUMENT", "NOT_POSITIVE")


def test_a_scheduler_cannot_deviate_from_what_the_community_pinned(community: Community) -> None:
    cheap = ("market:open_listing", LISTING, {"cap_utoken_per_kwh": CAP - 1})
    refuses(community, "ROLE_NOT_ALLOWED", community.scheduler, *cheap)
    same = ("market:open_listing", LISTING, {"cap_utoken_per_kwh": CAP, "max_order_wh": 5000})
    assert community.scheduler.submit(*same)["max_order_wh"] == 5000
    other = ("market:open_listing", "2026-01-15T11", {"cap_utoken_per_kwh": CAP - 1})
    assert community.manager.submit(*other)["cap_utoken_per_kwh"] == CAP - 1


def test_prices_come_from_the_tariffs_and_stay_as_they_were_at_opening(
    community: Community,
) -> None:
    now_ms = milliseconds(hour_of("2026-01-15T09"))
    day_ms = 24 * HOUR_MS

    def publish(series: str, price: int, hour: int) -> None:
        from_ms = now_ms + hour * HOUR_MS
        community.manager.submit("oracle:publish_price", series, price, from_ms, day_ms)

    community.manager.submit("listings:set_defaults", {"preset": "energy_auction"})
    refuses(community, "UNKNOWN_PRICE", community.manager, "market:open_listing", LISTING, {})
    publish("feed_in", 39_000, 0)
    publish("retail", 95_000, 0)
    publish("retail", 120_000, 2)  # the peak begins with the delivery hour 11
    community.ledger.at("2026-01-15T09:50:00Z")
    assert advance(community, community.scheduler) == "open"
    publish("retail", 70_000, 3)
    listing = community.manager.evaluate("market:get_listing", LISTING)
    prices = ("floor_utoken_per_kwh", "cap_utoken_per_kwh", "has_stale_price")
    assert [listing[name] for name in prices] == [39_000, 95_000, False]
    community.ledger.at("2026-01-15T10:50:00Z")
    community.scheduler.submit("listings:advance", "2026-01-15T11")
    listing = community.manager.evaluate("market:get_listing", "2026-01-15T11")
    assert [listing[name] for name in prices] == [39_000, 120_000, False]
    community.ledger.at("2026-01-17T09:50:00Z")
    community.scheduler.submit("listings:advance", "2026-01-17T10")
    assert community.ledger.events[-1].value["has_stale_price"] is True


def test_a_phase_ends_when_enough_members_have_seen_its_end() -> None:
    community = Community.found()
    community.open(clock_members=2)
    coop, dso = (scheduler_of(community, mspid) for mspid in (COOP, DSO))
    community.ledger.at("2026-01-15T09:58:00Z")
    assert coop.submit("market:close_bidding", LISTING)["state"] == "AUTHORIZE_OFFERS"
    before = community.ledger.snapshot()
    assert coop.submit("market:close_bidding", LISTING)["state"] == "AUTHORIZE_OFFERS"
    assert community.ledger.snapshot().state == before.state  # a member counts once
    assert dso.submit("market:close_bidding", LISTING)["state"] == "BIDS_CLOSED"


def test_a_custom_listing_names_all_its_instants() -> None:
    community = Community.found()
    delivery = hour_of(LISTING)
    instants = {
        "opens_at_ms": milliseconds(delivery - timedelta(minutes=30)),
        "gate_closure_ms": milliseconds(delivery - timedelta(minutes=7)),
        "delivery_start_ms": milliseconds(delivery),
        "delivery_end_ms": milliseconds(delivery + timedelta(minutes=15)),
    }
    band = {"floor_utoken_per_kwh": FLOOR, "cap_utoken_per_kwh": CAP, "preset": "custom"}
    incomplete = ("market:open_listing", LISTING, band | instants)
    refuses(community, "INVALID_ARGUMENT", community.manager, *incomplete)
    end_ms = milliseconds(delivery + timedelta(minutes=20))
    complete = band | instants | {"settlement_end_ms": end_ms}
    listing = community.manager.submit("market:open_listing", LISTING, complete)
    assert {name: listing[name] for name in complete} == complete
    assert listing["k"] == "1/2"
    assert EPOCH + timedelta(milliseconds=listing["delivery_end_ms"]) > delivery


@pytest.mark.row("E023")
def test_the_opening_tells_everybody_price_duration_and_largest_order(
    community: Community,
) -> None:
    refuses(
        community,
        "ROLE_NOT_ALLOWED",
        community.households[0].client,
        "listings:AuthorizeOfferCom",
        LISTING,
    )
    community.manager.submit("listings:set_defaults", DEFAULTS | {"cap_utoken_per_kwh": 60_000})
    community.ledger.at("2026-01-15T09:48:00Z")
    community.scheduler.submit("listings:AuthorizeOfferCom", LISTING)
    event = community.ledger.events[-1]
    assert event.name == "AuthorizeOfferCom"
    assert event.value["listingid"] == LISTING
    assert event.value["RetailPrice"] == event.value["cap_utoken_per_kwh"] == 60_000
    assert event.value["state"] == "AUTHORIZE_OFFERS"
    assert event.value["bidding_duration_ms"] == 600_000
    assert event.value["delivery_duration_ms"] == HOUR_MS
    assert event.value["max_order_wh"] == 10_000


def test_the_documents_names_close_bidding_too(community: Community) -> None:
    for name, listing_id in (("Bid_Closed", LISTING), ("CloseBidding", "2026-01-15T11")):
        community.ledger.at(hour_of(listing_id) - timedelta(minutes=10))
        community.scheduler.submit("listings:AuthorizeOfferCom", listing_id)
        community.ledger.at(hour_of(listing_id) - timedelta(minutes=2))
        closed = community.scheduler.submit(f"listings:{name}", listing_id)
        assert closed["state"] == "BIDS_CLOSED"
