"""Whatever households do in whatever order: no money appears, vanishes or stays locked."""

import random
from datetime import timedelta

import pytest

from chaincode.shim import ContractError
from chaincode.shim.testing import Snapshot
from tests.unit.energy.community import Community, Household, hour_of
from tests.unit.energy.marketplace.scene import HOUR, flow, founded

STEPS = 60
FAULT = 500
REFUSED_AT_MOST = 0.9
"""Of the random steps; else the sequence would show nothing."""


@pytest.fixture(scope="module")
def start() -> tuple[Community, Snapshot]:
    community = founded()
    return community, community.ledger.snapshot()


def ids(community: Community) -> list[str]:
    page = community.manager.evaluate("marketplace:list_posts", HOUR)
    return [post["post_id"] for post in page["posts"]]


def random_call(
    community: Community, dice: random.Random
) -> tuple[Household, str, tuple[object, ...]]:
    """A household and something it might try, sensible or not."""
    home = dice.choice(community.households)
    wh, price = dice.choice((1, 999, 3_000, 10_000)), dice.choice((1, 54_321, 10**6, 10**10))
    known = [*ids(community), f"{HOUR}.00"]
    post_id = dice.choice(known)
    source = home.res_id or "pv-0"
    calls: list[tuple[str, tuple[object, ...]]] = [
        ("post_offer", (HOUR, source, wh, price)),
        ("post_request", (HOUR, wh, price, dice.choice(("required", "immediate")))),
        ("request_to_sell", (post_id, source)),
        *((name, (post_id,)) for name in ("reserve", "release", "buy", "accept", "decline")),
        *((name, (post_id,)) for name in ("delete", "expire", "settle")),
        ("confirm", (post_id, wh)),
    ]
    weights = [4, 4, 6, 4, 1, 4, 6, 1, 1, 1, 1, 1]
    return home, *dice.choices(calls, weights=weights)[0]


def play(community: Community, dice: random.Random, steps: int) -> int:
    """Random calls with time passing; returns how many were accepted."""
    accepted = 0
    for _ in range(steps):
        home, function, arguments = random_call(community, dice)
        try:
            home.client.submit(f"marketplace:{function}", *arguments)
        except ContractError as refusal:
            if refusal.status >= FAULT:
                raise
        else:
            accepted += 1
        later = community.ledger.now + timedelta(seconds=dice.randrange(60))
        community.ledger.at(later)
    return accepted


@pytest.mark.parametrize("seed", range(6))
def test_money_is_conserved_and_free_in_the_end(
    start: tuple[Community, Snapshot], seed: int
) -> None:
    community, begin = start
    community.ledger.restore(begin)
    for home in community.households:
        home.seq = home.import_wh = home.export_wh = 0
    dice = random.Random(seed)
    before = community.audit()["deposited_utoken"]
    accepted = play(community, dice, STEPS)
    assert accepted > STEPS * (1 - REFUSED_AT_MOST)
    assert community.audit()["difference_utoken"] == 0

    if dice.random() < 0.7:  # else the meters stay silent
        community.ledger.at(hour_of(HOUR))
        energies = {
            home.idgrid: (dice.randrange(12_000), dice.randrange(12_000))
            for home in community.households
        }
        flow(community, energies)
    community.ledger.at(hour_of(HOUR) + timedelta(days=2))
    play(community, dice, 10)
    posts = [
        community.scheduler.submit("marketplace:expire", post_id) for post_id in ids(community)
    ]
    assert {post["state"] for post in posts} <= {"SETTLED", "REFUNDED", "EXPIRED", "DELETED"}
    assert community.ledger.keys("escrow~") == []
    audit = community.audit()
    assert (audit["difference_utoken"], audit["escrowed_utoken"]) == (0, 0)
    assert audit["deposited_utoken"] == before
    sold = sum(post["delivered_wh"] or 0 for post in posts)
    accounts = [community.account(home) for home in community.households]
    assert sum(a["sold_wh"] for a in accounts) == sum(a["bought_wh"] for a in accounts) == sold
