"""Groups that order as one: membership, purse, orders, and the split by the members' meters."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.energy.groups.splitting import SHARES, split_line
from chaincode.energy.settlement.group_metering import merged
from chaincode.energy.settlement.pool import Metered, Position, Tariff, settle_pool
from chaincode.shim import ContractError
from tests.unit.energy.community import CAP, HASH, LISTING, Community, Household, hour_of, refuses

VPP = "vpp:hill"
PRICE = 54_000
TOKENS = 10**7


@pytest.fixture
def community() -> Community:
    """Three members of a group with a purse, a buyer and a seller beside it, an open listing."""
    founded = Community.found()
    for _ in range(3):
        founded.join(tokens=TOKENS)
    founded.join(tokens=TOKENS)
    founded.join(tokens=TOKENS)
    manager, *others = founded.households[:3]
    manager.client.submit("groups:found", VPP, "Hill street")
    for home, share in zip((manager, *others), (5, 3, 2), strict=True):
        take_in(manager, home, share)
    founded.open()
    return founded


def take_in(manager: Household, home: Household, share: int, group_id: str = VPP) -> None:
    """The manager invites, the household joins."""
    if home is not manager:
        manager.client.submit("groups:invite", group_id, home.idgrid, share)
    home.client.submit("groups:join", group_id, share)


def group_of(community: Community) -> dict[str, Any]:
    view: dict[str, Any] = community.manager.evaluate("groups:get_group", VPP)
    return view


def balances(community: Community) -> list[int]:
    return [member["balance_utoken"] for member in group_of(community)["members"]]


def parts(community: Community, name: str) -> list[int]:
    done = community.scheduler.submit("groups:split", VPP, LISTING)
    return [part[name] for part in done["parts"]]


def money_adds_up(community: Community) -> None:
    view = group_of(community)
    assert view["free_utoken"] + view["locked_utoken"] == sum(balances(community))
    audit = community.audit()
    assert (audit["difference_utoken"], audit["escrowed_utoken"]) == (0, 0)


@pytest.mark.row("E138")
def test_a_group_sells_as_one_and_shares_by_what_its_members_exported(
    community: Community,
) -> None:
    one, two, three, buyer, _ = community.households
    offer = ("groups:place_offer", VPP, LISTING, two.res_id, 10_000, 40_000)
    order = one.client.submit(*offer)
    assert (order["idgrid"], order["source"]) == (VPP, "group")
    assert order["members"] == [one.idgrid, two.idgrid, three.idgrid]
    community.bid(buyer, 10_000, PRICE)
    result = community.close_and_clear()
    assert {match["idgrid"]: match["matched_wh"] for match in result["matches"]} == {
        VPP: 10_000,
        buyer.idgrid: 10_000,
    }
    community.deliver(
        {
            one.idgrid: (0, 4000),
            two.idgrid: (0, 4000),
            three.idgrid: (700, 0),
            buyer.idgrid: (10_000, 0),
        }
    )
    settled = community.settle()
    assert settled["settled_wh"] == 8000
    assert parts(community, "sold_wh") == [4000, 4000, 0]
    assert parts(community, "received_utoken") == [4 * PRICE, 4 * PRICE, 0]
    assert parts(community, "bought_from_utility_wh") == [0, 0, 700]
    assert balances(community) == [4 * PRICE, 4 * PRICE, 0]
    money_adds_up(community)
    two.client.submit("groups:draw_out", VPP, 4 * PRICE)
    assert community.account(two)["free_utoken"] == TOKENS + 4 * PRICE
    two.client.submit("groups:leave", VPP)
    money_adds_up(community)


@pytest.mark.row("E138")
def test_two_communities_exchange_through_the_orders_of_a_gateway() -> None:
    """One connection is a member of both: what it imports here it exports there."""
    here, there = Community.found(), Community.found()
    producer, border_here = here.join(tokens=0), here.join(tokens=TOKENS, kind="community_plant")
    border_there, consumer = (
        there.join(tokens=0, kind="community_plant"),
        there.join(tokens=TOKENS),
    )
    here.open()
    there.open()
    here.offer(producer, 3000, 40_000)
    here.bid(border_here, 3000, 50_000)
    there.offer(border_there, 3000, 51_000)
    there.bid(consumer, 3000, 60_000)
    assert here.close_and_clear()["quantity_wh"] == 3000
    assert there.close_and_clear()["quantity_wh"] == 3000
    here.deliver({producer.idgrid: (0, 3000), border_here.idgrid: (3000, 0)})
    there.deliver({border_there.idgrid: (0, 3000), consumer.idgrid: (3000, 0)})
    assert here.settle()["settled_wh"] == there.settle()["settled_wh"] == 3000
    spent = TOKENS - here.account(border_here)["free_utoken"]
    earned = there.account(border_there)["free_utoken"]
    assert here.account(border_here)["bought_wh"] == there.account(border_there)["sold_wh"]
    assert 0 < spent <= earned
    for community in (here, there):
        assert community.audit()["difference_utoken"] == 0


def test_a_group_buys_from_its_purse_and_each_member_owes_what_it_used(
    community: Community,
) -> None:
    one, two, three, _, seller = community.households
    for home, amount in ((one, 400_000), (two, 300_000), (three, 200_000)):
        home.client.submit("groups:pay_in", VPP, amount)
    bid = ("groups:place_bid", VPP, LISTING, 12_000, PRICE)
    one.client.submit(*bid)
    assert group_of(community)["locked_utoken"] == 12 * PRICE
    community.offer(seller, 10_000, 30_000)
    community.close_and_clear()
    community.deliver(
        {
            one.idgrid: (1000, 0),
            two.idgrid: (2001, 0),
            three.idgrid: (6998, 0),
            seller.idgrid: (0, 10_000),
        }
    )
    community.settle()
    assert parts(community, "bought_wh") == [1000, 2001, 6998]
    paid = parts(community, "paid_utoken")
    assert sum(paid) == 9999 * PRICE // 1000
    assert balances(community) == [400_000 - paid[0], 300_000 - paid[1], 200_000 - paid[2]]
    assert min(balances(community)) < 0  # it used more than it had paid in for
    money_adds_up(community)
    draw = ("groups:draw_out", VPP, 1)
    refuses(community, "INSUFFICIENT_FUNDS", three.client, *draw)
    assert three.client.submit("groups:leave", VPP)["is_leaving"] is True
    assert balances(community)[2] < 0  # a debt does not go with the member


def test_splitting_twice_moves_nothing_more_and_a_stop_gives_the_purse_its_money(
    community: Community,
) -> None:
    one, two, _, buyer, seller = community.households
    one.client.submit("groups:place_offer", VPP, LISTING, one.res_id, 3000, 40_000)
    community.bid(buyer, 3000, PRICE)
    too_early = ("groups:split", VPP, LISTING)
    refuses(community, "NOT_SETTLED", community.scheduler, *too_early)
    community.close_and_clear()
    community.deliver({one.idgrid: (0, 3000), buyer.idgrid: (3000, 0)})
    community.settle()
    first = one.client.submit(*too_early)
    before = community.ledger.snapshot()
    assert community.scheduler.submit(*too_early) == first
    assert community.ledger.snapshot().state == before.state
    assert two.client.evaluate("groups:get_split", VPP, LISTING) == first
    refuses(community, "NOT_A_MEMBER", seller.client, *too_early)

    later = "2026-01-15T13"
    community.open(later, opens_at_ms=0)
    one.client.submit("groups:pay_in", VPP, 100_000)
    one.client.submit("groups:place_bid", VPP, later, 1000, PRICE)
    community.dso.submit("listings:stop", later, "test")
    view = group_of(community)
    assert (view["locked_utoken"], view["free_utoken"]) == (0, 100_000 + 3 * PRICE)
    assert one.client.submit("groups:split", VPP, later)["parts"] == []
    money_adds_up(community)


def test_a_silent_member_is_waited_for_and_late_readings_are_shared_by_a_correction(
    community: Community,
) -> None:
    one, two, _, buyer, _ = community.households
    one.client.submit("groups:place_offer", VPP, LISTING, one.res_id, 4000, 40_000)
    community.bid(buyer, 4000, PRICE)
    community.close_and_clear()
    homes, community.households = (
        community.households,
        [home for home in community.households if home is not two],
    )
    community.deliver({one.idgrid: (0, 1000), buyer.idgrid: (4000, 0)})
    with pytest.raises(ContractError, match="READINGS_MISSING") as refusal:
        community.settle()
    assert two.idgrid in refusal.value.message
    community.ledger.at("2026-01-16T12:00:00Z")
    assert community.settle()["settled_wh"] == 1000
    assert parts(community, "sold_wh") == [1000, 0, 0]
    community.households = homes
    readings = [two.reading(int(hour_of(LISTING).timestamp()) * 1000)]
    two.export_wh += 3000
    readings.append(two.reading(int(hour_of(LISTING).timestamp() + 3600) * 1000))
    community.oracle.submit("oracle:report_readings", readings)
    stale = ("groups:split", VPP, LISTING)
    refuses(community, "READINGS_CHANGED", community.scheduler, *stale)
    community.scheduler.submit("settlement:correct", LISTING)
    assert parts(community, "sold_wh") == [1000, 3000, 0]
    assert balances(community) == [PRICE, 3 * PRICE, 0]
    money_adds_up(community)


def test_nobody_is_in_a_listing_twice(community: Community) -> None:
    one, two, three, _, outsider = community.households
    community.bid(two, 1000, PRICE)
    offer = ("groups:place_offer", VPP, LISTING, one.res_id, 1000, 40_000)
    assert one.client.submit(*offer)["members"] == [one.idgrid, three.idgrid]
    orders = two.client.evaluate("market:get_orders", LISTING, two.idgrid)
    two.client.submit("orders:cancel", LISTING, orders[0]["order_id"])
    assert one.client.submit(*offer)["members"] == [one.idgrid, two.idgrid, three.idgrid]
    own = ("market:place_bid", LISTING, 1000, PRICE)
    refuses(community, "IN_A_GROUP", two.client, *own)
    bid = ("groups:place_bid", VPP, LISTING, 1000, PRICE)
    refuses(community, "SELF_TRADE", one.client, *bid)
    outsider.client.submit("groups:found", "vpp:other", "")
    take_in(outsider, two, 1, "vpp:other")
    rival = ("groups:place_offer", "vpp:other", LISTING, outsider.res_id, 1000, 40_000)
    refuses(community, "GROUP_EMPTY", outsider.client, *rival)


def test_what_a_group_order_must_satisfy(community: Community) -> None:
    one, two, _, _, outsider = community.households

    def offer(code: str, client: Any = one.client, **changes: Any) -> None:
        given = {"res_id": one.res_id, "energy_wh": 1000, "price": 40_000} | changes
        refuses(community, code, client, "groups:place_offer", VPP, LISTING, *given.values())

    offer("CAP_EXCEEDED", energy_wh=30_001)  # three households of 10 kWh
    offer("NOT_YOURS", two.client)
    offer("RES_REQUIRED", res_id=outsider.res_id)
    offer("RES_REQUIRED", res_id="pv-unknown")
    offer("ABOVE_RETAIL_PRICE", price=CAP + 1)
    offer("ENERGY_MISSING", energy_wh=0)
    bid = ("groups:place_bid", VPP, LISTING, 1000, PRICE)
    refuses(community, "INSUFFICIENT_FUNDS", one.client, *bid)
    unknown = ("groups:place_bid", "vpp:none", LISTING, 1000, PRICE)
    refuses(community, "UNKNOWN_GROUP", one.client, *unknown)
    community.dso.submit("membership:suspend", one.idgrid, "meter tampered with")
    offer("SUSPENDED")


def test_who_may_not_trade_is_left_out_and_does_not_keep_the_group_from_trading(
    community: Community,
) -> None:
    one, two, three, *_ = community.households
    two.client.submit("access:revoke", "market", two.meter_id)
    community.dso.submit("membership:suspend", three.idgrid, "arrears")
    offer = ("groups:place_offer", VPP, LISTING, one.res_id)
    refuses(community, "CAP_EXCEEDED", one.client, *offer, 10_001, 40_000)
    assert one.client.submit(*offer, 10_000, 40_000)["members"] == [one.idgrid]
    two.client.submit("access:grant", "market", two.meter_id)
    assert one.client.submit(*offer, 10_000, 40_000)["members"] == [one.idgrid, two.idgrid]
    for home in (one, two):
        home.client.submit("membership:withdraw_consent")
    refuses(community, "GROUP_EMPTY", one.client, *offer, 1, 40_000)
    one.client.submit("membership:consent", HASH)


def test_an_order_of_the_group_counts_in_its_members_contracts(community: Community) -> None:
    one, two, three, *_ = community.households
    community.manager.submit("membership:set_contract", two.idgrid, {"orders_max": 1})
    offer = ("groups:place_offer", VPP, LISTING, one.res_id, 1000, 40_000)
    assert two.idgrid in one.client.submit(*offer)["members"]
    assert one.client.submit(*offer)["members"] == [one.idgrid, three.idgrid]
    later = "2026-01-15T13"
    community.open(later, opens_at_ms=0)
    refuses(community, "LIMIT", two.client, "market:place_bid", later, 1000, PRICE)


def test_nobody_joins_uninvited_or_with_a_share_of_its_own_choice(community: Community) -> None:
    one, two, _, _, outsider = community.households
    join = ("groups:join", VPP)
    refuses(community, "NOT_INVITED", outsider.client, *join, 10**6)
    refuses(community, "NOT_INVITED", two.client, *join, 10**6)
    refuses(community, "NOT_YOURS", two.client, "groups:invite", VPP, outsider.idgrid, 1)
    invite = (one.client, "groups:invite", VPP)
    refuses(community, "UNKNOWN_PARTICIPANT", *invite, "VAL-0017-X", 1)
    refuses(community, "NOT_POSITIVE", *invite, outsider.idgrid, 0)
    one.client.submit("groups:invite", VPP, outsider.idgrid, 4)
    refuses(community, "NOT_INVITED", outsider.client, *join, 5)
    one.client.submit("groups:dismiss", VPP, outsider.idgrid)
    refuses(community, "NOT_INVITED", outsider.client, *join, 4)
    dismiss = (one.client, "groups:dismiss", VPP, outsider.idgrid)
    refuses(community, "NOT_A_MEMBER", *dismiss)
    one.client.submit("groups:invite", VPP, outsider.idgrid, 4)
    assert outsider.client.submit(*join, 4)["share"] == 4
    refuses(community, "NOT_INVITED", outsider.client, *join, 4)  # it counts once
    outsider.client.submit("membership:leave", outsider.idgrid, "moved away")
    refuses(community, "EXITED", *invite, outsider.idgrid, 1)


def test_weights_count_as_they_were_when_the_group_ordered(community: Community) -> None:
    one, two, _, buyer, seller = community.households
    group_id = "vpp:weights"
    one.client.submit("groups:found", group_id, "", "shares")
    take_in(one, one, 1, group_id)
    take_in(one, two, 3, group_id)
    one.client.submit("groups:place_offer", group_id, LISTING, one.res_id, 4000, 40_000)
    one.client.submit("groups:join", group_id, 10**6)
    community.bid(buyer, 4000, PRICE)
    community.close_and_clear()
    community.deliver({one.idgrid: (0, 4000), buyer.idgrid: (4000, 0)})
    community.settle()
    for _ in range(2):
        done = community.scheduler.submit("groups:split", group_id, LISTING)
        assert [part["received_utoken"] for part in done["parts"]] == [PRICE, 3 * PRICE]
    assert seller.idgrid not in done["credits"]


def test_leaving_holds_at_once_and_what_is_under_way_is_still_shared(
    community: Community,
) -> None:
    one, two, three, buyer, _ = community.households
    one.client.submit("groups:place_offer", VPP, LISTING, one.res_id, 4000, 40_000)
    assert two.client.submit("groups:leave", VPP)["is_leaving"] is True
    assert one.client.submit("groups:dismiss", VPP, three.idgrid)["is_leaving"] is True
    later = "2026-01-15T13"
    community.open(later, opens_at_ms=0)
    offer = ("groups:place_offer", VPP, later, one.res_id, 1000, 40_000)
    assert one.client.submit(*offer)["members"] == [one.idgrid]
    community.bid(two, 1000, PRICE, later)  # it trades for itself again
    community.bid(buyer, 4000, PRICE)
    community.close_and_clear()
    community.deliver({one.idgrid: (0, 1000), two.idgrid: (0, 3000), buyer.idgrid: (4000, 0)})
    community.settle()
    assert parts(community, "sold_wh") == [1000, 3000, 0]
    money_adds_up_but_for_open_orders(community)
    two.client.submit("groups:leave", VPP)
    assert len(group_of(community)["members"]) == 3  # its money is still here
    two.client.submit("groups:draw_out", VPP, 3 * PRICE)
    for home in (two, three):
        home.client.submit("groups:leave", VPP)
    assert [member["idgrid"] for member in group_of(community)["members"]] == [one.idgrid]
    refuses(community, "NOT_A_MEMBER", two.client, "groups:draw_out", VPP, 1)


def money_adds_up_but_for_open_orders(community: Community) -> None:
    view = group_of(community)
    assert view["free_utoken"] + view["locked_utoken"] == sum(balances(community))
    assert community.audit()["difference_utoken"] == 0


def test_a_correction_does_not_bring_a_former_member_back_into_the_group(
    community: Community,
) -> None:
    one, two, three, buyer, _ = community.households
    one.client.submit("groups:place_offer", VPP, LISTING, one.res_id, 4000, 40_000)
    community.bid(buyer, 4000, PRICE)
    community.close_and_clear()
    community.deliver({one.idgrid: (0, 4000), buyer.idgrid: (4000, 0)})
    community.settle()
    parts(community, "sold_wh")
    two.client.submit("groups:leave", VPP)
    substitute = ("settlement:substitute", LISTING)
    community.dso.submit(*substitute, two.idgrid, 0, 4000, "read on site")
    community.dso.submit("settlement:correct", LISTING)
    assert parts(community, "sold_wh") == [2000, 2000, 0]
    later = "2026-01-15T13"
    community.open(later, opens_at_ms=0)
    offer = ("groups:place_offer", VPP, later, one.res_id, 1000, 40_000)
    assert one.client.submit(*offer)["members"] == [one.idgrid, three.idgrid]
    two.client.submit("groups:draw_out", VPP, 2 * PRICE)  # its money is its own all the same


def test_founding_joining_and_leaving(community: Community) -> None:
    one, two, _, _, outsider = community.households
    refuses(community, "ALREADY_EXISTS", two.client, "groups:found", VPP, "again")
    refuses(community, "INVALID_ARGUMENT", two.client, "groups:found", one.idgrid, "x")
    refuses(community, "INVALID_ARGUMENT", two.client, "groups:found", "vpp:x", "x", "lots")
    refuses(community, "NOT_POSITIVE", outsider.client, "groups:join", VPP, 0)
    refuses(community, "NOT_A_MEMBER", outsider.client, "groups:leave", VPP)
    refuses(community, "NOT_A_MEMBER", outsider.client, "groups:pay_in", VPP, 5)
    two.client.submit("groups:pay_in", VPP, 5)
    one.client.submit("groups:invite", VPP, two.idgrid, 9)
    assert two.client.submit("groups:join", VPP, 9)["balance_utoken"] == 5
    assert two.client.submit("groups:leave", VPP)["is_leaving"] is True
    take_in(one, two, 2)
    two.client.submit("groups:draw_out", VPP, 5)
    two.client.submit("groups:leave", VPP)
    with pytest.raises(ContractError, match="NOT_A_MEMBER"):
        two.client.evaluate("groups:get_group", VPP)
    outsider.client.submit("groups:found", "vpp:empty", "")
    bid = ("groups:place_bid", "vpp:empty", LISTING, 1000, PRICE)
    refuses(community, "GROUP_EMPTY", outsider.client, *bid)


HOMES = st.lists(
    st.tuples(st.integers(0, 20_000), st.integers(0, 20_000), st.integers(1, 9)),
    min_size=1,
    max_size=8,
)


@given(HOMES, st.integers(0, 50_000), st.booleans(), st.booleans())
def test_the_parts_of_the_members_are_the_whole(
    homes: list[tuple[int, int, int]], matched_wh: int, sells: bool, by_shares: bool
) -> None:
    names = [f"home-{number}" for number in range(len(homes))]
    metered = {
        name: Metered(bought, sold) for name, (bought, sold, _) in zip(names, homes, strict=True)
    }
    metered["other"] = Metered(60_000, 60_000)
    together = merged(metered, {VPP: names}).metered
    sides = [(VPP, matched_wh, 0), ("other", 0, matched_wh)]
    positions = [
        Position(name, sold, bought, 10**9)
        for name, sold, bought in (sides if sells else [(n, b, s) for n, s, b in sides])
    ]
    tariff = Tariff(PRICE + 1, CAP, 20_003, 777, 33)
    lines = {line.idgrid: line for line in settle_pool(positions, together, tariff).lines}
    line = lines[VPP]
    split = split_line(
        line,
        names,
        metered,
        shares={name: share for name, (_, _, share) in zip(names, homes, strict=True)},
        money_by=SHARES if by_shares else "readings",
    )
    for column in split[0].__slots__:
        if column != "idgrid":
            assert sum(getattr(part, column) for part in split) == getattr(line, column), column
    for part in split:
        assert part.imported_wh == part.bought_wh + part.bought_from_utility_wh
        assert part.exported_wh == part.sold_wh + part.sold_to_utility_wh
        assert min(part.bought_wh, part.sold_wh, part.received_utoken, part.paid_utoken) >= 0


@pytest.mark.parametrize(
    ("kinds", "together"),
    [
        (["measured", "measured"], "measured"),
        (["measured", "estimated"], "estimated"),
        (["substituted", "estimated", "measured"], "substituted"),
        (["measured", "silent"], "missing"),
        (["silent", "substituted", "measured"], "missing"),
        (["silent"], "missing"),
        ([], "missing"),
    ],
)
def test_a_group_is_as_well_measured_as_the_worst_of_its_members(kinds, together) -> None:
    names = [f"{at}-{kind}" for at, kind in enumerate(kinds)]
    metered = {
        name: Metered(10, 5, kind)
        for name, kind in zip(names, kinds, strict=True)
        if kind != "silent"
    }
    found = merged(metered, {VPP: names})
    assert found.metered == {VPP: Metered(10 * len(metered), 5 * len(metered), together)}
    assert found.missing == tuple(name for name in names if name not in metered)
