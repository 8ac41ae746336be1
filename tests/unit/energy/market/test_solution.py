"""Solutions from off the chain: the right one clears the listing, any other is refused."""

import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from chaincode.energy.market.book import build_book
from chaincode.energy.market.clearing import RATIONS, Ration, clear_book
from chaincode.energy.market.solution import Solution, interval_of, problem_with
from tests.unit.energy.books import random_book
from tests.unit.energy.community import LISTING, Community, Household, refuses

FLOOR, CAP = 2000, 9000
PRICE = 54_000


@pytest.mark.parametrize("ration", RATIONS)
def test_only_the_clearing_itself_passes(ration: Ration) -> None:
    refused = traded = 0
    for seed in range(300):
        rng = random.Random(seed)
        orders = random_book(rng, orders=rng.randrange(2, 20), ticks=12, max_energy_wh=90)
        k = rng.choice((Fraction(0), Fraction(1, 2), Fraction(1)))
        options = {"k": k, "ration": ration, "floor_price": FLOOR, "cap_price": CAP}
        right = clear_book(orders, **options)
        book = build_book(orders, floor_price=FLOOR, cap_price=CAP)
        solution = Solution(right.price_utoken_per_kwh, right.allocations)
        assert problem_with(solution, book, k=k, ration=ration) is None, seed
        assert interval_of(solution, book) == right.price_interval
        traded += right.quantity_wh > 0
        for wrong in changed(rng, solution, [*book.bids.order_ids, *book.offers.order_ids]):
            assert problem_with(wrong, book, k=k, ration=ration) is not None, (seed, wrong)
            refused += 1
    assert traded > 150
    assert refused > 1000


def changed(rng: random.Random, right: Solution, names: list[str]) -> list[Solution]:
    """Solutions that differ from the right one."""
    wrong = [Solution((right.price_utoken_per_kwh or 5000) + 1, right.allocations)]
    wrong.append(replace(right, allocations={**right.allocations, "nobody": 1}))
    for name in rng.sample(names, min(3, len(names))):
        more = right.allocations.get(name, 0) + rng.choice((1, 7))
        wrong.append(replace(right, allocations={**right.allocations, name: more}))
    given = list(right.allocations)
    if given:
        less = {**right.allocations, given[0]: right.allocations[given[0]] - 1}
        wrong += [replace(right, allocations=less), Solution(None, {})]
        wrong.append(replace(right, allocations=dict.fromkeys(given, 1) | {given[0]: 2}))
    return wrong


def closed() -> tuple[Community, list[Household], dict[str, Any]]:
    """A closed listing, and what clearing it would give."""
    community = Community.found()
    sellers = [community.join(tokens=0) for _ in range(2)]
    buyers = [community.join(role="consumer") for _ in range(2)]
    community.open()
    for seller, price in zip(sellers, (30_000, 40_000), strict=True):
        community.offer(seller, 3000, price)
    for buyer in buyers:
        community.bid(buyer, 4000, PRICE)
    before = community.ledger.snapshot()
    result = community.close_and_clear()
    community.ledger.restore(before)
    community.ledger.at("2026-01-15T09:58:00Z")
    community.scheduler.submit("market:close_bidding", LISTING)
    return community, [*sellers, *buyers], result


@pytest.mark.row("E050")
def test_a_solvers_answer_is_checked_and_an_operators_approval_waited_for() -> None:
    community, _, result = closed()
    allocations = {match["order_id"]: match["matched_wh"] for match in result["matches"]}
    right = {"price_utoken_per_kwh": PRICE, "allocations": allocations}
    submit = "auction:submit_solution"
    wrong_price = right | {"price_utoken_per_kwh": PRICE - 1}
    refuses(community, "WRONG_SOLUTION", community.scheduler, submit, LISTING, wrong_price)
    first = next(iter(allocations))
    for energy_wh in (allocations[first] - 1, allocations[first] + 1):
        other = right | {"allocations": allocations | {first: energy_wh}}
        refuses(community, "WRONG_SOLUTION", community.scheduler, submit, LISTING, other)
    nothing = {"price_utoken_per_kwh": None, "allocations": {}}
    refuses(community, "WRONG_SOLUTION", community.scheduler, submit, LISTING, nothing)
    stored = community.scheduler.submit(submit, LISTING, right)
    assert stored == result | {"solved_by": "submitted"}
    assert community.audit()["difference_utoken"] == 0

    community, big, request = large_order()
    pending = big.client.evaluate("auction:get_pending", LISTING, big.idgrid)
    assert [(p["status"], p["order_id"]) for p in pending] == [("pending", "")]
    assert community.manager.evaluate("market:get_book", LISTING)["bid_count"] == 0
    order = community.dso.submit("auction:approve_order", LISTING, big.idgrid, request)
    assert (order["energy_wh"], order["side"]) == (25_000, "bid")
    assert community.manager.evaluate("market:get_book", LISTING)["wanted_wh"] == 25_000
    [approved] = big.client.evaluate("auction:get_pending", LISTING, big.idgrid)
    assert (approved["status"], approved["order_id"]) == ("approved", order["order_id"])
    assert community.account(big)["locked_utoken"] == 25 * PRICE


def large_order() -> tuple[Community, Household, str]:
    """An order of 25 kWh where 10 are the most, waiting for approval."""
    community = Community.found()
    big = community.join(role="consumer", kind="non_residential")
    community.open()
    refuses(community, "CAP_EXCEEDED", big.client, "market:place_bid", LISTING, 25_000, PRICE)
    pending = big.client.submit("auction:request_order", LISTING, "bid", 25_000, PRICE)
    return community, big, pending["request_id"]


def test_nobody_but_the_grid_operator_approves_and_only_once() -> None:
    community, big, request = large_order()
    approve = ("auction:approve_order", LISTING, big.idgrid, request)
    refuses(community, "ROLE_NOT_ALLOWED", big.client, *approve)
    refuses(community, "ROLE_NOT_ALLOWED", community.scheduler, *approve)
    refuses(community, "UNKNOWN_ORDER", community.dso, *approve[:3], "other")
    community.dso.submit(*approve)
    refuses(community, "ALREADY_EXISTS", community.dso, *approve)
    other = community.join(role="consumer")
    refuses(community, "NOT_YOURS", other.client, "auction:get_pending", LISTING, big.idgrid)


def test_an_approval_after_the_gate_places_nothing() -> None:
    community, big, request = large_order()
    community.ledger.at("2026-01-15T09:58:00Z")
    approve = ("auction:approve_order", LISTING, big.idgrid, request)
    refuses(community, "BIDS_CLOSED", community.dso, *approve)
    assert community.close_and_clear()["matches"] == []


def test_solutions_are_for_closed_plain_listings() -> None:
    community = Community.found()
    home = community.join()
    community.open(rule="average_bid")
    community.bid(home, 100, PRICE)
    nothing = {"price_utoken_per_kwh": None, "allocations": {}}
    submit = ("auction:submit_solution", LISTING)
    refuses(community, "NOT_CLOSED", community.scheduler, *submit, nothing)
    community.ledger.at("2026-01-15T09:58:00Z")
    community.scheduler.submit("market:close_bidding", LISTING)
    refuses(community, "INVALID_ARGUMENT", community.scheduler, *submit, nothing)
    refuses(community, "ROLE_NOT_ALLOWED", home.client, *submit, nothing)


@pytest.mark.parametrize(
    "given",
    [
        {"allocations": []},
        {"price_utoken_per_kwh": "5", "allocations": {}},
        {"price_utoken_per_kwh": 5, "allocations": {"a": -1}},
        {"price_utoken_per_kwh": 5, "allocations": {"a": True}},
        {"price": 5, "allocations": {}},
    ],
)
def test_malformed_solutions_are_refused(given: dict[str, Any]) -> None:
    community, _, _ = closed()
    submit = ("auction:submit_solution", LISTING)
    refuses(community, "INVALID_ARGUMENT", community.scheduler, *submit, given)
