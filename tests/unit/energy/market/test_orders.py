"""What a household does with its orders: cancel, replace, prefer, and the documents' words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.energy.errors import Refused
from chaincode.energy.market.source_names import kwh_from_wh, wh_from_kwh
from chaincode.shim.testing import MVCC_READ_CONFLICT, VALID
from tests.unit.energy.community import LISTING, Community, refuses

PRICE = 54_000
TOKENS = 10**6


@pytest.fixture
def community() -> Community:
    """A prosumer, a consumer, and an open listing."""
    founded = Community.found()
    founded.join()
    founded.join(role="consumer", tokens=TOKENS)
    founded.open()
    return founded


@pytest.mark.row("E033")
def test_an_order_is_cancelled_before_the_gate_closes_and_not_after(community: Community) -> None:
    seller, buyer = community.households
    bid, kept = (community.bid(buyer, 4000, PRICE) for _ in range(2))
    offer = community.offer(seller, 6000, 40_000)
    assert community.account(buyer)["locked_utoken"] == 8 * PRICE
    cancelled = buyer.client.submit("orders:cancel", LISTING, bid["order_id"])
    assert cancelled == bid
    assert community.ledger.events[-1].name == "OrderCancelled"
    view = community.account(buyer)
    assert (view["free_utoken"], view["locked_utoken"]) == (TOKENS - 4 * PRICE, 4 * PRICE)
    seller.client.submit("orders:cancel", LISTING, offer["order_id"])
    community.offer(seller, 10_000, 40_000)  # the cancelled energy may be offered again
    again = ("orders:cancel", LISTING, bid["order_id"])
    refuses(community, "UNKNOWN_ORDER", buyer.client, *again)
    result = community.close_and_clear()
    assert (result["quantity_wh"], result["bid_count"]) == (4000, 1)
    late = ("orders:cancel", LISTING, kept["order_id"])
    assert refuses(community, "BIDS_CLOSED", buyer.client, *late).status == 409


def test_after_the_last_order_is_cancelled_the_household_may_change_sides(
    community: Community,
) -> None:
    seller = community.households[0]
    offer = community.offer(seller, 6000, 40_000)
    seller.client.submit("orders:cancel", LISTING, offer["order_id"])
    assert community.bid(seller, 1000, PRICE)["side"] == "bid"


def test_an_order_is_replaced_in_one_transaction_and_queues_anew(community: Community) -> None:
    buyer = community.households[1]
    rival = community.join(role="consumer", tokens=TOKENS)
    first = community.bid(buyer, 10_000, PRICE)
    community.bid(rival, 6000, PRICE)
    changed = buyer.client.submit("orders:replace", LISTING, first["order_id"], 8000, PRICE)
    assert changed["order_id"] != first["order_id"]
    view = community.account(buyer)
    assert (view["free_utoken"], view["locked_utoken"]) == (TOKENS - 8 * PRICE, 8 * PRICE)
    orders = buyer.client.evaluate("market:get_orders", LISTING, buyer.idgrid)
    assert [order["energy_wh"] for order in orders] == [8000]
    community.offer(community.households[0], 6000, 40_000)
    matches = community.close_and_clear()["matches"]
    assert [match["idgrid"] for match in matches if match["side"] == "bid"] == [rival.idgrid]
    assert community.audit()["difference_utoken"] == 0


def test_a_replacement_is_checked_like_a_new_order(community: Community) -> None:
    seller, buyer = community.households
    bid = community.bid(buyer, 1000, PRICE)["order_id"]
    offer = community.offer(seller, 1000, PRICE)["order_id"]
    for code, client, order_id, energy_wh, price in (
        ("CAP_EXCEEDED", buyer.client, bid, 10_001, PRICE),
        ("INSUFFICIENT_FUNDS", buyer.client, bid, 10_000, 101_000),
        ("BID_PRICE_NOT_POSITIVE", buyer.client, bid, 10, 0),
        ("BELOW_FEED_IN_TARIFF", buyer.client, bid, 10, 19_999),
        ("ABOVE_RETAIL_PRICE", seller.client, offer, 10, 102_001),
        ("UNKNOWN_ORDER", seller.client, bid, 10, PRICE),
    ):
        replacement = ("orders:replace", LISTING, order_id, energy_wh, price)
        refuses(community, code, client, *replacement)


def test_cancelling_and_closing_in_one_block_cannot_both_hold(community: Community) -> None:
    buyer = community.households[1]
    order_id = community.bid(buyer, 1000, PRICE)["order_id"]
    cancelling = buyer.client.simulate("orders:cancel", LISTING, order_id)
    community.ledger.at("2026-01-15T09:58:00Z")
    closing = community.scheduler.simulate("market:close_bidding", LISTING)
    assert community.ledger.commit([closing, cancelling]) == [VALID, MVCC_READ_CONFLICT]


@pytest.mark.row("E032")
def test_the_same_signed_order_counts_once(community: Community) -> None:
    buyer = community.households[1]
    order = buyer.client.simulate("market:place_bid", LISTING, 1000, PRICE)
    assert community.ledger.commit([order, order])[0] == VALID
    assert community.ledger.commit([order]) != [VALID]
    orders = buyer.client.evaluate("market:get_orders", LISTING, buyer.idgrid)
    assert len(orders) == 1
    assert community.account(buyer)["locked_utoken"] == PRICE


def test_an_order_reads_the_ledger_in_one_request_without_ranges(community: Community) -> None:
    seller, buyer = community.households
    community.bid(buyer, 1000, PRICE)
    for made in (
        buyer.client.simulate("market:place_bid", LISTING, 1000, PRICE),
        seller.client.simulate("market:place_offer", LISTING, seller.res_id, 1000, PRICE),
    ):
        assert not made.ranges
        assert len(made.reads) <= 9


def test_preferences_are_kept_with_the_bid(community: Community) -> None:
    seller, buyer = community.households
    wishes = [seller.res_id, seller.idgrid]
    bid = ("market:place_bid", LISTING, 1000, PRICE)
    assert buyer.client.submit(*bid, wishes)["preferred"] == wishes
    for wrong in ([f"pv-{n}" for n in range(11)], ["pv-0", "pv-0"], ["a|b"], [7], {"pv-0": 1}):
        refuses(community, "INVALID_ARGUMENT", buyer.client, *bid, wrong)
    longest = buyer.client.submit(*bid, [f"pv-{n}" for n in range(10)])
    assert len(longest["preferred"]) == 10


@pytest.mark.row("E026")
def test_price_and_energy_must_be_given_in_the_words_of_the_documents(
    community: Community,
) -> None:
    seller, buyer = community.households
    offer: dict[str, Any] = {
        "reservePrice": PRICE,
        "kWhavailable": "2.5",
        "listingid": LISTING,
        "RESid": seller.res_id,
        "producer": seller.idgrid,
    }
    bid: dict[str, Any] = {
        "BidPrice": PRICE,
        "kWhQuantity": "2.5",
        "listingid": LISTING,
        "consumer": buyer.idgrid,
    }
    for code, client, function, free, words in (
        (
            "OFFER_PRICE_NOT_POSITIVE",
            seller.client,
            "orders:RESOffer",
            offer | {"reservePrice": 0},
            "Product price must be greater than zero",
        ),
        (
            "BID_PRICE_NOT_POSITIVE",
            buyer.client,
            "orders:BUYOffer",
            bid | {"BidPrice": 0},
            "Price must be greater than zero",
        ),
    ):
        refusal = refuses(community, code, client, function, free)
        assert (refusal.status, refusal.message.split(" (")[0]) == (422, words)
    for absent in ({}, {"kWhavailable": ""}, {"kWhavailable": "0"}, {"kWhavailable": 0}):
        given_offer = {name: value for name, value in offer.items() if name != "kWhavailable"}
        refusal = refuses(
            community, "ENERGY_MISSING", seller.client, "orders:RESOffer", given_offer | absent
        )
        assert refusal.status == 422
        assert refusal.message.startswith("Energy must be specified")


@pytest.mark.row("E024")
@pytest.mark.row("E025")
def test_orders_in_the_documents_fields_come_back_exactly(community: Community) -> None:
    seller, buyer = community.households
    offer = {
        "reservePrice": 40_000,
        "kWhavailable": "2.345",
        "listingid": LISTING,
        "RESid": seller.res_id,
        "producer": seller.idgrid,
    }
    bid = {
        "BidPrice": PRICE,
        "kWhQuantity": "1.5",
        "listingid": LISTING,
        "consumer": buyer.idgrid,
    }
    placed = seller.client.submit("orders:RESOffer", offer)
    assert {name: placed[name] for name in offer} == offer
    before = community.manager.evaluate("market:get_book", LISTING)
    buyer.client.submit("orders:BUYOffer", bid)
    after = community.manager.evaluate("market:get_book", LISTING)
    assert after["wanted_wh"] - before["wanted_wh"] == 1500
    listing = seller.client.evaluate("orders:kWhoffer", LISTING, seller.idgrid)
    assert (listing["listingid"], listing["state"]) == (LISTING, "AUTHORIZE_OFFERS")
    assert [{name: entry[name] for name in offer} for entry in listing["RESOffer"]] == [offer]
    own = buyer.client.evaluate("orders:kWhoffer", LISTING, buyer.idgrid)
    assert [{name: entry[name] for name in bid} for entry in own["BuyOffer"]] == [bid]
    orders = seller.client.evaluate("market:get_orders", LISTING, seller.idgrid)
    assert orders[0]["energy_wh"] == 2345
    for other in (offer | {"producer": buyer.idgrid}, offer | {"producer": "a@b.example"}):
        refuses(community, "NOT_YOURS", seller.client, "orders:RESOffer", other)
    for wrong in ({"price": 1}, {"reservePrice": "1"}, {"kWhavailable": [2]}):
        refuses(community, "INVALID_ARGUMENT", seller.client, "orders:RESOffer", offer | wrong)


@pytest.mark.parametrize(
    "text", ["1.2345", "-1", "+1", "1,5", "1e3", ".5", "1.", " 1", "½", "0x1", "1" * 10, True]
)
def test_energy_that_is_no_exact_number_of_wh_is_refused(text: object) -> None:
    with pytest.raises(Refused, match="kWhavailable"):
        wh_from_kwh(text, "kWhavailable")


@given(st.integers(0, 10**12 - 1))
def test_every_energy_is_exact_in_kwh_and_back(energy_wh: int) -> None:
    assert wh_from_kwh(kwh_from_wh(energy_wh), "energy") == energy_wh


def test_trailing_zeros_do_not_matter() -> None:
    assert wh_from_kwh("1.2340000", "energy") == 1234
    assert wh_from_kwh(3, "energy") == wh_from_kwh("3.0", "energy") == 3000
