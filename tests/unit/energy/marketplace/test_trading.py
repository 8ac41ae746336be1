"""Offers and requests: posted, held, taken by one, deleted; who sees what and who pays whom."""

from typing import Any

import pytest

from chaincode.energy.marketplace.dealing import RESERVATION_MS
from tests.unit.energy.community import Community, hour_of, refuses
from tests.unit.energy.marketplace.scene import (
    HOUR,
    LOT_WH,
    PRICE,
    call,
    flow,
    founded,
    free,
    label,
    last_event,
    locked,
    offer,
    request,
)
from tests.unit.energy.oracle.panel import pass_time


@pytest.fixture
def community() -> Community:
    return founded()


def of(community: Community) -> tuple[Any, Any, Any, Any]:
    """Seller, buyer, another buyer, another seller."""
    seller, buyer, other, rival = community.households
    return seller, buyer, other, rival


def test_an_offer_shows_lot_price_and_unit_price(community: Community) -> None:
    seller, *_ = of(community)
    posted = offer(community, seller)
    assert (posted["price_utoken"], posted["unit_price_utoken_per_kwh"]) == (PRICE, 54_000)
    assert (posted["energy_wh"], posted["state"]) == (LOT_WH, "OPEN")
    assert last_event(community)[0] == "OfferPosted"
    page = community.manager.evaluate("marketplace:list_posts", HOUR)
    assert [post["post_id"] for post in page["posts"]] == [posted["post_id"]]
    assert page["next"] == ""


@pytest.mark.row("E036")
def test_an_offer_is_bought_delivered_and_paid_to_its_seller(community: Community) -> None:
    seller, buyer, other, _ = of(community)
    posted = offer(community, seller)
    assert [label(community, home, posted) for home in (seller, buyer)] == ["Delete", "Buy"]
    before = {home.idgrid: free(community, home) for home in community.households}

    bought = call(buyer.client, "buy", posted["post_id"])
    assert (bought["seller_idgrid"], bought["buyer_idgrid"]) == (seller.idgrid, buyer.idgrid)
    assert locked(community, buyer) == PRICE
    assert free(community, seller) == before[seller.idgrid], "nothing is paid before delivery"
    for viewer in (seller, buyer, other):
        assert label(community, viewer, posted) == "Purchased"
    refuses(community, "ALREADY_PURCHASED", seller.client, "marketplace:delete", posted["post_id"])

    flow(community, {seller.idgrid: (0, LOT_WH), buyer.idgrid: (LOT_WH, 0)})
    settled = call(seller.client, "settle", posted["post_id"])
    assert (settled["delivered_wh"], settled["paid_utoken"]) == (LOT_WH, PRICE)
    assert free(community, seller) == before[seller.idgrid] + PRICE
    assert free(community, buyer) == before[buyer.idgrid] - PRICE
    assert community.account(buyer)["bought_wh"] == LOT_WH
    assert community.account(seller)["sold_wh"] == LOT_WH
    assert locked(community, buyer) == 0
    assert label(community, other, posted) == "Purchased"
    assert community.audit()["difference_utoken"] == 0


@pytest.mark.row("E036")
def test_a_request_is_sold_to_and_pays_the_seller_not_the_requester(community: Community) -> None:
    seller, buyer, other, _ = of(community)
    before = {home.idgrid: free(community, home) for home in community.households}
    posted = request(community, buyer)
    assert (locked(community, buyer), last_event(community)[0]) == (PRICE, "RequestPosted")
    seen = [label(community, home, posted) for home in (buyer, seller)]
    assert seen == ["Delete", "Request to Sell"]

    call(seller.client, "request_to_sell", posted["post_id"], seller.res_id)
    assert last_event(community)[0] == "SellRequested"
    assert {label(community, home, posted) for home in community.households} == {
        "Requested for Sell"
    }
    sold = call(buyer.client, "accept", posted["post_id"])
    assert (sold["seller_idgrid"], sold["buyer_idgrid"]) == (seller.idgrid, buyer.idgrid)
    assert {label(community, home, posted) for home in community.households} == {"Sold"}
    refuses(community, "ALREADY_SOLD", buyer.client, "marketplace:delete", posted["post_id"])

    flow(community, {seller.idgrid: (0, LOT_WH), buyer.idgrid: (LOT_WH, 0)})
    call(community.scheduler, "settle", posted["post_id"])
    assert free(community, seller) == before[seller.idgrid] + PRICE
    assert free(community, buyer) == before[buyer.idgrid] - PRICE
    assert free(community, other) == before[other.idgrid]
    assert community.audit()["difference_utoken"] == 0


@pytest.mark.row("E036")
def test_an_own_open_post_is_deleted_and_its_money_is_free_again(community: Community) -> None:
    seller, buyer, *_ = of(community)
    before = free(community, buyer)
    for posted in (offer(community, seller), request(community, buyer)):
        owner = seller if posted["kind"] == "offer" else buyer
        stranger = buyer if owner is seller else seller
        refuses(community, "NOT_YOURS", stranger.client, "marketplace:delete", posted["post_id"])
        call(owner.client, "delete", posted["post_id"])
        assert last_event(community)[0] == "PostDeleted"
        assert label(community, stranger, posted) == "Deleted"
        refuses(community, "POST_CLOSED", owner.client, "marketplace:delete", posted["post_id"])
    assert (free(community, buyer), locked(community, buyer)) == (before, 0)


def test_a_request_for_the_first_seller_is_sold_at_once(community: Community) -> None:
    seller, buyer, _, rival = of(community)
    posted = request(community, buyer, acceptance="immediate")
    sold = call(seller.client, "request_to_sell", posted["post_id"], seller.res_id)
    assert sold["state"] == "SOLD"
    again = ("marketplace:request_to_sell", posted["post_id"], rival.res_id)
    error = refuses(community, "ALREADY_SOLD", rival.client, *again)
    assert "Request already fulfilled" in error.message


def test_two_households_take_one_offer_together_and_one_of_them_has_it(
    community: Community,
) -> None:
    seller, buyer, other, _ = of(community)
    post_id = offer(community, seller)["post_id"]
    for function, refusal in (("reserve", "RESERVED"), ("buy", "ALREADY_PURCHASED")):
        start = community.ledger.snapshot()
        name = f"marketplace:{function}"
        together = [home.client.simulate(name, post_id) for home in (buyer, other)]
        assert community.ledger.commit(together) == ["VALID", "MVCC_READ_CONFLICT"]
        assert refuses(community, refusal, other.client, name, post_id).status == 409
        assert (locked(community, buyer), locked(community, other)) == (PRICE, 0)
        community.ledger.restore(start)


def test_a_reserved_offer_is_blocked_for_others_and_bought_by_its_holder(
    community: Community,
) -> None:
    seller, buyer, other, _ = of(community)
    post_id = offer(community, seller)["post_id"]
    call(buyer.client, "reserve", post_id)
    assert locked(community, buyer) == PRICE
    for function in ("reserve", "buy"):
        refuses(community, "RESERVED", other.client, f"marketplace:{function}", post_id)
    refuses(community, "RESERVED", seller.client, "marketplace:delete", post_id)
    post = {"post_id": post_id}
    seen = [label(community, home, post) for home in (seller, buyer, other)]
    assert seen == ["Reserved", "Buy", "Reserved"]
    before = community.ledger.snapshot().state
    call(buyer.client, "reserve", post_id)
    assert community.ledger.snapshot().state == before, "holding twice changes nothing"
    call(buyer.client, "buy", post_id)
    assert locked(community, buyer) == PRICE, "the money is locked once"


def test_a_reservation_ends_by_itself_and_gives_the_money_back(community: Community) -> None:
    seller, buyer, other, _ = of(community)
    before = free(community, buyer)
    post_id = offer(community, seller)["post_id"]
    call(buyer.client, "reserve", post_id)
    pass_time(community, RESERVATION_MS)
    call(other.client, "buy", post_id)
    assert (free(community, buyer), locked(community, buyer)) == (before, 0)
    assert locked(community, other) == PRICE
    assert community.audit()["difference_utoken"] == 0


def test_the_same_household_may_hold_again_after_its_reservation_ended(
    community: Community,
) -> None:
    seller, buyer, *_ = of(community)
    before = free(community, buyer)
    post_id = offer(community, seller)["post_id"]
    for _ in range(2):
        call(buyer.client, "reserve", post_id)
        pass_time(community, RESERVATION_MS)
    call(seller.client, "expire", post_id)
    assert last_event(community)[0] == "ReservationEnded"
    assert (free(community, buyer), locked(community, buyer)) == (before, 0)
    assert community.audit()["difference_utoken"] == 0


def test_a_holder_lets_go_and_a_requester_declines(community: Community) -> None:
    seller, buyer, other, rival = of(community)
    before = free(community, buyer)
    held = offer(community, seller)["post_id"]
    call(buyer.client, "reserve", held)
    refuses(community, "NOT_YOURS", other.client, "marketplace:release", held)
    call(buyer.client, "release", held)
    assert free(community, buyer) == before
    refuses(community, "NOT_RESERVED", buyer.client, "marketplace:release", held)

    wanted = request(community, other)["post_id"]
    refuses(community, "NOT_RESERVED", other.client, "marketplace:accept", wanted)
    call(seller.client, "request_to_sell", wanted, seller.res_id)
    ask = ("marketplace:request_to_sell", wanted, rival.res_id)
    refuses(community, "RESERVED", rival.client, *ask)
    refuses(community, "NOT_YOURS", buyer.client, "marketplace:accept", wanted)
    call(other.client, "decline", wanted)
    assert last_event(community)[0] == "SellDeclined"
    call(rival.client, "request_to_sell", wanted, rival.res_id)
    call(rival.client, "release", wanted)
    assert locked(community, other) == PRICE, "the request stays funded"


@pytest.mark.row("E031")
def test_nobody_trades_with_itself(community: Community) -> None:
    seller, *_ = of(community)
    offered = offer(community, seller)["post_id"]
    wanted = request(community, seller)["post_id"]
    for function in ("reserve", "buy"):
        name = f"marketplace:{function}"
        error = refuses(community, "SELF_TRADE", seller.client, name, offered)
        assert (error.status, "Buyer cannot be the seller" in error.message) == (409, True)
    ask = ("marketplace:request_to_sell", wanted, seller.res_id)
    error = refuses(community, "SELF_TRADE", seller.client, *ask)
    assert "Cannot sell to your own request" in error.message


def test_bad_posts_are_refused_in_the_documents_words(community: Community) -> None:
    seller, buyer, *_ = of(community)
    offers = "marketplace:post_offer"
    requests = "marketplace:post_request"
    for client, call_with, code, text in (
        (seller, (offers, HOUR, seller.res_id, 1, 0), "OFFER_PRICE_NOT_POSITIVE", "Product price"),
        (seller, (offers, HOUR, seller.res_id, 0, 1), "ENERGY_MISSING", "Energy must be"),
        (buyer, (requests, HOUR, 1, 0), "BID_PRICE_NOT_POSITIVE", "Price must be greater"),
        (buyer, (requests, HOUR, 0, 1), "ENERGY_MISSING", "Energy must be specified"),
        (seller, (offers, HOUR, seller.res_id, 10_001, 1), "CAP_EXCEEDED", "10001 Wh"),
        (seller, (offers, "15 o'clock", seller.res_id, 1, 1), "INVALID_ARGUMENT", "hour"),
        (seller, (offers, "2026-01-15T09", seller.res_id, 1, 1), "TOO_LATE", "begun"),
        (seller, (offers, "2026-09-15T09", seller.res_id, 1, 1), "TOO_EARLY", "ahead"),
        (seller, (offers, HOUR, "pv-3", 1, 1), "RES_REQUIRED", "pv-3"),
        (seller, (offers, HOUR, seller.res_id, 1, 1, "maybe"), "INVALID_ARGUMENT", "charge"),
        (buyer, (offers, HOUR, seller.res_id, 1, 1), "ROLE_NOT_ALLOWED", "prosumers"),
        (buyer, (requests, HOUR, 1, 10**12), "INSUFFICIENT_FUNDS", "free"),
        (buyer, ("marketplace:buy", "nothing"), "UNKNOWN_OFFER", "Invalid product ID"),
        (
            seller,
            ("marketplace:request_to_sell", f"{HOUR}.00", seller.res_id),
            "UNKNOWN_REQUEST",
            "Invalid buyer request ID",
        ),
    ):
        error = refuses(community, code, client.client, *call_with)
        assert text in error.message


def test_an_offer_is_no_request(community: Community) -> None:
    seller, buyer, _, rival = of(community)
    offered, wanted = offer(community, seller)["post_id"], request(community, buyer)["post_id"]
    refuses(community, "UNKNOWN_OFFER", buyer.client, "marketplace:buy", wanted)
    ask = ("marketplace:request_to_sell", offered, rival.res_id)
    refuses(community, "UNKNOWN_REQUEST", rival.client, *ask)


def test_a_buyer_without_the_money_takes_nothing(community: Community) -> None:
    seller, *_ = of(community)
    poor = community.join(role="consumer", tokens=PRICE - 1)
    post_id = offer(community, seller)["post_id"]
    for function in ("reserve", "buy"):
        refuses(community, "INSUFFICIENT_FUNDS", poor.client, f"marketplace:{function}", post_id)


def test_a_household_posts_a_bounded_amount_for_one_hour(community: Community) -> None:
    seller, *_ = of(community)
    first = offer(community, seller, energy_wh=6_000)
    post = ("marketplace:post_offer", HOUR, seller.res_id)
    refuses(community, "CAP_EXCEEDED", seller.client, *post, 4_001, 1)
    offer(community, seller, energy_wh=4_000)
    offer(community, seller, energy_wh=4_000, hour="2026-01-15T11")
    request(community, seller, energy_wh=10_000)
    call(seller.client, "delete", first["post_id"])
    for _ in range(18):
        offer(community, seller, energy_wh=1)
    refuses(community, "TOO_MANY_POSTS", seller.client, *post, 1, 1)


def test_a_household_buys_and_sells_a_bounded_amount_for_one_hour(community: Community) -> None:
    seller, buyer, other, rival = of(community)
    lots = [offer(community, home, energy_wh=6_000)["post_id"] for home in (seller, rival)]
    call(buyer.client, "buy", lots[0])
    for function in ("reserve", "buy"):
        refuses(community, "CAP_EXCEEDED", buyer.client, f"marketplace:{function}", lots[1])
    wanted = request(community, other, energy_wh=4_001)["post_id"]
    ask = ("marketplace:request_to_sell", wanted, seller.res_id)
    refuses(community, "CAP_EXCEEDED", seller.client, *ask)  # of what it sold
    ask = ("marketplace:request_to_sell", wanted, rival.res_id)
    refuses(community, "CAP_EXCEEDED", rival.client, *ask)  # of what it still offers
    call(rival.client, "delete", lots[1])
    rival.client.submit(*ask)


def test_nobody_sells_more_by_asking_several_buyers_at_once(community: Community) -> None:
    seller, one, two, _ = of(community)
    wanted = [request(community, home, energy_wh=6_000)["post_id"] for home in (one, two)]
    for post_id in wanted:
        call(seller.client, "request_to_sell", post_id, seller.res_id)
    call(one.client, "accept", wanted[0])
    refuses(community, "CAP_EXCEEDED", two.client, "marketplace:accept", wanted[1])
    post = ("marketplace:post_offer", HOUR, seller.res_id)
    refuses(community, "CAP_EXCEEDED", seller.client, *post, 4_001, 1)
    offer(community, seller, energy_wh=4_000)


def test_a_contract_limits_energy_and_number_of_orders(community: Community) -> None:
    seller, *_ = of(community)
    terms = {"capacity_w": 3_000, "orders_max": 2}
    community.manager.submit("membership:set_contract", seller.idgrid, terms)
    post = ("marketplace:post_offer", HOUR, seller.res_id)
    refuses(community, "CAP_EXCEEDED", seller.client, *post, 3_001, 1)
    offer(community, seller, energy_wh=1_000)
    offer(community, seller, energy_wh=1_000)
    refuses(community, "LIMIT", seller.client, *post, 1, 1)


def test_who_may_not_trade_in_the_auction_may_not_trade_here(community: Community) -> None:
    seller, buyer, other, _ = of(community)
    lot = offer(community, seller)["post_id"]
    buyer.client.submit("access:revoke", "market", buyer.meter_id)
    community.manager.submit("membership:suspend", other.idgrid, "unpaid")
    refuses(community, "NO_DATA_ACCESS", buyer.client, "marketplace:buy", lot)
    refuses(community, "SUSPENDED", other.client, "marketplace:buy", lot)
    wish = ("marketplace:post_request", HOUR, 1, 1)
    refuses(community, "NO_DATA_ACCESS", buyer.client, *wish)
    refuses(community, "SUSPENDED", other.client, *wish)


def test_nothing_is_taken_once_delivery_begins(community: Community) -> None:
    seller, buyer, *_ = of(community)
    offered, wanted = offer(community, seller)["post_id"], request(community, buyer)["post_id"]
    community.ledger.at(hour_of(HOUR))
    refuses(community, "TOO_LATE", buyer.client, "marketplace:buy", offered)
    ask = ("marketplace:request_to_sell", wanted, seller.res_id)
    refuses(community, "TOO_LATE", seller.client, *ask)


def test_posts_of_an_hour_come_in_pages(
    community: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaincode.energy.marketplace.views.POSTS_PER_PAGE_MAX", 3)
    seller, buyer, *_ = of(community)
    ids = [offer(community, seller, energy_wh=1)["post_id"] for _ in range(7)]
    later = offer(community, seller, energy_wh=1, hour="2026-01-15T11")["post_id"]
    both = seller.client.evaluate("marketplace:list_posts", HOUR, sorted(ids)[-2], "2026-01-15T11")
    assert [post["post_id"] for post in both["posts"]] == [max(ids), later]
    found: list[str] = []
    after = ""
    for _ in range(3):
        page = buyer.client.evaluate("marketplace:list_posts", HOUR, after)
        found += [post["post_id"] for post in page["posts"]]
        after = page["next"]
    assert (found, after) == (sorted(ids), "")
    refuses(community, "INVALID_ARGUMENT", buyer.client, "marketplace:list_posts", HOUR, "x")
