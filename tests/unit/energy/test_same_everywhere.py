"""The energy contracts give the same bytes in processes with different hash seeds."""

import pytest

from chaincode.shim.testing import TestLedger, run_twice
from tests.unit.energy.community import Community

LISTING = "2026-01-15T10"


def whole_hour() -> TestLedger:
    """Registration, orders, clearing, delivery, settlement and every query."""
    community = Community.found()
    homes = [community.join() for _ in range(5)]
    consumer = community.join(role="consumer")
    community.open()
    for number, home in enumerate(homes[2:]):
        community.offer(home, 1_000 + 300 * number, 40_000 + 1_000 * number)
    for home in (*homes[:2], consumer):
        community.bid(home, 1_200, 60_000)
    community.close_and_clear()
    community.deliver({home.idgrid: (700, 900) for home in (*homes, consumer)})
    community.settle()
    correct_and_state(community)
    ask = community.manager.evaluate
    ask("market:get_result", LISTING)
    ask("market:get_book", LISTING)
    ask("market:get_settlement", LISTING)
    ask("market:list_listings", "2026", "2027")
    ask("org.hyperledger.fabric:GetMetadata")
    for home in homes:
        ask("market:get_orders", LISTING, home.idgrid)
        ask("market:get_line", LISTING, home.idgrid)
        community.account(home)
    community.audit()
    return community.ledger


def correct_and_state(community: Community) -> None:
    """A dispute, a correction of everybody's line, and the statements of the month."""
    first, second, *_ = community.households
    first.client.submit("settlement:dispute", LISTING, "wrong")
    community.dso.submit("settlement:substitute", LISTING, second.idgrid, 400, 0, "read on site")
    community.dso.submit("settlement:correct", LISTING)
    community.dso.submit("settlement:decide_dispute", LISTING, first.idgrid, "UPHELD", "")
    community.ledger.at("2026-02-01T00:00:00Z")
    community.scheduler.submit("statements:issue", "2026-01")
    for home in community.households:
        community.manager.evaluate("settlement:reputation", home.idgrid)
        community.manager.evaluate("settlement:non_deliveries", home.idgrid)
        community.manager.evaluate("settlement:get_corrections", LISTING, home.idgrid)
        community.manager.evaluate("statements:get", home.idgrid, "2026-01")


@pytest.mark.slow
def test_a_whole_market_hour_is_the_same_under_two_hash_seeds() -> None:
    assert run_twice(whole_hour).calls > 70
