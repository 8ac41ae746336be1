"""The timetable as members run it, on the shipped contracts and the ledger's own validator."""

import asyncio
import json
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from chaincode.energy.hours import HOUR_MS
from chaincode.shim import ContractError
from chaincode.shim.testing import TestClient
from gateway.errors import LedgerRefusal
from gateway.timetable.timetable import Timetable
from tests.unit.energy.community import (
    CAP,
    COOP,
    DSO,
    EPOCH,
    FLOOR,
    LISTING,
    UTILITY,
    Community,
    Household,
    hour_of,
    milliseconds,
)
from tests.unit.energy.market.test_sealed_orders import DEPOSIT, FORFEIT, hash_of, opening_of

PRICE = 54_000
DEFAULTS = {
    "preset": "energy_auction",
    "floor_utoken_per_kwh": FLOOR,
    "cap_utoken_per_kwh": CAP,
}


@dataclass
class LedgerActor:
    """An `Actor` on the test ledger: same calls, texts as arguments, JSON answers."""

    client: TestClient
    submitted: list[str] = field(default_factory=list)

    async def submit(self, function: str, *args: str) -> Any:
        self.submitted.append(function)
        return self._answer(self.client.submit, function, args)

    async def evaluate(self, function: str, *args: str) -> Any:
        return self._answer(self.client.evaluate, function, args)

    def _answer(self, call: Any, function: str, args: tuple[str, ...]) -> Any:
        assert all(isinstance(argument, str) for argument in args)
        try:
            return json.loads(json.dumps(call(function, *args)))
        except ContractError as error:
            text = f"chaincode response {error.status}, {error.code}: {error.message}"
            raise LedgerRefusal("UNKNOWN", text) from error


def runner(community: Community, mspid: str) -> tuple[Timetable, LedgerActor]:
    client = community.ledger.client(mspid, f"of {mspid}", attributes={"role": "scheduler"})
    actor = LedgerActor(client)
    return Timetable(actor, lambda: milliseconds(community.ledger.now)), actor


def states(community: Community) -> dict[str, str]:
    found = community.manager.evaluate("market:list_listings", "2026-01-15T00", "2026-01-16T00")
    return {listing["listing_id"]: listing["state"] for listing in found}


@pytest.fixture
def community() -> Community:
    founded = Community.found(start="2026-01-15T09:30:00Z")
    founded.join(tokens=2 * DEPOSIT)
    founded.join(role="consumer", tokens=2 * DEPOSIT)
    founded.manager.submit("listings:set_defaults", DEFAULTS)
    return founded


def standing(home: Household, side: str, energy_wh: int, price: int) -> None:
    order = {
        "side": side,
        "energy_wh": energy_wh,
        "price_utoken_per_kwh": price,
        "res_id": home.res_id if side == "offer" else "",
        "until_ms": milliseconds(hour_of(LISTING)) + 24 * HOUR_MS,
    }
    home.client.submit("standing:place", order)


@pytest.mark.row("E020")
def test_hours_open_trade_and_settle_without_anybody_doing_anything(community: Community) -> None:
    """Three members run it side by side; standing orders make the trades."""
    seller, buyer = community.households
    standing(seller, "offer", 3000, 40_000)
    standing(buyer, "bid", 2000, PRICE)
    runners = [runner(community, mspid) for mspid in (COOP, DSO, UTILITY)]
    start = hour_of(LISTING)
    expected = {-13: None, -12: "AUTHORIZE_OFFERS", -2: "CLEARED", 0: "DELIVERING", 60: "SETTLED"}
    for minute in range(-14, 62, 1):
        community.ledger.at(start + timedelta(minutes=minute))
        if minute in (0, 60):
            community.report(start + timedelta(minutes=minute))
        if minute == 30:
            seller.export_wh += 2000
            buyer.import_wh += 2000
        for timetable, _ in runners:
            asyncio.run(timetable.round())
        if minute in expected:
            assert states(community).get(LISTING) == expected[minute]
    settled = community.manager.evaluate("market:get_settlement", LISTING)
    assert (settled["settled_wh"], settled["total_utoken"] > 0) == (2000, True)
    assert states(community) == {LISTING: "SETTLED", "2026-01-15T11": "DELIVERING"}
    first, second, third = (actor.submitted.count("listings:advance") for _, actor in runners)
    assert first >= 5
    assert (second, third) == (0, 0)  # they saw that it was done
    assert community.audit()["difference_utoken"] == 0


def test_if_one_members_scheduler_stops_anothers_goes_on(community: Community) -> None:
    (first, _), (second, _) = runner(community, COOP), runner(community, DSO)
    community.ledger.at("2026-01-15T09:48:00Z")
    asyncio.run(first.round())
    community.ledger.at("2026-01-15T09:58:00Z")
    asyncio.run(second.round())
    assert states(community) == {LISTING: "CLEARED"}


def test_a_step_somebody_else_was_faster_with_is_no_error(community: Community) -> None:
    timetable, actor = runner(community, COOP)
    community.ledger.at("2026-01-15T09:48:00Z")
    asyncio.run(timetable.round())
    community.ledger.at("2026-01-15T09:58:00Z")

    class Slow(LedgerActor):
        async def submit(self, function: str, *args: str) -> Any:
            community.scheduler.submit("market:close_bidding", LISTING)
            community.scheduler.submit("market:clear", LISTING)
            return await super().submit(function, *args)

    slow = Slow(actor.client)
    now_ms = milliseconds(community.ledger.now)
    asyncio.run(Timetable(slow, lambda: now_ms).round())
    assert slow.submitted == ["listings:advance"]
    assert states(community) == {LISTING: "CLEARED"}


def test_settlement_waits_for_readings(community: Community) -> None:
    seller, buyer = community.households
    standing(seller, "offer", 2000, 40_000)
    standing(buyer, "bid", 2000, PRICE)
    timetable, _ = runner(community, COOP)
    for minute in (48, 50, 58):
        community.ledger.at(f"2026-01-15T09:{minute}:00Z")
        asyncio.run(timetable.round())
    community.ledger.at("2026-01-15T10:00:00Z")
    asyncio.run(timetable.round())
    community.ledger.at("2026-01-15T11:00:00Z")
    asyncio.run(timetable.round())
    assert states(community)[LISTING] == "DELIVERING"
    community.report(hour_of(LISTING))
    community.report(hour_of("2026-01-15T11"))
    asyncio.run(timetable.round())
    assert states(community)[LISTING] == "SETTLED"


def test_a_wrong_clock_ends_no_phase_before_its_time_if_two_members_must_see_it(
    community: Community,
) -> None:
    community.manager.submit("listings:set_defaults", DEFAULTS | {"clock_members": 2})
    wrong, honest = runner(community, COOP)[0], runner(community, DSO)[0]
    community.ledger.at("2026-01-15T09:48:00Z")
    asyncio.run(honest.round())
    community.ledger.at("2026-01-15T09:58:00Z")  # as the first member's clock says
    asyncio.run(wrong.round())
    community.ledger.at("2026-01-15T09:50:00Z")
    asyncio.run(honest.round())
    assert states(community) == {LISTING: "AUTHORIZE_OFFERS"}
    community.ledger.at("2026-01-15T09:58:00Z")
    asyncio.run(honest.round())
    assert states(community) == {LISTING: "CLEARED"}


def test_a_standing_order_the_ledger_refuses_is_reported_once(
    community: Community, caplog: pytest.LogCaptureFixture
) -> None:
    poor = community.join(role="consumer", tokens=1)
    standing(poor, "bid", 2000, PRICE)
    timetable, actor = runner(community, COOP)
    community.ledger.at("2026-01-15T09:48:00Z")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            asyncio.run(timetable.round())
    assert actor.submitted.count("standing:carry_out") == 1
    assert caplog.text.count("INSUFFICIENT_FUNDS") == 1


def test_hidden_orders_are_voided_and_a_stop_is_paid_back(community: Community) -> None:
    community.manager.submit("listings:set_defaults", DEFAULTS | {"is_sealed": True})
    buyer = community.households[1]
    timetable, actor = runner(community, COOP)
    community.ledger.at("2026-01-15T09:48:00Z")
    asyncio.run(timetable.round())
    bid = opening_of(buyer, "bid", 1000, PRICE)
    buyer.client.submit("sealed:commit", LISTING, hash_of(buyer, bid))
    for minute in (58, 59):
        community.ledger.at(f"2026-01-15T09:{minute}:00Z")
        asyncio.run(timetable.round())
    assert states(community)[LISTING] == "CLEARED"
    asyncio.run(timetable.round())
    asyncio.run(timetable.round())
    assert actor.submitted.count("sealed:void") == 1
    assert community.account(buyer)["free_utoken"] == 2 * DEPOSIT - FORFEIT
    community.dso.submit("listings:stop", LISTING, "fault")
    assert asyncio.run(timetable.round()) == 0


def test_it_wakes_at_the_next_instant_of_a_listing(community: Community) -> None:
    timetable, _ = runner(community, COOP)
    for minute, following in ((30, "09:48"), (48, "09:58"), (58, "10:00"), (59, "10:00")):
        community.ledger.at(f"2026-01-15T09:{minute}:00Z")
        asyncio.run(timetable.round())
        next_ms = timetable.next_instant_ms
        assert (EPOCH + timedelta(milliseconds=next_ms)).strftime("%H:%M") == following
