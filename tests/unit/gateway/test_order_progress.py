"""Where an order is, and why it is not further."""

from dataclasses import replace

import pytest

from chaincode.energy.market.auction_records import AuctionResult, Match
from chaincode.energy.market.records import Listing, ListingState, MarketOrder
from gateway.books.order_progress import (
    OrderProgress,
    OrderState,
    Reason,
    newest_first,
    progress_of,
)

LISTING = Listing(
    listing_id="2026-01-15T10",
    state="CLEARED",
    preset="hourly",
    rule="crossing",
    rule_version=1,
    k="1/2",
    ration="fifo",
    floor_utoken_per_kwh=20_000,
    cap_utoken_per_kwh=100_000,
    max_order_wh=10_000,
    opens_at_ms=0,
    gate_closure_ms=1,
    delivery_start_ms=2,
    delivery_end_ms=3,
    settlement_end_ms=4,
    reading_tolerance_ms=0,
    opened_by_tx="tx",
)
RESULT = AuctionResult(
    listing_id=LISTING.listing_id,
    rule="crossing",
    rule_version=1,
    k="1/2",
    ration="fifo",
    price_utoken_per_kwh=60_000,
    price_interval=[60_000, 60_000],
    quantity_wh=1_000,
    total_utoken=60_000,
    available_wh=1_000,
    wanted_wh=1_000,
    offer_count=1,
    bid_count=1,
    other_rule="average_bid",
    other_rule_price_utoken_per_kwh=None,
    demand_curve=[],
    supply_curve=[],
    matches=[],
    not_executable=[],
    excluded=[],
)


def order(side: str = "bid", price: int = 70_000) -> MarketOrder:
    return MarketOrder("o", LISTING.listing_id, "VAL-0001-X", side, 1_000, price, None)


def progress(
    *,
    state: str = "CLEARED",
    side: str = "bid",
    price: int = 70_000,
    matched_wh: int = 0,
    **result,
) -> OrderProgress:
    matches = {"o": Match("o", "VAL-0001-X", side, matched_wh, 0, 0, 1)} if matched_wh else {}
    return progress_of(
        order(side, price),
        block_number=7,
        listing=replace(LISTING, state=state),
        result=replace(RESULT, **result),
        matches=matches,
        line=None,
    )


@pytest.mark.parametrize("state", ListingState)
def test_every_state_of_a_listing_gives_its_orders_a_state(state):
    assert progress(state=state, matched_wh=1_000).state in OrderState
    assert progress(state=state).state in OrderState


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("AUTHORIZE_OFFERS", OrderState.OPEN),
        ("BIDS_CLOSED", OrderState.GATE_CLOSED),
        ("CLEARED", OrderState.MATCHED),
        ("DELIVERING", OrderState.DELIVERING),
        ("SETTLED", OrderState.SETTLED),
        ("DISPUTED", OrderState.DISPUTED),
        ("CANCELLED", OrderState.STOPPED),
    ],
)
def test_a_matched_order_follows_its_listing(state, expected):
    found = progress(state=state, matched_wh=1_000)
    assert (found.state, found.reason) == (expected, Reason.NONE)


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"price": 59_999}, Reason.BID_BELOW_PRICE),
        ({"price": 60_000}, Reason.OTHERS_FIRST),
        ({"side": "offer", "price": 60_001}, Reason.OFFER_ABOVE_PRICE),
        ({"side": "offer", "price": 60_000}, Reason.OTHERS_FIRST),
        ({"side": "offer", "price": 10_000}, Reason.OTHERS_FIRST),
        ({"curtailed_wh": 5}, Reason.LINE_LIMIT),
        ({"price_utoken_per_kwh": None}, Reason.NOTHING_TRADED),
    ],
)
def test_an_order_that_is_not_matched_says_why(wish, reason):
    found = progress(**wish)
    assert (found.state, found.reason) == (OrderState.NOT_MATCHED, reason)


def test_a_part_is_matched_for_a_reason_too():
    found = progress(matched_wh=400)
    assert (found.state, found.reason) == (OrderState.PARTLY_MATCHED, Reason.OTHERS_FIRST)
    assert found.matched_wh == 400


def test_the_latest_delivery_comes_first():
    one, two = progress(), replace(progress(), listing_id="2026-01-15T11")
    assert newest_first([one, two]) == [two, one]
