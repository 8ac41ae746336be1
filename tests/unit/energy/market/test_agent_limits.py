"""An agent's key orders within the limits its household wrote on the ledger, and never beyond."""

import pytest

from chaincode.energy.market.agent_limits import problem_with
from chaincode.energy.market.records import MarketOrder
from chaincode.energy.registry.records import AgentLimits
from chaincode.energy.registry.signers import RECOVERY_COOL_DOWN_MS
from tests.unit.energy.community import HASH, LISTING, Community, Household, milliseconds, refuses
from tests.unit.energy.registry.test_signers import device, fingerprint, signers

DAY_MS = 24 * 60 * 60 * 1000
LATER = "2026-01-15T11"
PRICE = 50_000


@pytest.fixture
def community() -> Community:
    founded = Community.found()
    founded.join()
    founded.join()
    return founded


def limits(community: Community, **changes) -> dict:
    return {
        "bid_price_max_utoken_per_kwh": PRICE,
        "offer_price_min_utoken_per_kwh": 40_000,
        "hour_wh_max": 1_000,
        "day_wh_max": 1_500,
        "until_ms": milliseconds(community.ledger.now) + DAY_MS,
    } | changes


def with_agent(community: Community, home: Household, **changes):
    agent = device(community, home, f"agent-{home.idgrid}")
    home.client.submit("signers:add_agent", fingerprint(agent), limits(community, **changes))
    return agent


def opened(community: Community, *listing_ids: str) -> None:
    for listing_id in listing_ids or (LISTING, LATER):
        community.open(listing_id, opens_at_ms=0)
    community.ledger.advance(minutes=1)


def test_an_agent_bids_within_price_hour_and_day(community: Community) -> None:
    home = community.households[0]
    agent = with_agent(community, home)
    opened(community)
    assert signers(community, home)[fingerprint(agent)]["limits"]["day_wh_max"] == 1_500
    bid = ("market:place_bid", LISTING)
    refuses(community, "AGENT_LIMIT", agent, *bid, 500, PRICE + 1)
    refuses(community, "AGENT_LIMIT", agent, *bid, 1_001, PRICE)
    agent.submit(*bid, 600, PRICE)
    refuses(community, "AGENT_LIMIT", agent, *bid, 401, PRICE)
    agent.submit(*bid, 400, PRICE)
    refuses(community, "AGENT_LIMIT", agent, "market:place_bid", LATER, 501, PRICE)
    agent.submit("market:place_bid", LATER, 500, PRICE)
    home.client.submit(*bid, 5_000, PRICE + 1)  # the limits are of the agent's key
    placed = community.manager.evaluate("market:get_orders", LISTING, home.idgrid)
    assert sorted(order["energy_wh"] for order in placed) == [400, 600, 5_000]


def test_an_agent_offers_from_its_lowest_price_on_or_nothing(community: Community) -> None:
    home, other = community.households
    agent, buyer = (
        with_agent(community, home),
        with_agent(community, other, offer_price_min_utoken_per_kwh=None),
    )
    opened(community)
    refuses(
        community, "AGENT_LIMIT", agent, "market:place_offer", LISTING, home.res_id, 500, 39_999
    )
    agent.submit("market:place_offer", LISTING, home.res_id, 500, 40_000)
    refuses(
        community, "AGENT_LIMIT", buyer, "market:place_offer", LISTING, other.res_id, 1, 40_000
    )


def test_what_it_carries_out_of_a_standing_order_counts_too(community: Community) -> None:
    home = community.households[0]
    agent = with_agent(community, home)
    standing = {
        "side": "bid",
        "energy_wh": 800,
        "price_utoken_per_kwh": PRICE,
        "until_ms": 4_000_000_000_000,
        "budget_utoken": 10**9,
    }
    placed = home.client.submit("standing:place", standing)
    opened(community)
    carry_out = ("standing:carry_out", LISTING, home.idgrid, placed["standing_id"])
    assert agent.submit(*carry_out)["is_new"]
    refuses(community, "AGENT_LIMIT", agent, "market:place_bid", LISTING, 201, PRICE)
    later = ("standing:carry_out", LATER, home.idgrid, placed["standing_id"])
    refuses(community, "AGENT_LIMIT", agent, *later)
    assert community.scheduler.submit(*later)["is_new"]


def test_it_does_nothing_else_and_nothing_after_its_time_or_switched_off(
    community: Community,
) -> None:
    home = community.households[0]
    agent = with_agent(community, home)
    opened(community)
    bid = ("market:place_bid", LISTING, 100, PRICE)
    own = home.client.submit(*bid)
    for call in (
        ("orders:cancel", LISTING, own["order_id"]),
        ("standing:place", {}),
        ("signers:add", HASH),
        ("signers:add_agent", HASH, limits(community)),
        ("signers:revoke", home.idgrid, fingerprint(home.client)),
        ("membership:consent", HASH),
        ("tokens:account", home.idgrid),
    ):
        refuses(community, "KEY_NOT_ACTIVE", agent, *call)
    agent.submit(*bid)
    home.client.submit("signers:revoke", home.idgrid, fingerprint(agent))
    refuses(community, "KEY_NOT_ACTIVE", agent, *bid)
    again = device(community, home, "second")
    until_ms = milliseconds(community.ledger.now) + 60_000
    home.client.submit(
        "signers:add_agent", fingerprint(again), limits(community, until_ms=until_ms)
    )
    again.submit(*bid)
    community.ledger.advance(minutes=1)
    refuses(community, "KEY_NOT_ACTIVE", again, *bid)


def test_a_recovery_ends_it_and_undoing_that_brings_it_back(community: Community) -> None:
    home = community.households[0]
    agent = with_agent(community, home, until_ms=milliseconds(community.ledger.now) + 9 * DAY_MS)
    new = device(community, home, "new")
    before = signers(community, home)
    community.manager.submit("signers:recover", home.idgrid, fingerprint(new))
    home.client.submit("signers:revoke", home.idgrid, fingerprint(new))
    assert signers(community, home) == before
    community.manager.submit("signers:recover", home.idgrid, fingerprint(new))
    community.ledger.advance(seconds=RECOVERY_COOL_DOWN_MS // 1000)
    opened(community, "2026-01-17T10")
    bid = ("market:place_bid", "2026-01-17T10", 100, PRICE)
    refuses(community, "KEY_NOT_ACTIVE", agent, *bid)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"hour_wh_max": 0}, "NOT_POSITIVE"),
        ({"day_wh_max": -1}, "NOT_POSITIVE"),
        ({"offer_price_min_utoken_per_kwh": 0}, "NOT_POSITIVE"),
        ({"until_ms": 1}, "INVALID_ARGUMENT"),
        ({"until_ms": "soon"}, "INVALID_ARGUMENT"),
        ({"bid_price_max_utoken_per_kwh": -1}, "INVALID_ARGUMENT"),
        ({"also": 1}, "INVALID_ARGUMENT"),
    ],
)
def test_limits_that_are_none_are_refused(community: Community, changes: dict, code: str) -> None:
    home = community.households[0]
    call = ("signers:add_agent", HASH, limits(community, **changes))
    refuses(community, code, home.client, *call)


def test_an_agent_that_may_bid_nothing_bids_nothing() -> None:
    none = AgentLimits(0, None, 1, 1, until_ms=1)
    order = MarketOrder("o", LISTING, "i", "bid", 1, 1, None)
    assert problem_with(none, order, {LISTING: 1}) == "it may bid 0 at most, not 1"
