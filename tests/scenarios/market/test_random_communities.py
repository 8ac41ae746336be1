"""Whole days of random communities: what must hold in every hour, whatever people do."""

import random

import pytest

from chaincode.shim.testing import run_twice
from tests.scenarios.market.ledger_days import live_a_day as live_a_day_on_the_ledger
from tests.scenarios.market.ledger_days import one_day
from tests.scenarios.market.random_communities import (
    HOURS,
    Community,
    Hour,
    live_one_hour,
    random_community,
)

SHORT = range(1_000)
LONG = range(1_000, 2_500)


def nobody_trades_at_a_loss(hour: Hour) -> None:
    """No buyer above the bid, no seller below the reserve; one price for all."""
    price = hour.cleared.price_utoken_per_kwh
    for order_id, energy_wh in hour.cleared.allocations.items():
        order = hour.orders[order_id]
        assert price is not None
        assert 0 < energy_wh <= order.energy_wh
        if order.side == "bid":
            assert price <= min(order.price_utoken_per_kwh, hour.rules.cap)
            # At most the limit, and less than one micro-token of rounding above it.
            paid = hour.cleared.buyer_pays_utoken[order_id]
            assert paid * 1000 < order.price_utoken_per_kwh * energy_wh + 1000
        else:
            assert price >= max(order.price_utoken_per_kwh, hour.rules.floor)
            got = hour.cleared.seller_gets_utoken[order_id]
            assert got * 1000 > order.price_utoken_per_kwh * energy_wh - 1000


def money_is_exact(hour: Hour) -> None:
    """To the micro-token: what buyers pay sellers get, and every lock is paid or given back."""
    cleared, settled = hour.cleared, hour.settlement
    assert sum(cleared.buyer_pays_utoken.values()) == cleared.total_utoken
    assert sum(cleared.seller_gets_utoken.values()) == cleared.total_utoken
    paid = sum(line.paid_utoken for line in settled.lines)
    received = sum(line.received_utoken for line in settled.lines)
    refunded = sum(line.refunded_utoken for line in settled.lines)
    assert paid == received == settled.total_utoken
    charged = sum(line.network_charge_utoken for line in settled.lines)
    pooled = sum(line.pool_share_utoken for line in settled.lines)
    assert charged == settled.settled_wh * hour.rules.network_charge // 1000
    assert pooled == settled.total_utoken * hour.rules.pool_share_permille // 1000
    assert sum(hour.kept.values()) == paid + charged + refunded
    for order_id, kept in hour.kept.items():
        assert 0 <= kept <= hour.locked[order_id]
    left = sum(hour.balance_before.values()) - charged - pooled
    assert sum(hour.balance_after.values()) == left
    assert min(hour.balance_after.values()) >= 0


def energy_is_exact(hour: Hour) -> None:
    """To the Wh: sold is bought, and every metered Wh is somebody's."""
    lines = {line.idgrid: line for line in hour.settlement.lines}
    assert lines.keys() == hour.metered.keys()
    sides = {
        side: sum(
            energy_wh
            for order_id, energy_wh in hour.cleared.allocations.items()
            if hour.orders[order_id].side == side
        )
        for side in ("bid", "offer")
    }
    assert sides == {"bid": hour.cleared.quantity_wh, "offer": hour.cleared.quantity_wh}
    assert sum(line.sold_wh for line in lines.values()) == hour.settlement.settled_wh
    assert sum(line.bought_wh for line in lines.values()) == hour.settlement.settled_wh
    assert hour.settlement.settled_wh <= hour.cleared.quantity_wh
    if hour.rules.line_limit_wh is not None:
        assert hour.cleared.quantity_wh <= hour.rules.line_limit_wh
    for name, line in lines.items():
        meter = hour.metered[name]
        assert line.bought_wh + line.bought_from_utility_wh == meter.imported_wh
        assert line.sold_wh + line.sold_to_utility_wh == meter.exported_wh
        assert line.bought_wh <= min(line.matched_buy_wh, meter.imported_wh)
        assert line.sold_wh <= min(line.matched_sell_wh, meter.exported_wh)


def nothing_stays_locked(hour: Hour) -> None:
    """Each household gets back exactly what it locked and did not spend."""
    lines = {line.idgrid: line for line in hour.settlement.lines}
    for name, before in hour.balance_before.items():
        line = lines[name]
        earned = line.received_utoken - line.pool_share_utoken
        spent = line.paid_utoken + line.network_charge_utoken
        assert hour.balance_after[name] == before + earned - spent


def everybody_finds_the_same(hour: Hour) -> None:
    """A peer that is handed the orders in another sequence comes to the same result."""
    again = hour.rules.clear(reversed(hour.orders.values()))
    for name in ("price_utoken_per_kwh", "allocations", "buyer_pays_utoken", "seller_gets_utoken"):
        assert getattr(again, name) == getattr(hour.cleared, name), name


def live_a_day(seed: int) -> tuple[Community, int]:
    """The community after 24 hours, and in how many of them something traded."""
    rng = random.Random(seed)
    community = random_community(rng)
    supply, trading_hours = sum(community.balance.values()), 0
    for _ in range(HOURS):
        hour = live_one_hour(community, rng)
        nobody_trades_at_a_loss(hour)
        money_is_exact(hour)
        energy_is_exact(hour)
        nothing_stays_locked(hour)
        everybody_finds_the_same(hour)
        trading_hours += hour.settlement.settled_wh > 0
    everywhere = sum(community.balance.values()) + community.grid_utoken + community.pool_utoken
    assert everywhere == supply
    return community, trading_hours


def live_days(seeds: range) -> int:
    """How many hours traded; names the seed that broke a law."""
    trading_hours = 0
    for seed in seeds:
        try:
            trading_hours += live_a_day(seed)[1]
        except AssertionError as broken:
            raise AssertionError(f"community {seed}") from broken
    return trading_hours


@pytest.mark.slow
def test_every_hour_of_random_communities_closes_to_the_last_unit() -> None:
    assert live_days(SHORT) > len(SHORT) * HOURS // 4


@pytest.mark.full
def test_every_hour_of_thousands_of_communities_closes_to_the_last_unit() -> None:
    assert live_days(LONG) > len(LONG) * HOURS // 4


@pytest.mark.row("E046")
@pytest.mark.slow
def test_a_day_is_the_same_at_four_peers_and_under_two_hash_seeds() -> None:
    assert run_twice(one_day).calls > HOURS * 10


@pytest.mark.full
@pytest.mark.parametrize("seed", range(10))
def test_days_on_the_ledger_close_whatever_the_households_do(seed: int) -> None:
    live_a_day_on_the_ledger(seed, households=4 + seed % 5)
