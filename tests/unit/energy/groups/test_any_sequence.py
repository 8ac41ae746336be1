"""Groups, auction and marketplace at once, whatever people do: nothing is sold or paid twice."""

import json
import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from chaincode.shim import ContractError
from chaincode.shim.testing import TestClient
from tests.unit.energy.community import CAP, FLOOR, Community, Household, hour_of

HOURS = [f"2026-01-15T{hour:02}" for hour in range(4)]
GROUPS = {"vpp:a": 0, "vpp:b": 3}
"""Group -> the household that manages it."""
STEPS = 40
FAULT = 500


def attempt(client: TestClient, function: str, *args: object) -> Any:
    """What was accepted, or None; a refusal is no fault of the contracts."""
    try:
        return client.submit(function, *args)
    except ContractError as refusal:
        if refusal.status >= FAULT:
            raise
    return None


def founded(dice: random.Random) -> Community:
    community = Community.found(start="2026-01-14T22:00:00Z")
    for _ in range(6):
        community.join(tokens=3_000_000)
    for group_id, at in GROUPS.items():
        money_by = dice.choice(("readings", "shares"))
        client = community.households[at].client
        client.submit("groups:found", group_id, "", money_by)
    return community


def join(community: Community, home: Household, group_id: str) -> None:
    raw = community.ledger.state(f"groupinvitation~{group_id}~{home.idgrid}")
    attempt(home.client, "groups:join", group_id, json.loads(raw)["share"] if raw else 3)


def step(community: Community, hour: str, posts: list[str], dice: random.Random) -> None:
    """One thing somebody may try."""
    group_id, home = dice.choice(list(GROUPS)), dice.choice(community.households)
    manager = community.households[GROUPS[group_id]].client
    wh, price = dice.choice((1, 500, 3_000, 9_000)), dice.randrange(FLOOR, CAP, 1_000)
    amount = dice.randrange(1, 500_000)
    calls: list[tuple[TestClient, str, tuple[object, ...]]] = [
        (manager, "groups:invite", (group_id, home.idgrid, dice.randrange(1, 9))),
        (manager, "groups:dismiss", (group_id, home.idgrid)),
        (manager, "groups:place_offer", (group_id, hour, home.res_id, wh, price)),
        (manager, "groups:place_bid", (group_id, hour, wh, price)),
        (home.client, "groups:leave", (group_id,)),
        (home.client, "groups:pay_in", (group_id, amount)),
        (home.client, "groups:draw_out", (group_id, amount)),
        (home.client, "market:place_offer", (hour, home.res_id, wh, price)),
        (home.client, "market:place_bid", (hour, wh, price)),
        (home.client, "access:revoke", ("market", home.meter_id)),
        (home.client, "access:grant", ("market", home.meter_id)),
        (community.dso, "membership:suspend", (home.idgrid, "arrears")),
        (community.dso, "membership:reinstate", (home.idgrid,)),
        (home.client, "marketplace:buy", (dice.choice([*posts, f"{hour}.00"]),)),
        (home.client, "marketplace:post_offer", (hour, home.res_id, wh, price, "unchecked")),
    ]
    if dice.random() < 0.15:
        join(community, home, group_id)
    weights = [2, 1, 3, 3, 1, 2, 1, 2, 2, 1, 2, 0.3, 1, 2, 2]
    client, function, args = dice.choices(calls, weights=weights)[0]
    done = attempt(client, function, *args)
    if done is not None and function == "marketplace:post_offer":
        posts.append(done["post_id"])


def live(community: Community, dice: random.Random) -> list[str]:
    """Some hours one after the other; returns the marketplace's posts."""
    posts: list[str] = []
    for number, hour in enumerate(HOURS):
        community.ledger.at(hour_of(hour) - timedelta(minutes=40))
        terms = {"network_charge_utoken_per_kwh": dice.choice((0, 7_003)), "k": "1/2"}
        community.open(hour, preset="hourly", pool_share_permille=dice.choice((0, 33)), **terms)
        for _ in range(STEPS):
            step(community, hour, posts, dice)
        community.ledger.at(hour_of(hour) - timedelta(minutes=2))
        community.scheduler.submit("market:close_bidding", hour)
        community.scheduler.submit("market:clear", hour)
        community.report(hour_of(hour))
        for home in community.households:
            home.import_wh += dice.randrange(6_000)
            home.export_wh += dice.randrange(6_000)
        if number:
            community.settle(HOURS[number - 1])
    community.report(hour_of(HOURS[-1]) + timedelta(hours=1))
    community.settle(HOURS[-1])
    return posts


def traded(community: Community, posts: list[str]) -> tuple[Counter[str], Counter[str]]:
    """Wh each household sold and bought: by itself, through groups, in deals."""
    sold, bought = Counter[str](), Counter[str]()
    for hour in HOURS:
        lines = [
            community.manager.evaluate("market:get_line", hour, home.idgrid)
            for home in community.households
            if community.ledger.state(f"line~{home.idgrid}~{hour}")
        ]
        for group_id in GROUPS:
            done = attempt(community.scheduler, "groups:split", group_id, hour)
            lines += done["parts"] if done else []
        for line in lines:
            sold[line["idgrid"]] += line["sold_wh"]
            bought[line["idgrid"]] += line["bought_wh"]
    for post_id in posts:
        post = community.scheduler.submit("marketplace:expire", post_id)
        if post["state"] == "SETTLED":
            sold[post["seller_idgrid"]] += post["delivered_wh"]
            bought[post["buyer_idgrid"]] += post["delivered_wh"]
    return sold, bought


@pytest.mark.parametrize("seed", range(4))
def test_no_energy_is_sold_twice_and_every_purse_is_its_members(seed: int) -> None:
    dice = random.Random(seed)
    community = founded(dice)
    posts = live(community, dice)
    community.ledger.at(hour_of(HOURS[-1]) + timedelta(days=3))
    sold, bought = traded(community, posts)
    assert sum(sold.values()) == sum(bought.values()) > 0
    for home in community.households:
        assert sold[home.idgrid] <= home.export_wh
        assert bought[home.idgrid] <= home.import_wh
    audit = community.audit()
    assert (audit["difference_utoken"], audit["escrowed_utoken"]) == (0, 0)
    for group_id in GROUPS:
        view = community.manager.evaluate("groups:get_group", group_id)
        balances = [member["balance_utoken"] for member in view["members"]]
        assert (view["free_utoken"], view["locked_utoken"]) == (sum(balances), 0)
