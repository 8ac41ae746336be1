"""Deals settle on what was delivered, once; money that waits is always freed."""

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.energy.community import Community, Household, hour_of, refuses
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
    to_hour_end,
)

SETTLE, CONFIRM, EXPIRE, RESOLVE = (
    "marketplace:settle",
    "marketplace:confirm",
    "marketplace:expire",
    "marketplace:resolve",
)


@pytest.fixture
def community() -> Community:
    return founded()


@pytest.fixture
def deal(community: Community) -> str:
    """The seller's lot, bought."""
    seller, buyer, *_ = community.households
    post_id: str = offer(community, seller)["post_id"]
    call(buyer.client, "buy", post_id)
    return post_id


@pytest.mark.parametrize(
    ("exported", "imported", "delivered", "paid"),
    [
        (4_000, 4_000, 4_000, 216_000),
        (5_000, 9_000, 4_000, 216_000),
        (3_200, 4_000, 3_200, 172_800),
        (4_000, 1_001, 1_001, 54_054),
        (0, 4_000, 0, 0),
    ],
)
def test_what_was_delivered_is_paid_and_the_rest_returned(
    community: Community, deal: str, exported: int, imported: int, delivered: int, paid: int
) -> None:
    seller, buyer, *_ = community.households
    had = free(community, seller), free(community, buyer)
    flow(community, {seller.idgrid: (0, exported), buyer.idgrid: (imported, 0)})
    settled = call(buyer.client, "settle", deal)
    assert (settled["delivered_wh"], settled["paid_utoken"]) == (delivered, paid)
    assert settled["delivery"] == "metered"
    assert (settled["seller_idgrid"], settled["buyer_idgrid"]) == (seller.idgrid, buyer.idgrid)
    assert free(community, seller) == had[0] + paid
    assert free(community, buyer) == had[1] + PRICE - paid
    assert locked(community, buyer) == 0
    assert community.audit()["difference_utoken"] == 0
    name, facts = last_event(community)
    assert (name, facts["refunded_utoken"]) == ("DealSettled", PRICE - paid)
    refuses(community, "ALREADY_SETTLED", seller.client, SETTLE, deal)
    refuses(community, "ALREADY_SETTLED", buyer.client, CONFIRM, deal, 1)


def test_of_two_settlements_in_one_block_one_is_valid(community: Community, deal: str) -> None:
    seller, buyer, *_ = community.households
    flow(community, {seller.idgrid: (0, LOT_WH), buyer.idgrid: (LOT_WH, 0)})
    both = [home.client.simulate(SETTLE, deal) for home in (seller, buyer)]
    assert community.ledger.commit(both) == ["VALID", "MVCC_READ_CONFLICT"]
    assert community.audit()["difference_utoken"] == 0


def test_who_may_settle_and_when(community: Community, deal: str) -> None:
    seller, _, stranger, _ = community.households
    refuses(community, "NOT_YOURS", stranger.client, SETTLE, deal)
    refuses(community, "TOO_EARLY", seller.client, SETTLE, deal)
    refuses(community, "ROLE_NOT_ALLOWED", auditor(community), SETTLE, deal)
    open_offer = offer(community, seller)["post_id"]
    to_hour_end(community)
    refuses(community, "NOT_PURCHASED", seller.client, SETTLE, open_offer)
    refuses(community, "READINGS_MISSING", community.oracle, SETTLE, deal)


def auditor(community: Community) -> Any:
    return community.ledger.client("CoopMSP", "auditor", attributes={"role": "auditor"})


def test_one_metered_kwh_serves_one_deal_only(community: Community) -> None:
    seller, one, two, _ = community.households
    deals = [offer(community, seller, energy_wh=wh)["post_id"] for wh in (6_000, 2_000)]
    for post_id, buyer in zip(deals, (one, two), strict=True):
        call(buyer.client, "buy", post_id)
    flow(
        community,
        {seller.idgrid: (0, 4_000), one.idgrid: (6_000, 0), two.idgrid: (2_000, 0)},
    )
    delivered = {post_id: call(seller.client, "settle", post_id) for post_id in reversed(deals)}
    assert [delivered[post_id]["delivered_wh"] for post_id in deals] == [3_000, 1_000]
    assert community.audit()["difference_utoken"] == 0


def test_the_auction_of_the_hour_comes_first_and_its_energy_is_not_counted_again(
    community: Community,
) -> None:
    seller, buyer, *_ = community.households
    community.open(opens_at_ms=0)
    post_id = offer(community, seller, energy_wh=2_000, price_utoken=100_000)["post_id"]
    call(buyer.client, "buy", post_id)
    community.offer(seller, 3_000, 40_000)
    community.bid(buyer, 3_000, 60_000)
    community.close_and_clear()
    flow(community, {seller.idgrid: (0, 4_000), buyer.idgrid: (9_000, 0)})
    refuses(community, "NOT_SETTLED", seller.client, SETTLE, post_id)
    assert community.settle()["settled_wh"] == 3_000
    settled = call(seller.client, "settle", post_id)
    assert (settled["delivered_wh"], settled["paid_utoken"]) == (1_000, 50_000)
    assert community.audit()["difference_utoken"] == 0


def test_an_auction_that_waits_for_readings_comes_first_all_the_same(
    community: Community,
) -> None:
    seller, buyer, other, silent = community.households
    community.open(opens_at_ms=0)
    post_id = offer(community, seller)["post_id"]
    call(buyer.client, "buy", post_id)
    community.offer(seller, LOT_WH, 40_000)
    community.offer(silent, 1_000, 30_000)
    community.bid(other, LOT_WH + 1_000, 60_000)
    community.close_and_clear()
    homes, community.households = community.households, [seller, buyer, other]
    flow(
        community,
        {seller.idgrid: (0, LOT_WH), buyer.idgrid: (LOT_WH, 0), other.idgrid: (LOT_WH, 0)},
    )
    community.households = homes
    to_hour_end(community, minutes=15)
    assert community.settle()["state"] == "DISPUTED"
    assert call(seller.client, "settle", post_id)["state"] == "DISPUTED"
    refuses(community, "READINGS_MISSING", seller.client, SETTLE, post_id)
    to_hour_end(community, minutes=24 * 60 + 15)
    refuses(community, "NOT_SETTLED", buyer.client, EXPIRE, post_id)
    assert community.settle()["settled_wh"] == LOT_WH
    ended = call(buyer.client, "expire", post_id)
    assert (ended["delivered_wh"], ended["paid_utoken"]) == (0, 0)
    assert community.account(seller)["sold_wh"] == LOT_WH


def test_a_deal_whose_auction_nobody_ever_settles_is_undone(community: Community) -> None:
    seller, buyer, other, _ = community.households
    community.open(opens_at_ms=0)
    post_id = offer(community, seller)["post_id"]
    call(buyer.client, "buy", post_id)
    community.offer(seller, 1_000, 40_000)
    community.bid(other, 1_000, 60_000)
    community.close_and_clear()
    flow(community, {seller.idgrid: (0, LOT_WH), buyer.idgrid: (LOT_WH, 0)})
    to_hour_end(community, minutes=2 * 24 * 60 + 2)
    refuses(community, "NOT_SETTLED", buyer.client, EXPIRE, post_id)
    to_hour_end(community, minutes=2 * 24 * 60 + 3)
    assert call(buyer.client, "expire", post_id)["state"] == "REFUNDED"
    assert locked(community, buyer) == 0


def test_what_a_group_sold_for_a_member_is_not_sold_again_in_a_deal(community: Community) -> None:
    seller, buyer, other, partner = community.households
    community.open(opens_at_ms=0)
    post_id = offer(community, seller)["post_id"]
    call(buyer.client, "buy", post_id)
    seller.client.submit("groups:found", "vpp:two", "")
    seller.client.submit("groups:join", "vpp:two", 1)
    seller.client.submit("groups:invite", "vpp:two", partner.idgrid, 1)
    partner.client.submit("groups:join", "vpp:two", 1)
    order = ("groups:place_offer", "vpp:two", HOUR, partner.res_id, 6_000, 40_000)
    seller.client.submit(*order)
    community.bid(other, 6_000, 60_000)
    community.close_and_clear()
    flow(
        community,
        {
            seller.idgrid: (0, LOT_WH),
            partner.idgrid: (0, LOT_WH),
            buyer.idgrid: (LOT_WH, 0),
            other.idgrid: (6_000, 0),
        },
    )
    community.settle()
    settled = call(seller.client, "settle", post_id)
    assert settled["delivered_wh"] == LOT_WH - 3_000  # the group sold 3 of its 4 kWh
    assert community.audit()["difference_utoken"] == 0


def test_an_auction_of_a_neighbouring_hour_that_overlaps_counts_too(community: Community) -> None:
    seller, buyer, *_ = community.households
    begin = int(hour_of(HOUR).timestamp()) * 1000
    half_ms = 30 * 60_000
    community.open(
        "2026-01-15T09",
        preset="custom",
        opens_at_ms=begin - 2 * half_ms,
        gate_closure_ms=begin - half_ms,
        delivery_start_ms=begin - half_ms,
        delivery_end_ms=begin + half_ms,
        settlement_end_ms=begin + half_ms,
    )
    post_id = offer(community, seller)["post_id"]
    call(buyer.client, "buy", post_id)
    flow(community, {seller.idgrid: (0, LOT_WH), buyer.idgrid: (LOT_WH, 0)})
    refuses(community, "NOT_SETTLED", seller.client, SETTLE, post_id)


def test_without_readings_both_parties_agree_on_what_came(community: Community, deal: str) -> None:
    seller, buyer, stranger, _ = community.households
    had = free(community, seller)
    refuses(community, "TOO_EARLY", buyer.client, CONFIRM, deal, 1)
    to_hour_end(community)
    refuses(community, "NOT_YOURS", stranger.client, CONFIRM, deal, LOT_WH)
    refuses(community, "INVALID_ARGUMENT", buyer.client, CONFIRM, deal, LOT_WH + 1)
    admitted = call(buyer.client, "confirm", deal, 1_000)
    assert (admitted["state"], admitted["admitted_wh"]) == ("PURCHASED", 1_000)
    assert last_event(community)[0] == "DeliveryStated"
    assert call(seller.client, "confirm", deal, 1_001)["state"] == "PURCHASED"
    confirmed = call(seller.client, "confirm", deal, 1_000)
    assert (confirmed["delivery"], confirmed["paid_utoken"]) == ("confirmed", 54_000)
    assert free(community, seller) == had + 54_000
    assert community.audit()["difference_utoken"] == 0


@pytest.mark.parametrize(("speaker", "said_wh", "paid"), [(1, LOT_WH, PRICE), (0, 0, 0)])
def test_who_speaks_against_its_own_interest_is_believed_at_once(
    community: Community, deal: str, speaker: int, said_wh: int, paid: int
) -> None:
    to_hour_end(community)
    told = call(community.households[speaker].client, "confirm", deal, said_wh)
    assert (told["state"], told["paid_utoken"]) == ("SETTLED", paid)


def test_a_buyer_cannot_deny_a_delivery_before_the_readings_come(
    community: Community, deal: str
) -> None:
    seller, buyer, *_ = community.households
    had = free(community, seller)
    to_hour_end(community)
    assert call(buyer.client, "confirm", deal, 0)["state"] == "PURCHASED"
    report_late(community, seller, buyer)
    assert call(seller.client, "settle", deal)["paid_utoken"] == PRICE
    assert free(community, seller) == had + PRICE


def test_what_a_buyer_admitted_is_paid_when_nothing_else_is_ever_known(
    community: Community, deal: str
) -> None:
    seller, buyer, *_ = community.households
    had = free(community, seller)
    to_hour_end(community)
    call(buyer.client, "confirm", deal, 3_000)
    to_hour_end(community, minutes=24 * 60 + 15)
    ended = call(buyer.client, "expire", deal)
    assert (ended["state"], ended["delivery"]) == ("SETTLED", "confirmed")
    assert free(community, seller) == had + PRICE * 3 // 4
    assert locked(community, buyer) == 0


def test_where_meters_speak_nobody_confirms(community: Community, deal: str) -> None:
    seller, buyer, *_ = community.households
    flow(community, {seller.idgrid: (0, LOT_WH), buyer.idgrid: (LOT_WH, 0)})
    refuses(community, "METERED", buyer.client, CONFIRM, deal, 0)


def test_missing_readings_wait_then_are_disputed_then_decided(
    community: Community, deal: str
) -> None:
    seller, _, _, _ = community.households
    had = free(community, seller)
    to_hour_end(community, minutes=14)
    refuses(community, "READINGS_MISSING", community.scheduler, SETTLE, deal)
    refuses(community, "NOT_DISPUTED", community.manager, RESOLVE, deal, 1)
    to_hour_end(community, minutes=15)
    assert call(community.scheduler, "settle", deal)["state"] == "DISPUTED"
    assert last_event(community)[0] == "DealDisputed"
    refuses(community, "READINGS_MISSING", community.scheduler, SETTLE, deal)
    refuses(community, "ROLE_NOT_ALLOWED", community.scheduler, RESOLVE, deal, 1)
    decided = call(community.dso, "resolve", deal, 2_000)
    assert (decided["delivery"], decided["paid_utoken"]) == ("decided", PRICE // 2)
    assert free(community, seller) == had + PRICE // 2
    assert community.audit()["difference_utoken"] == 0


def test_late_readings_settle_a_disputed_deal(community: Community, deal: str) -> None:
    seller, buyer, *_ = community.households
    to_hour_end(community, minutes=20)
    call(seller.client, "settle", deal)
    report_late(community, seller, buyer)
    assert call(buyer.client, "settle", deal)["paid_utoken"] == PRICE


def report_late(community: Community, seller: Household, buyer: Household) -> None:
    """Readings of both ends of the hour; the lot went from the seller to the buyer."""
    start = hour_of(HOUR)
    readings = []
    for home in community.households:
        readings.append(home.reading(int(start.timestamp()) * 1000))
        home.import_wh += 4_000 if home is buyer else 0
        home.export_wh += 4_000 if home is seller else 0
        readings.append(home.reading(int((start + timedelta(hours=1)).timestamp()) * 1000))
    community.oracle.submit("oracle:report_readings", readings)


def test_no_escrow_is_ever_stuck(community: Community, deal: str) -> None:
    seller, buyer, other, rival = community.households
    asked = request(community, other)["post_id"]
    unasked = request(community, other, energy_wh=1_000)["post_id"]
    held = offer(community, seller)["post_id"]
    call(rival.client, "request_to_sell", asked, rival.res_id)
    call(other.client, "reserve", held)
    refuses(community, "TOO_EARLY", rival.client, EXPIRE, held)
    community.ledger.at(hour_of(HOUR))
    refuses(community, "TOO_EARLY", rival.client, EXPIRE, deal)
    for post_id in (asked, unasked, held):
        expired = call(rival.client, "expire", post_id)
        assert (expired["state"], last_event(community)[0]) == ("EXPIRED", "PostExpired")
        before = community.ledger.snapshot().state
        call(rival.client, "expire", post_id)
        assert community.ledger.snapshot().state == before
    assert locked(community, other) == 0
    assert label(community, other, {"post_id": held}) == "Expired"
    to_hour_end(community, minutes=24 * 60 + 14)
    refuses(community, "TOO_EARLY", buyer.client, EXPIRE, deal)
    to_hour_end(community, minutes=24 * 60 + 15)
    refunded = call(community.scheduler, "expire", deal)
    assert (refunded["state"], refunded["delivery"]) == ("REFUNDED", "unproven")
    assert last_event(community)[0] == "DealRefunded"
    refuses(community, "ALREADY_SETTLED", seller.client, SETTLE, deal)
    assert [locked(community, home) for home in community.households] == [0, 0, 0, 0]
    assert community.ledger.keys("escrow~") == []
    assert community.audit()["difference_utoken"] == 0


def test_readings_decide_even_when_nobody_settled_in_time(community: Community, deal: str) -> None:
    seller, buyer, *_ = community.households
    flow(community, {seller.idgrid: (0, LOT_WH), buyer.idgrid: (LOT_WH, 0)})
    to_hour_end(community, minutes=2 * 24 * 60)
    settled = call(community.manager, "expire", deal)
    assert (settled["state"], settled["paid_utoken"]) == ("SETTLED", PRICE)
