"""Every order and phase change that must be refused: a clear code, and nothing written."""

from itertools import pairwise
from typing import Any

import pytest

from chaincode.shim import ContractError
from tests.unit.energy.community import COOP, HASH, LISTING, UTILITY, Community, refuses

PRICE = 54_000


@pytest.fixture
def community() -> Community:
    """A prosumer, a consumer, and an open listing."""
    founded = Community.found()
    founded.join()
    founded.join(role="consumer", tokens=10**6)
    founded.open()
    return founded


@pytest.mark.parametrize(("energy_wh", "price"), [(0, PRICE), (-5, PRICE), (100, 0), (100, -1)])
def test_energy_and_price_must_be_positive(
    community: Community, energy_wh: int, price: int
) -> None:
    seller, buyer = community.households
    offer = ("market:place_offer", LISTING, seller.res_id, energy_wh, price)
    bid = ("market:place_bid", LISTING, energy_wh, price)
    energy_is_wrong = energy_wh <= 0
    of_offer = "ENERGY_MISSING" if energy_is_wrong else "OFFER_PRICE_NOT_POSITIVE"
    of_bid = "ENERGY_MISSING" if energy_is_wrong else "BID_PRICE_NOT_POSITIVE"
    assert refuses(community, of_offer, seller.client, *offer).status == 422
    assert refuses(community, of_bid, buyer.client, *bid).status == 422


@pytest.mark.parametrize("energy", ["1.5", "1e3", "", "0x10", "½", "1" * 80, "true"])
def test_energy_must_be_a_whole_number(community: Community, energy: str) -> None:
    buyer = community.households[1]
    refuses(
        community, "INVALID_ARGUMENT", buyer.client, "market:place_bid", LISTING, energy, PRICE
    )


@pytest.mark.row("E029")
def test_ten_kwh_per_household_and_listing_in_one_order_and_in_sum(community: Community) -> None:
    seller, buyer = community.households
    offer = ("market:place_offer", LISTING, seller.res_id)
    bid = ("market:place_bid", LISTING)
    refuses(community, "CAP_EXCEEDED", seller.client, *offer, 11_000, PRICE)
    refuses(community, "CAP_EXCEEDED", buyer.client, *bid, 11_000, PRICE)
    community.offer(seller, 6000, PRICE)
    community.bid(buyer, 6000, PRICE)
    refuses(community, "CAP_EXCEEDED", seller.client, *offer, 6000, PRICE)
    refuses(community, "CAP_EXCEEDED", buyer.client, *bid, 6000, PRICE)
    community.offer(seller, 4000, PRICE)
    community.bid(buyer, 4000, PRICE)
    assert community.close_and_clear()["quantity_wh"] == 10_000


def test_a_household_has_a_limited_number_of_orders(community: Community) -> None:
    buyer = community.households[1]
    for _ in range(20):
        community.bid(buyer, 1, PRICE)
    bid = ("market:place_bid", LISTING, 1, PRICE)
    refuses(community, "TOO_MANY_ORDERS", buyer.client, *bid)


@pytest.mark.row("E004")
def test_an_offer_needs_an_own_registered_and_approved_source(community: Community) -> None:
    seller, _ = community.households
    stranger = community.join()
    community.manager.submit("registry:register_res", "pv-new", seller.idgrid, "solar", 5000)
    offers = {"unknown": "RES_REQUIRED", stranger.res_id: "RES_REQUIRED", "pv-new": "NOT_APPROVED"}
    for res_id, code in offers.items():
        offer = ("market:place_offer", LISTING, res_id, 1000, PRICE)
        assert refuses(community, code, seller.client, *offer).status == 403
    empty = ("market:place_offer", LISTING, "", 1000, PRICE)
    refuses(community, "INVALID_ARGUMENT", seller.client, *empty)


@pytest.mark.row("E003")
def test_a_prosumer_sells_in_one_listing_and_buys_in_the_next_a_consumer_never_sells(
    community: Community,
) -> None:
    seller, buyer = community.households
    community.offer(seller, 1000, PRICE)
    community.open("2026-01-15T11", opens_at_ms=0)
    assert community.bid(seller, 1000, PRICE, "2026-01-15T11")["side"] == "bid"
    offer = ("market:place_offer", LISTING, seller.res_id, 1000, PRICE)
    assert refuses(community, "ROLE_NOT_ALLOWED", buyer.client, *offer).status == 403


@pytest.mark.row("E031")
def test_nobody_trades_with_itself(community: Community) -> None:
    seller = community.households[0]
    community.offer(seller, 1000, 30_000)
    bid = ("market:place_bid", LISTING, 1000, PRICE)
    assert refuses(community, "SELF_TRADE", seller.client, *bid).status == 409
    assert community.close_and_clear()["matches"] == []


@pytest.mark.row("E030")
def test_a_bid_needs_the_money_and_locks_it(community: Community) -> None:
    buyer = community.households[1]
    bid = ("market:place_bid", LISTING, 10_000, 101_000)
    assert refuses(community, "INSUFFICIENT_FUNDS", buyer.client, *bid).status == 402
    community.bid(buyer, 10_000, 99_999)
    view = community.account(buyer)
    assert (view["free_utoken"], view["locked_utoken"]) == (10, 999_990)


def test_the_lock_is_rounded_up_and_limited_by_the_cap(community: Community) -> None:
    buyer = community.households[1]
    community.bid(buyer, 1, 50_001)
    assert community.account(buyer)["locked_utoken"] == 51
    community.bid(buyer, 1000, 10**9)
    assert community.account(buyer)["locked_utoken"] == 51 + 102_000


def test_prices_outside_the_band_are_refused_at_once(community: Community) -> None:
    seller, buyer = community.households
    offer = ("market:place_offer", LISTING, seller.res_id, 1000, 102_001)
    refuses(community, "ABOVE_RETAIL_PRICE", seller.client, *offer)
    refuses(
        community, "BELOW_FEED_IN_TARIFF", buyer.client, "market:place_bid", LISTING, 1, 19_999
    )


@pytest.mark.row("E018")
def test_orders_after_closing_are_refused_and_the_state_is_visible(community: Community) -> None:
    seller, buyer = community.households

    def state() -> str:
        return str(community.manager.evaluate("market:get_listing", LISTING)["state"])

    offer = ("market:place_offer", LISTING, seller.res_id, 1000, PRICE)
    bid = ("market:place_bid", LISTING, 1000, PRICE)
    assert state() == "AUTHORIZE_OFFERS"
    community.ledger.at("2026-01-15T09:58:00Z")
    refuses(community, "BIDS_CLOSED", seller.client, *offer)
    community.scheduler.submit("market:close_bidding", LISTING)
    assert state() == "BIDS_CLOSED"
    community.ledger.at("2026-01-15T09:57:00Z")  # a client's clock that lags does not help
    assert refuses(community, "BIDS_CLOSED", seller.client, *offer).status == 409
    assert refuses(community, "BIDS_CLOSED", buyer.client, *bid).status == 409


def test_orders_before_opening_and_in_unknown_listings_are_refused(community: Community) -> None:
    seller = community.households[0]
    community.open("2026-01-15T20")
    for listing, code in (
        ("2026-01-15T20", "NOT_OPEN_YET"),
        ("2026-01-15T21", "UNKNOWN_LISTING"),
        ("x~y", "INVALID_ARGUMENT"),
    ):
        offer = ("market:place_offer", listing, seller.res_id, 1000, PRICE)
        refuses(community, code, seller.client, *offer)


@pytest.mark.row("E007")
def test_a_pending_connection_does_not_trade(community: Community) -> None:
    idgrid = community.manager.evaluate("registry:complete_idgrid", "VAL-9999")
    attributes = {"role": "consumer", "idgrid": idgrid}
    client = community.ledger.client(COOP, "new", attributes=attributes)
    bid = ("market:place_bid", LISTING, 100, PRICE)
    assert refuses(community, "NOT_REGISTERED", client, *bid).status == 403
    community.manager.submit("registry:register_participant", idgrid, "consumer", HASH)
    community.manager.submit("tokens:deposit", idgrid, 10**6, "cash")
    assert refuses(community, "NOT_APPROVED", client, *bid).status == 403
    refuses(community, "METER_REQUIRED", community.dso, "registry:approve_participant", idgrid)
    point = community.households[0].meter.public_key.hex()
    community.dso.submit("registry:register_meter", "m-new", idgrid, point)
    refuses(community, "METER_REQUIRED", community.dso, "registry:approve_participant", idgrid)
    community.dso.submit("registry:approve_meter", "m-new")
    community.dso.submit("registry:approve_participant", idgrid)
    client.submit("membership:consent", HASH)
    client.submit("access:grant", "market", "m-new")
    assert client.submit(*bid)["idgrid"] == idgrid


def test_an_idgrid_in_a_certificate_of_another_member_is_worthless(community: Community) -> None:
    victim = community.households[0]
    thief = community.ledger.client(
        UTILITY, "thief", attributes={"role": "prosumer", "idgrid": victim.idgrid}
    )
    refuses(community, "WRONG_MEMBER", thief, "market:place_bid", LISTING, 100, PRICE)
    refuses(community, "WRONG_MEMBER", thief, "tokens:fold")
    with pytest.raises(ContractError, match="WRONG_MEMBER"):
        thief.evaluate("tokens:account", victim.idgrid)


def test_staff_and_strangers_place_no_orders(community: Community) -> None:
    stranger = community.ledger.client(COOP, "x")
    no_idgrid = community.ledger.client(COOP, "y", attributes={"role": "consumer"})
    bid = ("market:place_bid", LISTING, 100, PRICE)
    refuses(community, "ROLE_NOT_ALLOWED", stranger, *bid)
    refuses(community, "ROLE_NOT_ALLOWED", community.manager, *bid)
    refuses(community, "NOT_REGISTERED", no_idgrid, *bid)


@pytest.mark.row("E023")
def test_the_manager_opens_with_prices_and_limits_and_a_household_cannot() -> None:
    community = Community.found()
    home = community.join()
    band = {"floor_utoken_per_kwh": 20_000, "cap_utoken_per_kwh": 60_000}
    refuses(community, "ROLE_NOT_ALLOWED", home.client, "market:open_listing", LISTING, band)
    community.open(cap_utoken_per_kwh=60_000)
    event = community.ledger.events[-1]
    assert event.name == "WindowStarted"
    assert event.value["cap_utoken_per_kwh"] == 60_000
    assert event.value["max_order_wh"] == 10_000
    assert event.value["delivery_end_ms"] - event.value["delivery_start_ms"] == 3_600_000


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cap_utoken_per_kwh": None}, "INVALID_ARGUMENT"),
        ({"floor_utoken_per_kwh": 102_001}, "INVALID_ARGUMENT"),
        ({"floor_utoken_per_kwh": -1}, "INVALID_ARGUMENT"),
        ({"cap_utoken_per_kwh": 10**16}, "INVALID_ARGUMENT"),
        ({"cap_utoken_per_kwh": True}, "INVALID_ARGUMENT"),
        ({"preset": "weekly"}, "INVALID_ARGUMENT"),
        ({"rule": "vickrey"}, "INVALID_ARGUMENT"),
        ({"ration": "lottery"}, "INVALID_ARGUMENT"),
        ({"k": "3/2"}, "INVALID_ARGUMENT"),
        ({"k": "1/0"}, "INVALID_ARGUMENT"),
        ({"k": 1}, "INVALID_ARGUMENT"),
        ({"max_order_wh": 0}, "NOT_POSITIVE"),
        ({"reading_tolerance_ms": 10**9}, "INVALID_ARGUMENT"),
        ({"utc_offset_minutes": 900}, "INVALID_ARGUMENT"),
        ({"delivery_end_ms": 5}, "INVALID_ARGUMENT"),
        ({"retail": 5}, "INVALID_ARGUMENT"),
    ],
)
def test_bad_parameters_of_a_listing_are_refused(changes: dict[str, Any], code: str) -> None:
    community = Community.found()
    band: dict[str, Any] = {"floor_utoken_per_kwh": 20_000, "cap_utoken_per_kwh": 102_000}
    parameters = band | changes
    refuses(community, code, community.manager, "market:open_listing", LISTING, parameters)


def test_a_listing_opens_once_and_in_time() -> None:
    community = Community.found()
    community.open()
    band = {"floor_utoken_per_kwh": 1, "cap_utoken_per_kwh": 2}
    opening = ("market:open_listing", LISTING, band)
    refuses(community, "ALREADY_EXISTS", community.manager, *opening)
    community.ledger.at("2026-01-15T09:55:00Z")
    refuses(community, "TOO_LATE", community.manager, *opening)
    community.ledger.at("2026-01-15T09:50:00Z")
    for listing_id in ("2026-01-15", "2026-13-15T10", "x", ""):
        opening = ("market:open_listing", listing_id, band)
        refuses(community, "INVALID_ARGUMENT", community.manager, *opening)


def test_phases_come_in_order_and_not_too_early(community: Community) -> None:
    scheduler, submit = community.scheduler, community.scheduler.submit
    refuses(community, "TOO_EARLY", scheduler, "market:close_bidding", LISTING)
    refuses(community, "TOO_EARLY", scheduler, "market:clear", LISTING)
    refuses(community, "NOT_CLEARED", scheduler, "market:start_delivery", LISTING)
    refuses(community, "NOT_CLEARED", scheduler, "market:settle", LISTING)
    community.close_and_clear()
    refuses(community, "TOO_EARLY", scheduler, "market:start_delivery", LISTING)
    refuses(community, "TOO_EARLY", scheduler, "market:settle", LISTING)
    community.ledger.at("2026-01-15T10:00:00Z")
    assert submit("market:start_delivery", LISTING)["state"] == "DELIVERING"
    refuses(community, "UNKNOWN_LISTING", scheduler, "market:close_bidding", "2026-01-15T23")
    home = community.households[0].client
    for function in ("market:close_bidding", "market:clear", "market:settle"):
        refuses(community, "ROLE_NOT_ALLOWED", home, function, LISTING)


def test_repeated_phase_changes_change_nothing(community: Community) -> None:
    community.offer(community.households[0], 1000, 30_000)
    community.bid(community.households[1], 1000, PRICE)
    result = community.close_and_clear()
    before = community.ledger.snapshot()
    assert community.scheduler.submit("market:close_bidding", LISTING)["state"] == "CLEARED"
    assert community.scheduler.submit("market:clear", LISTING) == result
    after = community.ledger.snapshot()
    assert (after.state, after.events) == (before.state, before.events)


def test_settlement_waits_for_the_readings_of_everybody_matched(community: Community) -> None:
    seller, buyer = community.households
    community.offer(seller, 1000, 30_000)
    community.bid(buyer, 1000, PRICE)
    community.close_and_clear()
    community.ledger.at("2026-01-15T11:00:00Z")
    refusal = refuses(community, "READINGS_MISSING", community.scheduler, "market:settle", LISTING)
    assert seller.idgrid in refusal.message
    assert buyer.idgrid in refusal.message


@pytest.mark.row("E021")
def test_the_day_market_takes_orders_in_its_two_sessions_only() -> None:
    community = Community.found(start="2026-01-15T10:00:00Z")
    home = community.join()
    midday, evening = "2026-01-15T13", "2026-01-15T16"
    for listing_id in (midday, evening):
        community.open(listing_id, preset="day_market")
    offer = ("market:place_offer", midday, home.res_id, 1000, PRICE)
    refuses(community, "NOT_OPEN_YET", home.client, *offer)
    community.ledger.at("2026-01-15T12:59:00Z")
    home.client.submit(*offer)
    community.ledger.at("2026-01-15T13:15:00Z")
    refuses(community, "BIDS_CLOSED", home.client, *offer)
    evening_offer = ("market:place_offer", evening, home.res_id, 1000, PRICE)
    refuses(community, "NOT_OPEN_YET", home.client, *evening_offer)
    community.ledger.at("2026-01-15T14:05:00Z")
    home.client.submit(*evening_offer)
    record = community.manager.evaluate("market:get_listing", midday)
    assert record["delivery_end_ms"] - record["delivery_start_ms"] == 3_600_000
    assert record["delivery_start_ms"] == 1_768_482_000_000  # 2026-01-15 13:00 UTC


@pytest.mark.row("E019")
def test_the_phases_of_the_auction_preset_last_10_2_60_and_3_minutes() -> None:
    listing = Community.found().open()
    instants = [
        listing[name]
        for name in (
            "opens_at_ms",
            "gate_closure_ms",
            "delivery_start_ms",
            "delivery_end_ms",
            "settlement_end_ms",
        )
    ]
    lengths = [end - start for start, end in pairwise(instants)]
    assert lengths == [600_000, 120_000, 3_600_000, 180_000]
    assert listing["k"] == "1"


@pytest.mark.row("E006")
def test_public_lighting_trades_like_any_connection(community: Community) -> None:
    lights = community.join(role="consumer", kind="public_lighting")
    community.offer(community.households[0], 1000, 30_000)
    community.bid(lights, 1000, PRICE)
    matches = community.close_and_clear()["matches"]
    assert lights.idgrid in {match["idgrid"] for match in matches}


def test_the_open_book_shows_totals_and_best_prices_without_names(community: Community) -> None:
    seller, buyer = community.households
    community.offer(seller, 1000, 30_000)
    community.offer(seller, 500, 25_000)
    community.bid(buyer, 700, PRICE)
    book = community.manager.evaluate("market:get_book", LISTING)
    assert (book["offer_count"], book["bid_count"]) == (2, 1)
    assert (book["available_wh"], book["wanted_wh"]) == (1500, 700)
    assert book["best_offer_utoken_per_kwh"] == 25_000
    assert book["best_bid_utoken_per_kwh"] == PRICE
    assert book["supply_curve"] == [[25_000, 500], [30_000, 1500]]
    assert seller.idgrid not in str(book)


def test_a_household_sees_its_own_orders_and_no_others(community: Community) -> None:
    seller, buyer = community.households
    placed = community.offer(seller, 1000, 30_000)
    seen = seller.client.evaluate("market:get_orders", LISTING, seller.idgrid)
    assert seen == [placed]
    assert placed["res_id"] == seller.res_id
    with pytest.raises(ContractError, match="NOT_YOURS"):
        buyer.client.evaluate("market:get_orders", LISTING, seller.idgrid)
