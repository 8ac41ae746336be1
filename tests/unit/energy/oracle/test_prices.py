"""Prices as time series: effective from, valid until, never changed behind anyone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.energy.oracle.prices import OBSERVED_PRICE_VALID_MS, in_force
from tests.unit.energy.community import COOP, DSO, UTILITY, Community, milliseconds, refuses
from tests.unit.energy.oracle.panel import ANSWER, REQUEST, name_panel, pass_time

PUBLISH, IN_FORCE, LIST = "oracle:publish_price", "oracle:price_in_force", "oracle:list_prices"
HOUR_MS = 3_600_000


@pytest.fixture
def community() -> Community:
    return Community.found()


def now_ms(community: Community) -> int:
    return milliseconds(community.ledger.now)


def test_a_new_price_takes_effect_when_it_says(community: Community) -> None:
    community.manager.submit(PUBLISH, "retail", 60_000, 0, 10 * HOUR_MS)
    later = now_ms(community) + HOUR_MS
    community.manager.submit(PUBLISH, "retail", 50_000, later, 10 * HOUR_MS)
    for instant, price in ((0, 60_000), (later - 1, 60_000), (later, 50_000)):
        found = community.manager.evaluate(IN_FORCE, "retail", instant)
        assert (found["price_utoken_per_kwh"], found["is_stale"]) == (price, False)
    page = community.manager.evaluate(LIST, "retail", 0, later + 1)
    assert [point["price_utoken_per_kwh"] for point in page] == [60_000, 50_000]


def test_series_do_not_touch_each_other(community: Community) -> None:
    community.manager.submit(PUBLISH, "retail", 60_000, 0, HOUR_MS)
    community.manager.submit(PUBLISH, "feed_in", 39_000, 0, HOUR_MS)
    assert community.dso.evaluate(IN_FORCE, "feed_in")["price_utoken_per_kwh"] == 39_000
    refuses(community, "UNKNOWN_PRICE", community.dso, IN_FORCE, "retail-2")


def test_a_price_is_stale_after_its_validity(community: Community) -> None:
    community.manager.submit(PUBLISH, "retail", 60_000, 0, HOUR_MS)
    pass_time(community, HOUR_MS)
    assert community.manager.evaluate(IN_FORCE, "retail")["is_stale"] is False
    pass_time(community, 1)
    assert community.manager.evaluate(IN_FORCE, "retail")["is_stale"] is True


def test_the_past_does_not_change(community: Community) -> None:
    community.manager.submit(PUBLISH, "retail", 60_000, 0, HOUR_MS)
    past = now_ms(community) - 1
    for start in (past, 0):
        arguments = (PUBLISH, "retail", 1, start, HOUR_MS)
        refuses(community, "PRICE_IN_THE_PAST", community.manager, *arguments)
    refuses(community, "NOT_POSITIVE", community.manager, PUBLISH, "retail", 1, past + 9, 0)
    refuses(community, "INVALID_ARGUMENT", community.manager, PUBLISH, "retail", -1, past + 9, 1)
    refuses(community, "ROLE_NOT_ALLOWED", community.scheduler, PUBLISH, "retail", 1, 0, 1)


def test_a_price_observed_outside_counts_for_a_limited_time(community: Community) -> None:
    oracles = name_panel(community)
    asked = community.manager.submit(REQUEST, "price", "retail")
    pass_time(community, 1_000)
    for member, value in ((UTILITY, 1), (COOP, 50_000), (DSO, 50_000)):
        oracles[member].submit(ANSWER, asked["request_id"], value)
    found = community.manager.evaluate(IN_FORCE, "retail")
    assert found["price_utoken_per_kwh"] == 50_000
    assert found["valid_until_ms"] == asked["at_ms"] + OBSERVED_PRICE_VALID_MS
    point = community.manager.evaluate(LIST, "retail", 0, now_ms(community) + 1)[0]
    assert point["request_id"] == asked["request_id"]


def test_an_observed_price_does_not_overtake_one_published_for_later(
    community: Community,
) -> None:
    oracles = name_panel(community)
    community.manager.submit(PUBLISH, "retail", 60_000, now_ms(community) + HOUR_MS, HOUR_MS)
    asked = community.manager.submit(REQUEST, "price", "retail")["request_id"]
    for member in (COOP, DSO):
        oracles[member].submit(ANSWER, asked, 50_000)
    refuses(community, "UNKNOWN_PRICE", community.manager, IN_FORCE, "retail")


def test_last_weeks_price_is_not_brought_back_by_asking_for_it(community: Community) -> None:
    oracles = name_panel(community)
    community.manager.submit(PUBLISH, "retail", 60_000, 0, 400 * HOUR_MS)
    published_ms = now_ms(community)
    pass_time(community, 10 * HOUR_MS)
    for at_ms in (published_ms - HOUR_MS, published_ms, now_ms(community) - HOUR_MS):
        asked = community.manager.submit(REQUEST, "price", "retail", at_ms)["request_id"]
        for member in (COOP, DSO):
            oracles[member].submit(ANSWER, asked, 1)
        found = community.manager.evaluate(IN_FORCE, "retail")
        assert (found["price_utoken_per_kwh"], found["is_stale"]) == (60_000, False)


@given(
    starts=st.lists(st.integers(0, 10**6), unique=True).map(sorted), at_ms=st.integers(0, 10**6)
)
def test_the_last_start_at_or_before_an_instant_is_in_force(starts: list[int], at_ms: int) -> None:
    expected = max((start for start in starts if start <= at_ms), default=None)
    assert in_force(starts, at_ms) == expected
