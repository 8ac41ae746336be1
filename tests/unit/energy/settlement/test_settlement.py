"""The settlement rule on plain values: exact amounts, every Wh and micro-token accounted for."""

import random

import pytest

from chaincode.energy.market.rationing import amount_rounded_up, largest_remainder
from chaincode.energy.settlement.conservation import ConservationError
from chaincode.energy.settlement.pool import Metered, Position, Tariff, settle_pool
from chaincode.energy.settlement.records import SettlementLine

GWEI = 10**9


def one_trade(
    *, delivered_wh: int, received_wh: int, price: int = 54_000
) -> dict[str, SettlementLine]:
    positions = [
        Position("seller", 10_000, 0, 0),
        Position(
            "buyer", 0, 10_000, amount_rounded_up(energy_wh=10_000, price_utoken_per_kwh=price)
        ),
    ]
    metered = {"seller": Metered(0, delivered_wh), "buyer": Metered(received_wh, 0)}
    tariff = Tariff(price, 102_000, 20_000)
    return {line.idgrid: line for line in settle_pool(positions, metered, tariff).lines}


@pytest.mark.parametrize(
    ("delivered_wh", "paid"),
    [(0, 0), (3000, 162_000), (8000, 432_000), (10_000, 540_000), (12_000, 540_000)],
)
def test_pays_for_metered_energy_up_to_the_matched(delivered_wh: int, paid: int) -> None:
    lines = one_trade(delivered_wh=delivered_wh, received_wh=delivered_wh)
    assert lines["seller"].received_utoken == lines["buyer"].paid_utoken == paid
    assert lines["buyer"].refunded_utoken == 540_000 - paid


def test_the_8_of_10_kwh_case_in_wei() -> None:
    lines = one_trade(delivered_wh=8000, received_wh=8000, price=54_000 * GWEI)
    assert lines["seller"].received_utoken == 432_000_000_000_000
    assert lines["buyer"].refunded_utoken == 108_000_000_000_000


def test_a_buyer_who_locked_too_little_stops_the_settlement() -> None:
    positions = [Position("seller", 10_000, 0, 0), Position("buyer", 0, 10_000, 539_999)]
    metered = {"seller": Metered(0, 10_000), "buyer": Metered(10_000, 0)}
    with pytest.raises(ConservationError, match="nobody pays more than was locked"):
        settle_pool(positions, metered, Tariff(54_000, 102_000, 20_000))


def test_what_the_pool_lacks_comes_from_the_utility_at_the_retail_price() -> None:
    lines = one_trade(delivered_wh=8000, received_wh=11_000)
    buyer = lines["buyer"]
    assert (buyer.bought_wh, buyer.bought_from_utility_wh) == (8000, 3000)
    assert buyer.owed_to_utility_utoken == 306_000


def test_surplus_beyond_the_match_earns_the_feed_in_tariff() -> None:
    seller = one_trade(delivered_wh=12_000, received_wh=9000)["seller"]
    assert (seller.sold_wh, seller.sold_to_utility_wh) == (9000, 3000)
    assert seller.owed_by_utility_utoken == 60_000


def test_a_shortfall_is_shared_by_the_buyers_in_proportion() -> None:
    positions = [
        Position("s", 10_000, 0, 0),
        Position("a", 0, 6000, 600_000),
        Position("b", 0, 4000, 400_000),
    ]
    metered = {"s": Metered(0, 5001), "a": Metered(6000, 0), "b": Metered(4000, 0)}
    lines = {ln.idgrid: ln for ln in settle_pool(positions, metered, Tariff(100_000, 1, 1)).lines}
    assert (lines["a"].bought_wh, lines["b"].bought_wh) == (3001, 2000)
    assert (lines["a"].paid_utoken, lines["b"].paid_utoken) == (300_100, 200_000)


def test_households_without_a_match_trade_with_the_utility_only() -> None:
    settlement = settle_pool([], {"z": Metered(500, 0), "a": Metered(0, 700)}, Tariff(0, 9000, 10))
    assert [line.idgrid for line in settlement.lines] == ["a", "z"]
    assert settlement.lines[0].owed_by_utility_utoken == 7
    assert settlement.lines[1].owed_to_utility_utoken == 4500


def test_energy_and_money_are_conserved_in_1000_random_windows() -> None:
    for seed in range(1000):
        rng = random.Random(seed)
        positions, metered, tariff = random_window(rng)
        settlement = settle_pool(positions, metered, tariff)
        lines = settlement.lines
        assert sum(line.paid_utoken for line in lines) == settlement.total_utoken
        assert sum(line.received_utoken for line in lines) == settlement.total_utoken
        charge = sum(line.network_charge_utoken for line in lines)
        share = sum(line.pool_share_utoken for line in lines)
        assert charge == settlement.settled_wh * tariff.network_charge_utoken_per_kwh // 1000
        assert share == settlement.total_utoken * tariff.pool_share_permille // 1000
        locked = sum(position.locked_utoken for position in positions)
        assert locked == charge + share + sum(line.credit_utoken for line in lines)
        assert sum(m.imported_wh for m in metered.values()) == settlement.settled_wh + sum(
            line.bought_from_utility_wh for line in lines
        )
        assert sum(m.exported_wh for m in metered.values()) == settlement.settled_wh + sum(
            line.sold_to_utility_wh for line in lines
        )
        assert all(line.refunded_utoken >= 0 for line in lines)


def random_window(rng: random.Random) -> tuple[list[Position], dict[str, Metered], Tariff]:
    price, charge = rng.randrange(300_000), rng.choice([0, rng.randrange(90_000)])
    sellers, buyers = rng.randrange(1, 6), rng.randrange(1, 6)
    matched = rng.randrange(20_000)
    sold = largest_remainder(claims=[rng.randrange(1, 9) for _ in range(sellers)], total=matched)
    bought = largest_remainder(claims=[rng.randrange(1, 9) for _ in range(buyers)], total=matched)
    positions = [Position(f"s{i}", wh, 0, 0) for i, wh in enumerate(sold)]
    positions += [
        Position(
            f"b{i}",
            0,
            wh,
            sum(
                amount_rounded_up(energy_wh=wh, price_utoken_per_kwh=rate)
                for rate in (price, charge)
            ),
        )
        for i, wh in enumerate(bought)
    ]
    rng.shuffle(positions)
    names = [position.idgrid for position in positions] + ["bystander"]
    metered = {name: Metered(rng.randrange(9000), rng.randrange(9000)) for name in names}
    share = rng.choice([0, rng.randrange(1001)])
    return positions, metered, Tariff(price, price + 7, price // 2, charge, share)


def test_a_position_without_meter_or_twice_is_refused() -> None:
    with pytest.raises(KeyError):
        settle_pool([Position("s", 1, 0, 0)], {}, Tariff(1, 1, 1))
    twice = [Position("s", 1, 0, 0), Position("s", 0, 1, 1)]
    with pytest.raises(ValueError, match="more than one position"):
        settle_pool(twice, {"s": Metered(0, 0)}, Tariff(1, 1, 1))
