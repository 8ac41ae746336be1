"""Who takes a post may sign the terms it saw; a post that says otherwise is refused."""

from typing import Any

import pytest

from chaincode.energy.marketplace.dealing import RESERVATION_MS
from tests.unit.energy.community import Community, Household, refuses
from tests.unit.energy.marketplace.scene import (
    HOUR,
    LOT_WH,
    PRICE,
    call,
    founded,
    locked,
    offer,
    request,
)
from tests.unit.energy.oracle.panel import pass_time

TERMS: tuple[Any, ...] = (HOUR, LOT_WH, PRICE)
TAKEN = {
    "reserve": "RESERVED",
    "buy": "PURCHASED",
    "request_to_sell": "RESERVED",
    "accept": "SOLD",
}
"""By function: the state that it leaves the post in."""
OTHERS = [
    ("2026-01-15T11", LOT_WH, PRICE),
    (HOUR, LOT_WH - 1, PRICE),
    (HOUR, LOT_WH, PRICE + 1),
]
BAD = [
    ((HOUR,), "INVALID_ARGUMENT", "together"),
    ((HOUR, LOT_WH), "INVALID_ARGUMENT", "together"),
    (("", LOT_WH, PRICE), "INVALID_ARGUMENT", "together"),
    ((HOUR, "", PRICE), "INVALID_ARGUMENT", "together"),
    ((HOUR, LOT_WH, ""), "INVALID_ARGUMENT", "together"),
    (("noon", LOT_WH, PRICE), "INVALID_ARGUMENT", "noon"),
    (("2026-01-15", LOT_WH, PRICE), "INVALID_ARGUMENT", "2026-01-15"),
    ((HOUR, -LOT_WH, PRICE), "NOT_POSITIVE", "energy_wh"),
    ((HOUR, 0, PRICE), "NOT_POSITIVE", "energy_wh"),
    ((HOUR, LOT_WH, -PRICE), "NOT_POSITIVE", "price_utoken"),
    ((HOUR, LOT_WH, 0), "NOT_POSITIVE", "price_utoken"),
    ((HOUR, 10**12 + 1, PRICE), "INVALID_ARGUMENT", "energy_wh"),
    ((HOUR, LOT_WH, 10**18 + 1), "INVALID_ARGUMENT", "price_utoken"),
    ((HOUR, "4 kWh", PRICE), "INVALID_ARGUMENT", "energy_wh"),
]


@pytest.fixture
def community() -> Community:
    return founded()


def to_take(community: Community, function: str) -> tuple[Household, tuple[str, ...]]:
    """Who can take a post by this function, and the arguments before the terms."""
    seller, buyer, *_ = community.households
    if function in ("reserve", "buy"):
        return buyer, (offer(community, seller)["post_id"],)
    wanted = request(community, buyer)["post_id"]
    if function == "request_to_sell":
        return seller, (wanted, seller.res_id)
    call(seller.client, "request_to_sell", wanted, seller.res_id)
    return buyer, (wanted,)


@pytest.mark.parametrize("function", TAKEN)
def test_a_post_with_the_terms_that_were_seen_is_taken(community, function) -> None:
    home, post = to_take(community, function)
    taken = call(home.client, function, *post, *TERMS)
    assert (taken["state"], taken["post_id"]) == (TAKEN[function], post[0])


@pytest.mark.parametrize("function", TAKEN)
@pytest.mark.parametrize("none", [(), ("",) * len(TERMS)], ids=["left out", "empty"])
def test_a_script_takes_a_post_by_its_id_alone(community, function, none) -> None:
    home, post = to_take(community, function)
    assert call(home.client, function, *post, *none)["state"] == TAKEN[function]


@pytest.mark.parametrize("function", TAKEN)
@pytest.mark.parametrize("other", OTHERS, ids=["hour", "energy", "price"])
def test_a_post_that_says_otherwise_is_refused(community, function, other) -> None:
    home, post = to_take(community, function)
    error = refuses(
        community, "TERMS_DIFFER", home.client, f"marketplace:{function}", *post, *other
    )
    assert error.status == 409
    assert f"{post[0]} says {LOT_WH} Wh in {HOUR} for {PRICE} utoken" in error.message
    assert call(home.client, function, *post, *TERMS)["state"] == TAKEN[function]


@pytest.mark.parametrize("function", TAKEN)
@pytest.mark.parametrize(("terms", "code", "about"), BAD)
def test_terms_that_are_none_are_refused(community, function, terms, code, about) -> None:
    home, post = to_take(community, function)
    error = refuses(community, code, home.client, f"marketplace:{function}", *post, *terms)
    assert about in error.message


def test_a_dearer_post_under_the_terms_of_another_costs_nobody_anything(
    community: Community,
) -> None:
    seller, buyer, _, rival = community.households
    cheap = offer(community, seller)
    dear = offer(community, rival, price_utoken=10 * PRICE)
    seen = (cheap["hour"], cheap["energy_wh"], cheap["price_utoken"])
    for function in ("reserve", "buy"):
        name = f"marketplace:{function}"
        refuses(community, "TERMS_DIFFER", buyer.client, name, dear["post_id"], *seen)
    assert locked(community, buyer) == 0


def test_who_holds_an_offer_is_told_first_that_it_says_otherwise(community: Community) -> None:
    buyer, post = to_take(community, "reserve")
    call(buyer.client, "reserve", *post, *TERMS)
    for function in ("reserve", "buy"):
        name = f"marketplace:{function}"
        refuses(community, "TERMS_DIFFER", buyer.client, name, *post, *OTHERS[-1])
    before = community.ledger.snapshot().state
    call(buyer.client, "reserve", *post, *TERMS)
    assert community.ledger.snapshot().state == before, "holding twice changes nothing"
    call(buyer.client, "buy", *post, *TERMS)
    assert locked(community, buyer) == PRICE, "the money is locked once"


def test_terms_that_differ_are_told_before_who_was_first(community: Community) -> None:
    seller, buyer, other, _ = community.households
    post_id = offer(community, seller)["post_id"]
    call(buyer.client, "reserve", post_id)
    name = "marketplace:buy"
    refuses(community, "TERMS_DIFFER", other.client, name, post_id, *OTHERS[-1])
    refuses(community, "RESERVED", other.client, name, post_id, *TERMS)
    refuses(community, "TERMS_DIFFER", seller.client, name, post_id, *OTHERS[-1])
    refuses(community, "SELF_TRADE", seller.client, name, post_id, *TERMS)
    pass_time(community, RESERVATION_MS)
    refuses(community, "TERMS_DIFFER", other.client, name, post_id, *OTHERS[-1])
    assert locked(community, buyer) == PRICE, "refused, nothing is given back either"
    call(other.client, "buy", post_id, *TERMS)
    assert (locked(community, buyer), locked(community, other)) == (0, PRICE)
