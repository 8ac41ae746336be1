"""Network charge and community pool as lines of their own; sums conserve."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaincode.energy.settlement.pool import Metered, Position, Tariff, settle_pool
from tests.unit.energy.community import LISTING, refuses
from tests.unit.energy.settlement.trades import line, one_trade, settled_trade

CHARGE = 12_345
SHARE = 50


@pytest.mark.row("E062")
def test_the_charge_and_the_pool_share_are_lines_and_all_money_is_there() -> None:
    community, seller, buyer = one_trade(
        network_charge_utoken_per_kwh=CHARGE, pool_share_permille=SHARE
    )
    assert community.account(buyer)["locked_utoken"] == 10 * (54_000 + CHARGE)
    community.deliver({seller.idgrid: (0, 8000), buyer.idgrid: (8000, 0)})
    settled = community.settle()
    assert settled["network_charge_utoken"] == 8 * CHARGE
    assert settled["pool_share_utoken"] == 432_000 * SHARE // 1000
    sold, bought = line(community, seller), line(community, buyer)
    assert (sold["received_utoken"], sold["pool_share_utoken"]) == (432_000, 21_600)
    assert (bought["paid_utoken"], bought["network_charge_utoken"]) == (432_000, 8 * CHARGE)
    assert bought["refunded_utoken"] == 2 * (54_000 + CHARGE)
    free = {
        name: community.manager.evaluate("tokens:account", name)["free_utoken"]
        for name in (seller.idgrid, buyer.idgrid, "network", "pool")
    }
    assert list(free.values()) == [
        432_000 - 21_600,
        10**6 - 432_000 - 8 * CHARGE,
        8 * CHARGE,
        21_600,
    ]
    audit = community.audit()
    assert sum(free.values()) == audit["deposited_utoken"] == 10**6
    assert (audit["difference_utoken"], audit["escrowed_utoken"]) == (0, 0)


def test_a_listing_without_them_has_empty_lines() -> None:
    community, seller, buyer = settled_trade()
    for home in (seller, buyer):
        assert line(community, home)["network_charge_utoken"] == 0
        assert line(community, home)["pool_share_utoken"] == 0


@pytest.mark.parametrize(
    "terms",
    [
        {"pool_share_permille": 1001},
        {"pool_share_permille": -1},
        {"network_charge_utoken_per_kwh": -1},
        {"network_charge_utoken_per_kwh": 10**16},
        {"dispute_window_ms": -1},
        {"readings_due_ms": 1},
    ],
)
def test_terms_out_of_range_open_no_listing(terms: dict[str, int]) -> None:
    community, _, _ = one_trade()
    parameters = {"preset": "energy_auction", "floor_utoken_per_kwh": 1, "cap_utoken_per_kwh": 2}
    refuses(
        community,
        "INVALID_ARGUMENT",
        community.manager,
        "market:open_listing",
        "2026-01-15T14",
        parameters | terms,
    )
    assert LISTING != "2026-01-15T14"


energies = st.integers(min_value=0, max_value=10_000)
rates = st.integers(min_value=0, max_value=300_000)


@settings(deadline=None)
@given(
    matched=st.lists(st.integers(min_value=1, max_value=5000), min_size=1, max_size=5),
    meters=st.lists(energies, min_size=10, max_size=10),
    price=rates,
    charge=rates,
    share=st.integers(min_value=0, max_value=1000),
)
def test_buyers_never_pay_more_than_they_locked_and_sellers_never_lose(
    matched: list[int], meters: list[int], price: int, charge: int, share: int
) -> None:
    def ceiled(energy_wh: int, rate: int) -> int:
        return -(-energy_wh * rate // 1000)

    buyers = [
        Position(f"b{at}", 0, wh, ceiled(wh, price) + ceiled(wh, charge))
        for at, wh in enumerate(matched)
    ]
    sellers = [Position(f"s{at}", wh, 0, 0) for at, wh in enumerate(reversed(matched))]
    book = [*buyers, *sellers]
    metered = {p.idgrid: Metered(meters[at], meters[-1 - at]) for at, p in enumerate(book)}
    settlement = settle_pool(book, metered, Tariff(price, price + 1, 0, charge, share))
    lines = settlement.lines
    assert all(entry.refunded_utoken >= 0 and entry.credit_utoken >= 0 for entry in lines)
    credited = sum(entry.credit_utoken for entry in lines)
    kept = sum(entry.network_charge_utoken + entry.pool_share_utoken for entry in lines)
    assert credited + kept == sum(position.locked_utoken for position in book)


def test_the_manager_rewards_members_out_of_the_pool() -> None:
    community, seller, buyer = settled_trade(pool_share_permille=100)
    pay = ("tokens:pay_from_fund", "pool", buyer.idgrid)
    for amount in (43_201, 10**18):
        refuses(community, "POOL_TOO_SMALL", community.manager, *pay, amount, "reward")
    refuses(community, "ROLE_NOT_ALLOWED", community.dso, *pay, 1, "reward")
    refuses(community, "ROLE_NOT_ALLOWED", seller.client, *pay, 1, "reward")
    refuses(community, "NOT_POSITIVE", community.manager, *pay, 0, "reward")
    free = community.account(buyer)["free_utoken"]
    community.manager.submit(*pay, 43_000, "reward")
    assert community.account(buyer)["free_utoken"] == free + 43_000
    assert community.manager.evaluate("tokens:account", "pool")["free_utoken"] == 200
    assert community.audit()["difference_utoken"] == 0


def test_the_grid_operator_pays_out_of_the_network_account_only() -> None:
    community, seller, _ = settled_trade(network_charge_utoken_per_kwh=1000)
    community.dso.submit("tokens:pay_from_fund", "network", seller.idgrid, 8000, "rent of a cable")
    refuses(
        community,
        "INVALID_ARGUMENT",
        community.dso,
        "tokens:pay_from_fund",
        seller.idgrid,
        seller.idgrid,
        1,
        "theft",
    )
    assert community.manager.evaluate("tokens:account", "network")["free_utoken"] == 0
    assert community.audit()["difference_utoken"] == 0
