"""Offers from a battery in the auction: covered by what the oracles agreed it holds, or denied."""

import json

import pytest

from chaincode.shim.testing import TestClient
from tests.unit.energy.community import LISTING, Community, Household, refuses
from tests.unit.energy.oracle.panel import agree, ask, name_panel, with_battery

OFFER = "market:place_offer"


@pytest.fixture
def community() -> Community:
    return Community.found(start="2026-01-15T09:52:00Z")


@pytest.fixture
def home(community: Community) -> Household:
    home = community.join()
    with_battery(community, home)
    return home


@pytest.fixture
def oracles(community: Community) -> dict[str, TestClient]:
    return name_panel(community)


def observe(
    community: Community, home: Household, oracles: dict[str, TestClient], stored_wh: int
) -> None:
    agree(oracles, ask(community, home, "battery_soc", "battery-0")["request_id"], stored_wh)


def book(community: Community) -> tuple[int, int]:
    found = community.manager.evaluate("market:get_book", LISTING)
    return found["offer_count"], found["available_wh"]


@pytest.mark.row("E027")
def test_an_offer_above_what_the_battery_holds_is_denied_and_not_in_the_book(
    community: Community, home: Household, oracles: dict[str, TestClient]
) -> None:
    community.open()
    observe(community, home, oracles, 5_999)
    offer = (LISTING, "battery-0", 6_000, 50_000)
    error = refuses(community, "INSUFFICIENT_ENERGY", home.client, OFFER, *offer)
    assert (error.status, "insufficient energy" in error.message) == (409, True)
    home.client.submit("orders:request_offer", *offer)
    denied = community.ledger.events[-1]
    assert denied.name == "OfferDenied"
    assert json.loads(denied.payload)["reason"] == "insufficient energy"
    assert book(community) == (0, 0)
    observe(community, home, oracles, 6_000)
    home.client.submit(OFFER, *offer)
    assert book(community) == (1, 6_000)


@pytest.mark.row("E028")
def test_of_two_offers_of_six_kwh_from_ten_stored_the_second_is_denied(
    community: Community, home: Household, oracles: dict[str, TestClient]
) -> None:
    for hour in (LISTING, "2026-01-15T11"):
        community.open(hour, opens_at_ms=0)
    observe(community, home, oracles, 10_000)
    home.client.submit(OFFER, LISTING, "battery-0", 6_000, 50_000)
    second = (OFFER, "2026-01-15T11", "battery-0", 6_000, 50_000)
    refuses(community, "INSUFFICIENT_ENERGY", home.client, *second)
    home.client.submit(OFFER, "2026-01-15T11", "battery-0", 4_000, 50_000)
