"""Every movement of every purse is a line, and the lines add up to what is in it."""

from collections import Counter

import pytest

from gateway.books.community import Community as CommunityBook
from gateway.readmodel import movement_queries
from gateway.readmodel.movement_rows import OWN_PURSE
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import Cause, Movement
from tests.unit.energy.community import Community
from tests.unit.gateway.books.busy_street import BusyStreet, busy_street, seen

SEEDS = range(2)
LAST_MS = 2**62


@pytest.fixture(scope="module", params=SEEDS)
def lived(request: pytest.FixtureRequest) -> tuple[BusyStreet, ReadModel]:
    return busy_street(request.param), seen(request.param)


def all_of(readmodel: ReadModel, idgrid: str, group_id: str = OWN_PURSE) -> list[Movement]:
    return movement_queries.movements_between(readmodel, idgrid, 0, LAST_MS, group_id=group_id)


def test_opening_balance_and_lines_make_the_closing_balance(lived) -> None:
    street, readmodel = lived
    for home in street.community.households:
        account = street.community.account(home)
        lines = all_of(readmodel, home.idgrid)
        assert sum(line.free_utoken for line in lines) == account["free_utoken"]
        assert sum(line.locked_utoken for line in lines) == account["locked_utoken"]
        assert sum(line.sold_wh for line in lines) == account["sold_wh"]
        assert sum(line.bought_wh for line in lines) == account["bought_wh"]
        for at_ms in (lines[0].at_ms, lines[len(lines) // 2].at_ms, lines[-1].at_ms + 1):
            opening = movement_queries.sum_until(readmodel, home.idgrid, until_ms=at_ms)
            later = sum(line.amount_utoken for line in lines if line.at_ms >= at_ms)
            total = account["free_utoken"] + account["locked_utoken"]
            assert opening.amount_utoken + later == total


def test_a_member_s_part_of_a_group_s_purse_is_its_lines(lived) -> None:
    street, readmodel = lived
    found = 0
    for group_id in ("vpp:a", "vpp:b"):
        group = street.community.manager.evaluate("groups:get_group", group_id)
        members = {member["idgrid"]: member["balance_utoken"] for member in group["members"]}
        for home in street.community.households:
            part = movement_queries.sum_until(readmodel, home.idgrid, group_id=group_id)
            assert part.free_utoken == members.get(home.idgrid, 0)
            found += len(all_of(readmodel, home.idgrid, group_id))
    assert found


def test_everything_issued_is_in_some_account(lived) -> None:
    street, readmodel = lived
    audit = street.community.audit()
    sums = movement_queries.sums_of_accounts(readmodel)
    issued = audit["deposited_utoken"] - audit["redeemed_utoken"]
    assert sum(account.amount_utoken for account in sums.values()) == issued
    for view in CommunityBook(readmodel).accounts():
        assert sums[view.idgrid].free_utoken == view.balance_utoken
        assert sums[view.idgrid].locked_utoken == view.locked_utoken


def test_no_movement_is_without_a_reason_and_trade_is_told_by_its_kind(lived) -> None:
    street, readmodel = lived
    for home in street.community.households:
        for line in all_of(readmodel, home.idgrid):
            assert line.cause is not Cause.OTHER, line
            if line.cause in (Cause.LOCKED, Cause.FREED):
                assert line.amount_utoken == line.sold_wh == line.bought_wh == 0
            if line.sold_wh or line.bought_wh:
                assert line.cause in (Cause.SETTLEMENT, Cause.CORRECTION, Cause.DEAL)
            if line.cause is Cause.DEAL:
                assert line.subject in {post["post_id"] for post in posts(street.community)}


def posts(community: Community) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for key in community.ledger.keys("post~"):
        hour, number = key.split("~")[1:]
        found.append(community.manager.evaluate("marketplace:get_post", f"{hour}.{number}"))
    return found


def test_deals_move_what_their_posts_say(lived) -> None:
    street, readmodel = lived
    sold, bought = Counter[str](), Counter[str]()
    for post in posts(street.community):
        if post["state"] == "SETTLED":
            sold[post["seller_idgrid"]] += post["paid_utoken"]
            bought[post["buyer_idgrid"]] += post["paid_utoken"]
    for home in street.community.households:
        deals = [line for line in all_of(readmodel, home.idgrid) if line.cause is Cause.DEAL]
        moved = sum(line.amount_utoken for line in deals)
        assert moved == sold[home.idgrid] - bought[home.idgrid]


def test_every_kind_of_movement_happened() -> None:
    happened = {
        line.cause
        for seed in SEEDS
        for home in busy_street(seed).community.households
        for group_id in (OWN_PURSE, "vpp:a", "vpp:b")
        for line in all_of(seen(seed), home.idgrid, group_id)
    }
    assert happened == set(Cause) - {Cause.OTHER}


def test_the_same_lines_whatever_the_blocks_and_after_a_rebuild() -> None:
    sums = [movement_queries.sums_of_accounts(seen(0, per_block)) for per_block in (1, 50)]
    assert sums[0] == sums[1]
