"""Orders signed once: standing orders within their limits, and hourly profiles."""

from typing import Any

import pytest

from chaincode.energy.hours import HOUR_MS
from chaincode.shim.testing import MVCC_READ_CONFLICT, VALID
from tests.unit.energy.community import (
    LISTING,
    Community,
    Household,
    hour_of,
    milliseconds,
    refuses,
)

PRICE = 54_000
TOKENS = 10**6
START_MS = milliseconds(hour_of(LISTING))
LATER = "2026-01-15T11"


@pytest.fixture
def community() -> Community:
    """A prosumer, a consumer, and two open listings."""
    founded = Community.found()
    founded.join()
    founded.join(role="consumer", tokens=TOKENS)
    founded.open()
    founded.open(LATER, opens_at_ms=0)
    return founded


def signed_bid(home: Household, **changes: Any) -> str:
    """A standing bid of 2 kWh; returns its id."""
    order = {
        "side": "bid",
        "energy_wh": 2000,
        "price_utoken_per_kwh": PRICE,
        "until_ms": START_MS + 24 * HOUR_MS,
    } | changes
    return str(home.client.submit("standing:place", order)["standing_id"])


def test_a_scheduler_places_the_signed_order_once_in_every_listing(community: Community) -> None:
    buyer = community.households[1]
    standing_id = signed_bid(buyer, preferred=["pv-0"])
    pair = [buyer.idgrid, standing_id]
    for listing_id in (LISTING, LATER):
        assert community.scheduler.evaluate("standing:due", listing_id) == [pair]
        arguments = (listing_id, *pair)
        made = community.scheduler.submit("standing:carry_out", *arguments)
        assert made["is_new"]
        before = community.ledger.snapshot()
        for client in (community.scheduler, community.dso, buyer.client):
            again = client.submit("standing:carry_out", *arguments)
            assert again == made | {"is_new": False}
        after = community.ledger.snapshot()
        assert (after.state, after.events) == (before.state, before.events)
        [order] = buyer.client.evaluate("market:get_orders", listing_id, buyer.idgrid)
        assert (order["order_id"], order["energy_wh"]) == (made["order_id"], 2000)
        assert (order["source"], order["preferred"]) == ("standing", ["pv-0"])
        assert community.scheduler.evaluate("standing:due", listing_id) == []
    assert community.account(buyer)["locked_utoken"] == 4 * PRICE


def test_a_repetition_after_the_gate_has_closed_is_no_error(community: Community) -> None:
    buyer = community.households[1]
    arguments = (LISTING, buyer.idgrid, signed_bid(buyer))
    made = community.scheduler.submit("standing:carry_out", *arguments)
    community.close_and_clear()
    again = community.scheduler.submit("standing:carry_out", *arguments)
    assert again == made | {"is_new": False}


def test_what_was_cancelled_is_not_made_again(community: Community) -> None:
    buyer = community.households[1]
    arguments = (LISTING, buyer.idgrid, signed_bid(buyer))
    made = community.scheduler.submit("standing:carry_out", *arguments)
    buyer.client.submit("orders:cancel", LISTING, made["order_id"])
    assert not community.scheduler.submit("standing:carry_out", *arguments)["is_new"]
    assert community.account(buyer)["locked_utoken"] == 0


@pytest.mark.parametrize(
    "limits",
    [
        {"hours_utc": [9, 11]},
        {"from_ms": START_MS + 1},
        {"from_ms": 0, "until_ms": START_MS},
        {"budget_utoken": 2 * PRICE - 1},
    ],
)
def test_a_standing_order_stays_within_its_limits(
    community: Community, limits: dict[str, Any]
) -> None:
    buyer = community.households[1]
    arguments = (LISTING, buyer.idgrid, signed_bid(buyer, **limits))
    refuses(community, "STANDING_LIMIT", community.scheduler, "standing:carry_out", *arguments)


def test_limits_count_over_all_listings(community: Community) -> None:
    buyer = community.households[1]
    by_number = signed_bid(buyer, listings_max=1)
    by_money = signed_bid(buyer, budget_utoken=3 * PRICE)
    for standing_id in (by_number, by_money):
        community.scheduler.submit("standing:carry_out", LISTING, buyer.idgrid, standing_id)
        later = ("standing:carry_out", LATER, buyer.idgrid, standing_id)
        refuses(community, "STANDING_LIMIT", community.scheduler, *later)


def test_a_standing_order_is_an_order_like_any_other(community: Community) -> None:
    seller, buyer = community.households
    for code, home, changes in (
        ("CAP_EXCEEDED", buyer, {"energy_wh": 11_000}),
        ("INSUFFICIENT_FUNDS", community.join(role="consumer", tokens=1), {}),
        ("ABOVE_RETAIL_PRICE", seller, {"side": "offer", "price_utoken_per_kwh": 10**6}),
        ("RES_REQUIRED", seller, {"side": "offer", "res_id": "pv-9"}),
        ("ROLE_NOT_ALLOWED", buyer, {"side": "offer", "res_id": seller.res_id}),
    ):
        res = {"res_id": home.res_id} if changes.get("side") == "offer" else {}
        standing_id = signed_bid(home, **(res | changes))
        arguments = (LISTING, home.idgrid, standing_id)
        refuses(community, code, community.scheduler, "standing:carry_out", *arguments)
    withdrawn = signed_bid(buyer)
    buyer.client.submit("access:revoke", "market", buyer.meter_id)
    arguments = (LISTING, buyer.idgrid, withdrawn)
    refuses(community, "NO_DATA_ACCESS", community.scheduler, "standing:carry_out", *arguments)


def test_only_the_household_and_market_operators_carry_out_and_only_the_owner_withdraws(
    community: Community,
) -> None:
    seller, buyer = community.households
    standing_id = signed_bid(buyer)
    arguments = (LISTING, buyer.idgrid, standing_id)
    refuses(community, "ROLE_NOT_ALLOWED", seller.client, "standing:carry_out", *arguments)
    refuses(community, "ROLE_NOT_ALLOWED", community.oracle, "standing:carry_out", *arguments)
    refuses(community, "UNKNOWN_ORDER", seller.client, "standing:withdraw", standing_id)
    refuses(community, "ROLE_NOT_ALLOWED", community.manager, "standing:withdraw", standing_id)
    assert len(buyer.client.evaluate("standing:get_orders", buyer.idgrid)) == 1
    buyer.client.submit("standing:withdraw", standing_id)
    refuses(community, "UNKNOWN_ORDER", community.scheduler, "standing:carry_out", *arguments)


@pytest.mark.parametrize(
    "wrong",
    [
        {"side": "swap"},
        {"energy_wh": 0},
        {"price_utoken_per_kwh": 0},
        {"until_ms": 0},
        {"hours_utc": [24]},
        {"hours_utc": ["9"]},
        {"hours_utc": 9},
        {"listings_max": 0},
        {"budget_utoken": -1},
        {"preferred": "pv-0"},
        {"res_id": "pv-0"},
        {"colour": "green"},
    ],
)
def test_a_malformed_standing_order_is_refused(
    community: Community, wrong: dict[str, Any]
) -> None:
    buyer = community.households[1]
    with pytest.raises(Exception, match=r"INVALID|MISSING|NOT_POSITIVE"):
        signed_bid(buyer, **wrong)


def test_two_schedulers_in_one_block_make_one_order(community: Community) -> None:
    buyer = community.households[1]
    arguments = (LISTING, buyer.idgrid, signed_bid(buyer))
    both = [community.scheduler.simulate("standing:carry_out", *arguments) for _ in range(2)]
    assert community.ledger.commit(both) == [VALID, MVCC_READ_CONFLICT]
    assert len(buyer.client.evaluate("market:get_orders", LISTING, buyer.idgrid)) == 1


def hours_of(side: str, *energies_wh: int) -> list[dict[str, Any]]:
    """24 hours with these energies at the front."""
    return [
        {"side": side, "energy_wh": energy_wh, "price_utoken_per_kwh": PRICE}
        for energy_wh in (*energies_wh, *[0] * (24 - len(energies_wh)))
    ]


@pytest.mark.row("E037")
def test_profiles_are_seen_24_hours_ahead_with_their_revisions(community: Community) -> None:
    seller, buyer = community.households
    buyer.client.submit("standing:submit_profile", LISTING, hours_of("bid", 1000, 2000, 3000))
    sales = hours_of("offer", 500, 700)
    seller.client.submit("standing:submit_profile", LATER, sales, seller.res_id)

    def expected() -> list[tuple[int, int]]:
        hours = community.dso.evaluate("standing:forecast", LISTING)
        assert len(hours) == 24
        return [(hour["demand_wh"], hour["capacity_wh"]) for hour in hours[:4]]

    assert expected() == [(1000, 0), (2000, 500), (3000, 700), (0, 0)]
    revised = hours_of("bid", 1000, 2500)
    assert buyer.client.submit("standing:submit_profile", LISTING, revised)["revision"] == 2
    assert expected() == [(1000, 0), (2500, 500), (0, 700), (0, 0)]
    revisions = buyer.client.evaluate("standing:get_revisions", buyer.idgrid, LISTING)
    assert [revision["revision"] for revision in revisions] == [1, 2]
    assert [revision["hours"][1][1] for revision in revisions] == [2000, 2500]
    stranger = ("standing:get_revisions", buyer.idgrid, LISTING)
    with pytest.raises(Exception, match="NOT_YOURS"):
        seller.client.evaluate(*stranger)


def test_the_newest_profile_of_an_hour_becomes_its_order_once(community: Community) -> None:
    seller, buyer = community.households
    buyer.client.submit("standing:submit_profile", LISTING, hours_of("bid", 1000, 2000))
    buyer.client.submit("standing:submit_profile", LATER, hours_of("bid", 2200))
    seller.client.submit("standing:submit_profile", LISTING, hours_of("offer", 700), seller.res_id)
    for listing_id, energies in (
        (LISTING, {buyer.idgrid: 1000, seller.idgrid: 700}),
        (LATER, {buyer.idgrid: 2200}),
    ):
        due = community.scheduler.evaluate("standing:due_profiles", listing_id)
        assert due == sorted(energies)
        for home in (seller, buyer):
            if home.idgrid not in energies:
                continue
            arguments = (listing_id, home.idgrid)
            made = community.scheduler.submit("standing:carry_out_profile", *arguments)
            again = community.scheduler.submit("standing:carry_out_profile", *arguments)
            assert (made["is_new"], again) == (True, made | {"is_new": False})
            [order] = home.client.evaluate("market:get_orders", listing_id, home.idgrid)
            assert (order["energy_wh"], order["source"]) == (energies[home.idgrid], "profile")
        assert community.scheduler.evaluate("standing:due_profiles", listing_id) == []
    nothing = ("standing:carry_out_profile", LATER, seller.idgrid)
    refuses(community, "NO_PROFILE", community.scheduler, *nothing)


def test_what_is_due_does_not_grow_with_the_profiles_of_years(community: Community) -> None:
    buyer = community.households[1]
    days = [f"2026-01-{day:02}T10" for day in range(1, 29)]
    for first in days:
        buyer.client.submit("standing:submit_profile", first, hours_of("bid", 1000))
    for question in ("standing:due_profiles", "standing:forecast"):
        asked = community.scheduler.simulate(question, LISTING)
        assert [rows for _, _, rows in asked.ranges] == [1]
    order = community.scheduler.simulate("standing:carry_out_profile", LISTING, buyer.idgrid)
    assert not any(first.startswith("profile") for first, _, _ in order.ranges)


def test_a_standing_order_that_is_used_up_is_not_due(community: Community) -> None:
    buyer = community.households[1]
    bids = [signed_bid(buyer), signed_bid(buyer, listings_max=1)]
    asked = [[buyer.idgrid, standing_id] for standing_id in sorted(bids)]
    assert community.scheduler.evaluate("standing:due", LISTING) == asked
    community.scheduler.submit("standing:carry_out", LISTING, buyer.idgrid, bids[1])
    left = [[buyer.idgrid, bids[0]]]
    for listing_id in (LISTING, LATER):
        assert community.scheduler.evaluate("standing:due", listing_id) == left


@pytest.mark.parametrize(
    ("hours", "res_id"),
    [
        (hours_of("bid", 5)[:23], ""),
        (hours_of("bid", -5), ""),
        (hours_of("offer", 5), ""),
        (hours_of("bid", 5), "pv-0"),
        ([*hours_of("bid", 5)[:23], {"energy_wh": 5}], ""),
        ([*hours_of("bid", 5)[:23], 5], ""),
    ],
)
def test_a_malformed_profile_is_refused(
    community: Community, hours: list[Any], res_id: str
) -> None:
    home = community.households[0].client
    submission = ("standing:submit_profile", LISTING, hours, res_id)
    refuses(community, "INVALID_ARGUMENT", home, *submission)
