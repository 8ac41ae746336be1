"""Offers from a battery, compared with what the oracles agreed it holds."""

import pytest

from chaincode.energy.oracle.charge import CHARGE_VALID_MS
from chaincode.shim.testing import TestClient
from tests.unit.energy.community import Community, Household, refuses
from tests.unit.energy.marketplace.scene import HOUR, call
from tests.unit.energy.oracle.panel import agree, ask, name_panel, pass_time, with_battery

POST = "marketplace:post_offer"


@pytest.fixture
def community() -> Community:
    return Community.found(start="2026-01-15T08:00:00Z")


@pytest.fixture
def home(community: Community) -> Household:
    return community.join()


@pytest.fixture
def oracles(community: Community) -> dict[str, TestClient]:
    return name_panel(community)


def observe(
    community: Community, home: Household, oracles: dict[str, TestClient], stored_wh: int
) -> str:
    battery = "battery-0"
    agree(oracles, ask(community, home, "battery_soc", battery)["request_id"], stored_wh)
    return battery


def test_an_offer_a_battery_cannot_cover_is_refused(
    community: Community, home: Household, oracles: dict[str, TestClient]
) -> None:
    with_battery(community, home)
    wish = (POST, HOUR, "battery-0", 6_000, 100_000, "checked")
    refuses(community, "CHARGE_UNKNOWN", home.client, *wish)
    battery = observe(community, home, oracles, 5_999)
    error = refuses(community, "INSUFFICIENT_ENERGY", home.client, *wish)
    assert "insufficient energy" in error.message
    posted = call(home.client, "post_offer", HOUR, battery, 6_000, 100_000)
    assert posted["is_charge_checked"] is False, "an unchecked offer says so"


def test_energy_promised_here_counts_in_the_auction_and_the_other_way_round(
    community: Community, home: Household, oracles: dict[str, TestClient]
) -> None:
    battery = with_battery(community, home)
    community.open(opens_at_ms=0)
    observe(community, home, oracles, 10_000)
    post = call(home.client, "post_offer", HOUR, battery, 6_000, 100_000, "checked")
    auction = ("market:place_offer", HOUR, battery, 6_000, 50_000)
    refuses(community, "INSUFFICIENT_ENERGY", home.client, *auction)
    refuses(
        community, "INSUFFICIENT_ENERGY", home.client, POST, HOUR, battery, 4_001, 1, "checked"
    )
    call(home.client, "delete", post["post_id"])
    home.client.submit(*auction)
    refuses(
        community, "INSUFFICIENT_ENERGY", home.client, POST, HOUR, battery, 6_000, 1, "checked"
    )
    call(home.client, "post_offer", HOUR, battery, 4_000, 1, "checked")


def test_an_old_observation_does_not_count(
    community: Community, home: Household, oracles: dict[str, TestClient]
) -> None:
    battery = with_battery(community, home)
    observe(community, home, oracles, 10_000)
    pass_time(community, CHARGE_VALID_MS + 1)
    wish = (POST, HOUR, battery, 1_000, 1, "checked")
    refuses(community, "CHARGE_STALE", home.client, *wish)
    observe(community, home, oracles, 1_000)
    call(home.client, "post_offer", HOUR, battery, 1_000, 1, "checked")
