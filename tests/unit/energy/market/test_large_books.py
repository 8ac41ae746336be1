"""Books larger than one transaction: cleared page by page with the very result of one go."""

import random
from typing import Any

import pytest

from chaincode.energy.market import auction_pages
from chaincode.shim import ContractError
from tests.unit.energy.community import CAP, FLOOR, LISTING, Community, refuses

VALID = "VALID"
HOMES = 14


def trading(**parameters: Any) -> Community:
    """Many households with one to three orders each, gate closed."""
    rng = random.Random(11)
    community = Community.found()
    for _ in range(HOMES):
        community.join(tokens=10**8)
    hospital = community.households[3].idgrid
    chosen = {
        key: [hospital] if value == "hospital" else value for key, value in parameters.items()
    }
    community.open(**chosen)
    for number, home in enumerate(community.households):
        place = community.offer if number % 2 else community.bid
        for _ in range(rng.randrange(1, 4)):
            place(home, rng.randrange(1, 3000), rng.randrange(FLOOR, CAP, 7))
    community.ledger.at("2026-01-15T09:58:00Z")
    community.scheduler.submit("market:close_bidding", LISTING)
    return community


def paged(monkeypatch: pytest.MonkeyPatch, orders: int = 5) -> None:
    monkeypatch.setattr(auction_pages, "PAGE_ORDERS", orders)


def money(community: Community) -> list[tuple[int, int]]:
    accounts = [community.account(home) for home in community.households]
    return [(account["free_utoken"], account["locked_utoken"]) for account in accounts]


def matches(community: Community) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = community.manager.evaluate("auction:get_matches", LISTING)
    return found


def values(community: Community) -> dict[Any, bytes]:
    """Every key and its value, whatever transaction wrote it."""
    state = community.ledger.snapshot().state.values
    return {key: versioned.value for key, versioned in state.items()}


def clear_until_done(community: Community) -> int:
    """Call `market:clear` until the listing is cleared; how often it took."""
    calls = 0
    while community.manager.evaluate("market:get_listing", LISTING)["state"] != "CLEARED":
        community.scheduler.submit("market:clear", LISTING)
        calls += 1
    return calls


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"ration": "pro_rata", "rule": "average_bid"},
        {"line_limit_wh": 9000},
        {"regulated_price_utoken_per_kwh": 60_000, "priority_consumers": "hospital"},
    ],
)
def test_pages_give_the_result_of_one_transaction(
    parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    community = trading(**parameters)
    closed = community.ledger.snapshot()
    whole = community.scheduler.submit("market:clear", LISTING)
    at_once, balances = matches(community), money(community)
    assert whole["pages"] == []
    community.ledger.restore(closed)
    paged(monkeypatch)
    assert clear_until_done(community) > 12
    header = community.manager.evaluate("market:get_result", LISTING)
    assert len(header["pages"]) > 5
    own = {"pages", "matches", "not_executable", "excluded"}
    assert {k: v for k, v in header.items() if k not in own} == {
        k: v for k, v in whole.items() if k not in own
    }
    assert matches(community) == at_once == whole["matches"]
    assert money(community) == balances
    assert community.audit()["difference_utoken"] == 0
    some = community.households[5]
    mine = some.client.evaluate("auction:get_matches", LISTING, some.idgrid)
    assert mine == [match for match in at_once if match["idgrid"] == some.idgrid]


def test_all_pages_of_a_step_stand_in_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    community = trading()
    paged(monkeypatch)
    blocks = 0
    while calls := community.dso.evaluate("auction:steps", LISTING):
        simulated = [community.dso.simulate(name, *arguments) for name, *arguments in calls]
        assert community.ledger.commit(simulated) == [VALID] * len(calls)
        blocks += 1
    assert blocks == 4  # tally, decide, release, cleared
    assert sum(trade["energy_wh"] for trade in trades(community)) == quantity(community)
    assert community.manager.evaluate("market:get_listing", LISTING)["state"] == "CLEARED"
    flows = {home.idgrid: (20_000, 20_000) for home in community.households}
    community.deliver(flows)
    settled = community.settle()
    header = community.manager.evaluate("market:get_result", LISTING)
    assert settled["settled_wh"] == header["quantity_wh"] > 0
    audit = community.audit()
    assert (audit["difference_utoken"], audit["escrowed_utoken"]) == (0, 0)


def trades(community: Community) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = community.manager.evaluate("auction:get_trades", LISTING)
    return found


def quantity(community: Community) -> int:
    matched: int = community.manager.evaluate("market:get_result", LISTING)["quantity_wh"]
    return matched


def test_a_plan_that_sees_only_some_households_is_followed_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    community = trading()
    paged(monkeypatch)
    monkeypatch.setattr(auction_pages, "PLANNED_HOUSEHOLDS_MAX", 4)
    plans = 0
    while (calls := community.dso.evaluate("auction:steps", LISTING))[0][0] == "auction:tally":
        plans += 1
        for name, *arguments in calls:
            community.dso.submit(name, *arguments)
    assert plans > 2
    assert calls == [["market:clear", LISTING]]


def test_steps_of_anybody_may_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    community = trading()
    paged(monkeypatch)
    for name, *arguments in community.dso.evaluate("auction:steps", LISTING):
        community.dso.submit(name, *arguments)
        again = community.scheduler.simulate(name, *arguments)
        before = values(community)
        assert community.ledger.commit([again]) == [VALID]
        assert values(community) == before
    community.scheduler.submit("market:clear", LISTING)
    release = community.dso.evaluate("auction:steps", LISTING)[0]
    first = community.dso.submit(*release)
    balances = money(community)
    assert community.scheduler.submit(*release) == first
    assert money(community) == balances
    two = [community.dso.simulate("market:clear", LISTING) for _ in range(2)]
    assert community.ledger.commit(two) == [VALID, "MVCC_READ_CONFLICT"]


def test_a_page_that_begins_nowhere_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    community = trading()
    closed = community.ledger.snapshot()
    paged(monkeypatch)
    clear_until_done(community)
    header, balances = community.manager.evaluate("market:get_result", LISTING), money(community)
    community.ledger.restore(closed)
    community.dso.submit("auction:tally", LISTING, community.households[1].idgrid)
    community.dso.submit("auction:tally", LISTING, "VAL-0009")
    clear_until_done(community)
    assert community.manager.evaluate("market:get_result", LISTING) == header
    assert money(community) == balances


def test_a_large_book_must_be_closed_and_decided_first(monkeypatch: pytest.MonkeyPatch) -> None:
    community = Community.found()
    home = community.join()
    community.open()
    community.bid(home, 100, FLOOR)
    tally = ("auction:tally", LISTING, "")
    refuses(community, "NOT_CLOSED", community.dso, *tally)
    refuses(community, "ROLE_NOT_ALLOWED", home.client, *tally)
    refuses(community, "NOT_CLEARED", community.dso, "auction:release", LISTING, "")
    assert community.dso.evaluate("auction:steps", LISTING) == []


def test_settlement_waits_for_the_last_page(monkeypatch: pytest.MonkeyPatch) -> None:
    community = trading()
    paged(monkeypatch)
    while "pages" not in community.scheduler.submit("market:clear", LISTING):
        pass
    refuses(community, "UNKNOWN_PAGE", community.dso, "auction:release", LISTING, "nowhere")
    community.deliver({})
    with pytest.raises(ContractError, match="NOT_CLEARED"):
        community.settle()


def test_a_stopped_listing_releases_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    community = trading()
    paged(monkeypatch)
    while "pages" not in community.scheduler.submit("market:clear", LISTING):
        pass
    calls = community.dso.evaluate("auction:steps", LISTING)
    community.dso.submit(*calls[0])
    community.dso.submit("listings:stop", LISTING, "the line is down")
    refuses(community, "NOT_CLEARED", community.dso, *calls[1])
    audit = community.audit()
    assert (audit["difference_utoken"], audit["escrowed_utoken"]) == (0, 0)


def test_more_pages_than_a_decision_can_write_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    community = trading()
    paged(monkeypatch)
    monkeypatch.setattr(auction_pages, "PAGES_MAX", 2)
    with pytest.raises(ContractError, match="BOOK_TOO_LARGE"):
        clear_until_done(community)
