"""What the demo's community agrees on beside its auction, and what its neighbours deal."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import pytest

from chaincode.energy.hours import DAY_MS
from gateway.agent.household import Household
from gateway.agent.strategy import apart_from
from gateway.demo.direct_deals import DEAL_MIN_WH, DirectDeals, lot_utoken
from gateway.demo.tariffs import coming_month_ms, equal_parts, next_slot_ms
from gateway.hems.profiles import DEMO_START, load_profiles
from gateway.local_time import LocalTime
from gateway.timetable.market_clock import MarketClock
from tests.unit.energy import community as street

LOCAL = LocalTime(timezone(timedelta(hours=-7)))
CLOCK = MarketClock(first_delivery_ms=10_000, hour_ms=4_000, first_hour=DEMO_START)


def ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1000


class Signing:
    """A household's way to the test ledger instead of a gateway; keeps what it signed."""

    def __init__(self, member: street.Household, community: street.Community) -> None:
        self._member, self._ledger = member, community.ledger
        self.signed: list[tuple[str, ...]] = []

    async def submit(self, function: str, args: Sequence[str], *, wait: bool) -> str:
        assert wait, "the next step needs this one on the ledger"
        self.signed.append((function, *args))
        simulation = self._member.client.simulate(function, *args)
        self._ledger.commit_valid(simulation)
        return simulation.tx_id


def household(number: int, res_id: str = "pv", client: Signing | None = None) -> Household:
    """One that decides; without a client it has nobody to send anything to."""
    profiles = load_profiles()
    return Household(
        idgrid=f"FON-{number}",
        res_id=res_id,
        home=profiles.homes[number - 1],
        profiles=profiles,
        client=client,
    )


@pytest.mark.parametrize("past_ms", [0, 1, 899_999])
def test_a_sharing_key_begins_with_the_next_quarter_of_an_hour(past_ms):
    assert next_slot_ms(ms(2026, 11, 22, 3) + past_ms) == ms(2026, 11, 22, 3, 15)


def test_what_is_announced_begins_on_the_first_of_a_month_at_least_a_day_away():
    assert coming_month_ms(ms(2026, 11, 22), LOCAL) == ms(2026, 12, 1, 7)
    assert coming_month_ms(ms(2026, 12, 1, 7), LOCAL) == ms(2027, 1, 1, 7)
    shortly_before = ms(2026, 12, 1, 7) - 1
    assert coming_month_ms(shortly_before, LOCAL) - shortly_before > DAY_MS


@pytest.mark.parametrize("members", [1, 2, 3, 17])
def test_equal_parts_are_the_whole(members):
    parts = equal_parts([str(number) for number in range(members)])
    assert sum(parts.values()) == 1_000_000
    assert max(parts.values()) - min(parts.values()) <= 1


def test_what_is_kept_apart_brings_a_surplus_and_a_deficit_towards_nothing_not_beyond():
    assert apart_from(900, 200) == 700
    assert apart_from(-900, 200) == -700
    assert apart_from(100, 200) == apart_from(-100, 200) == 0


def test_neighbours_deal_where_one_has_what_the_other_needs_and_only_they_keep_it_apart():
    seller, buyer, third = (household(number) for number in (1, 2, 3))
    deals = DirectDeals(seller=seller, buyer=buyer, say=print)
    first, fourth = CLOCK.hour(0), CLOCK.hour(3)
    least = min(seller.net_wh(first.delivery_start), -buyer.net_wh(first.delivery_start))
    assert DEAL_MIN_WH <= deals.lot_wh(first) == least // 4
    assert deals.apart_wh(seller, first) == deals.apart_wh(buyer, first) == deals.lot_wh(first)
    assert deals.apart_wh(third, first) == 0
    assert seller.net_wh(fourth.delivery_start) < 0
    assert deals.lot_wh(fourth) == deals.apart_wh(seller, fourth) == 0
    asyncio.run(deals.strike(fourth))  # nothing is offered, nothing is to be settled
    asyncio.run(deals.settle(fourth))


def test_the_buyer_signs_the_terms_that_it_was_offered():
    hour = CLOCK.hour(0)
    before = hour.delivery_start - timedelta(hours=1)
    community = street.Community.found(start=before.isoformat())
    clients = [Signing(community.join(), community) for _ in range(2)]
    seller, buyer = (
        household(number, community.households[number - 1].res_id, client)
        for number, client in enumerate(clients, start=1)
    )
    said: list[str] = []
    deals = DirectDeals(seller=seller, buyer=buyer, say=said.append)
    asyncio.run(deals.strike(hour))

    page = community.manager.evaluate("marketplace:list_posts", hour.listing_id)
    (post,) = page["posts"]
    energy_wh = deals.lot_wh(hour)
    terms = (hour.listing_id, str(energy_wh), str(lot_utoken(energy_wh)))
    assert clients[1].signed == [("marketplace:buy", post["post_id"], *terms)]
    assert (post["state"], post["buyer_idgrid"]) == ("PURCHASED", community.households[1].idgrid)
    assert post["post_id"] in said[0]
