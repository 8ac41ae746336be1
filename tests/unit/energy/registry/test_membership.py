"""Consent, contract terms, suspension, exit: who may place new orders, and what keeps running."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.energy.errors import Refused
from chaincode.energy.records import encode
from chaincode.energy.registry.records import ContractUse, Participant, Status
from chaincode.energy.registry.trading import (
    order_limit_wh,
    orders_used,
    require_may_trade,
    use_after_order,
)
from chaincode.shim import ContractError
from tests.unit.energy.community import (
    HASH,
    LISTING,
    UTILITY,
    Community,
    Household,
    milliseconds,
    refuses,
)

PRICE = 54_000
NEXT_LISTING = "2026-01-15T11"
TRADER = Participant(
    idgrid="VAL-0001-V",
    role="consumer",
    kind="household",
    mspid="CoopMSP",
    personal_data_hash=HASH,
    status=Status.APPROVED,
    meter_ids=["m"],
    consented_ms=1,
)


@pytest.fixture
def community() -> Community:
    """A prosumer and a consumer in an open listing."""
    founded = Community.found()
    founded.join()
    founded.join(role="consumer")
    founded.open()
    return founded


def bid(home: Household, listing: str = LISTING) -> tuple[str, str, int, int]:
    del home
    return "market:place_bid", listing, 100, PRICE


@pytest.mark.row("E014")
def test_a_source_is_offered_only_with_its_owners_leave_and_consent_has_a_time(
    community: Community,
) -> None:
    seller, buyer = community.households
    community.manager.submit("registry:register_res", "pv-9", seller.idgrid, "solar", 5000)
    community.dso.submit("registry:approve_res", "pv-9")
    offer = ("market:place_offer", LISTING, "pv-9", 1000, PRICE)
    assert refuses(community, "NOT_AUTHORISED", seller.client, *offer).status == 403
    refuses(community, "NOT_YOURS", buyer.client, "registry:authorise_res", "pv-9")
    refuses(community, "ROLE_NOT_ALLOWED", community.manager, "registry:authorise_res", "pv-9")
    refuses(community, "UNKNOWN_RES", seller.client, "registry:authorise_res", "none")
    seller.client.submit("registry:authorise_res", "pv-9")
    seller.client.submit(*offer)
    seller.client.submit("registry:withdraw_res", "pv-9")
    refuses(community, "NOT_AUTHORISED", seller.client, *offer)

    new = community.register(role="consumer")
    assert refuses(community, "CONSENT_REQUIRED", new.client, *bid(new)).status == 403
    new.client.submit("membership:consent", HASH)
    stored = json.loads(community.ledger.state(f"participant~{new.idgrid}") or b"")
    now_ms = milliseconds(community.ledger.now)
    assert (stored["consented_ms"], stored["terms_hash"]) == (now_ms, HASH)
    new.client.submit("access:grant", "market", new.meter_id)
    new.client.submit(*bid(new))
    new.client.submit("membership:withdraw_consent")
    refuses(community, "CONSENT_REQUIRED", new.client, *bid(new))


@pytest.mark.row("E013")
def test_a_contract_limits_orders_and_a_suspended_member_does_not_trade(
    community: Community,
) -> None:
    _, buyer = community.households
    manager = community.manager
    terms = {"orders_max": 2, "incentive_utoken_per_kwh": 500, "priority_class": 1}
    record = manager.submit("membership:set_contract", buyer.idgrid, terms)
    assert (record["incentive_utoken_per_kwh"], record["priority_class"]) == (500, 1)
    buyer.client.submit(*bid(buyer))
    community.open(NEXT_LISTING, opens_at_ms=0)
    buyer.client.submit(*bid(buyer, NEXT_LISTING))
    for listing in (LISTING, NEXT_LISTING):
        refusal = refuses(community, "LIMIT", buyer.client, *bid(buyer, listing))
        assert refusal.status == 409
    manager.submit("membership:set_contract", buyer.idgrid, {"orders_max": 3})
    buyer.client.submit(*bid(buyer))

    suspend = ("membership:suspend", buyer.idgrid, "unpaid bill")
    refuses(community, "ROLE_NOT_ALLOWED", buyer.client, *suspend)
    community.dso.submit(*suspend)
    refusal = refuses(community, "SUSPENDED", buyer.client, *bid(buyer))
    assert refusal.status == 403
    assert "unpaid bill" in str(refusal)
    refuses(community, "WRONG_STATUS", community.dso, *suspend)
    refuses(community, "WRONG_STATUS", community.dso, "registry:approve_participant", buyer.idgrid)
    manager.submit("membership:reinstate", buyer.idgrid)
    buyer.client.submit(*bid(buyer))
    refuses(community, "WRONG_STATUS", manager, "membership:reinstate", buyer.idgrid)


def test_two_orders_in_one_block_cannot_exceed_the_contracts_limit(community: Community) -> None:
    _, buyer = community.households
    community.open(NEXT_LISTING, opens_at_ms=0)
    community.manager.submit("membership:set_contract", buyer.idgrid, {"orders_max": 1})
    orders = [buyer.client.simulate(*bid(buyer, name)) for name in (LISTING, NEXT_LISTING)]
    assert community.ledger.commit(orders) == ["VALID", "MVCC_READ_CONFLICT"]


def test_without_a_limit_orders_in_two_listings_share_a_block(community: Community) -> None:
    seller, _ = community.households
    community.open(NEXT_LISTING, opens_at_ms=0)
    orders = [
        seller.client.simulate("market:place_offer", name, seller.res_id, 100, PRICE)
        for name in (LISTING, NEXT_LISTING)
    ]
    assert community.ledger.commit(orders) == ["VALID", "VALID"]


def test_duration_and_capacity_of_a_contract(community: Community) -> None:
    _, buyer = community.households
    now_ms = milliseconds(community.ledger.now)
    later = {"from_ms": now_ms + 60_000, "until_ms": now_ms + 120_000, "capacity_w": 3_000}
    community.manager.submit("membership:set_contract", buyer.idgrid, later)
    assert refuses(community, "NO_CONTRACT", buyer.client, *bid(buyer)).status == 403
    community.ledger.advance(minutes=1)
    buyer.client.submit(*bid(buyer))
    too_much = ("market:place_bid", LISTING, 2_901, PRICE)
    refuses(community, "CAP_EXCEEDED", buyer.client, *too_much)
    buyer.client.submit("market:place_bid", LISTING, 2_900, PRICE)
    community.ledger.advance(minutes=1)
    refuses(community, "NO_CONTRACT", buyer.client, *bid(buyer))


@pytest.mark.parametrize(
    "terms",
    [
        {"from_ms": 5, "until_ms": 5},
        {"orders_max": -1},
        {"orders_max": True},
        {"capacity_w": 10**10},
        {"priority_class": 10},
        {"discount": 1},
        [],
    ],
)
def test_malformed_terms_are_refused(community: Community, terms: object) -> None:
    name = community.households[0].idgrid
    refuses(
        community, "INVALID_ARGUMENT", community.manager, "membership:set_contract", name, terms
    )


def test_a_member_that_leaves_is_settled_and_its_idgrid_never_given_again(
    community: Community,
) -> None:
    seller, buyer = community.households
    community.offer(seller, 1000, 40_000)
    community.bid(buyer, 1000, PRICE)
    leave = ("membership:leave", buyer.idgrid, "moved away")
    refuses(community, "NOT_YOURS", seller.client, *leave)
    refuses(community, "ROLE_NOT_ALLOWED", community.dso, *leave)
    assert buyer.client.submit(*leave)["status"] == "exited"
    assert refuses(community, "EXITED", buyer.client, *bid(buyer)).status == 403
    refuses(community, "WRONG_STATUS", buyer.client, *leave)
    refuses(community, "EXITED", buyer.client, "membership:consent", HASH)
    refuses(community, "WRONG_STATUS", community.dso, "registry:approve_participant", buyer.idgrid)
    again = ("registry:register_participant", buyer.idgrid, "consumer", HASH)
    refuses(community, "ALREADY_EXISTS", community.manager, *again)
    community.close_and_clear()
    community.deliver({seller.idgrid: (0, 1000), buyer.idgrid: (1000, 0)})
    assert community.settle()["settled_wh"] == 1000
    expel = ("membership:leave", seller.idgrid, "fraud")
    assert community.manager.submit(*expel)["status_reason"] == "fraud"


@pytest.mark.row("E006")
def test_a_street_light_buys_and_stands_in_the_result(community: Community) -> None:
    seller, _ = community.households
    light = community.join(role="consumer", kind="public_lighting")
    community.offer(seller, 500, 40_000)
    community.bid(light, 500, PRICE)
    matches = community.close_and_clear()["matches"]
    assert [m["matched_wh"] for m in matches if m["idgrid"] == light.idgrid] == [500]
    record = community.manager.evaluate("registry:get_participant", light.idgrid)
    assert record["kind"] == "public_lighting"


def test_utility_and_auditor_are_roles_that_members_may_issue() -> None:
    community = Community.found()
    [home] = [community.join()]
    for role in ("utility", "auditor"):
        client = community.ledger.client(UTILITY, role, attributes={"role": role})
        assert client.evaluate("tokens:account", home.idgrid)["idgrid"] == home.idgrid
        with pytest.raises(ContractError, match="ROLE_NOT_ALLOWED"):
            client.submit("registry:approve_participant", home.idgrid)


# -- the pure rules -------------------------------------------------------------------------------


@given(
    now_ms=st.integers(0, 100),
    begin=st.none() | st.integers(0, 100),
    end=st.none() | st.integers(0, 100),
    status=st.sampled_from(list(Status)),
    consented=st.booleans(),
    limit=st.none() | st.integers(0, 3),
    used=st.integers(0, 4),
)
def test_who_may_trade_is_exactly_who_is_approved_consenting_and_within_its_contract(
    now_ms: int,
    begin: int | None,
    end: int | None,
    status: Status,
    consented: bool,
    limit: int | None,
    used: int,
) -> None:
    trader = replace(
        TRADER,
        status=status,
        consented_ms=1 if consented else None,
        contract_id="c",
        contract_from_ms=begin,
        contract_until_ms=end,
        contract_orders_max=limit,
    )
    use_raw = encode(ContractUse(idgrid=trader.idgrid, contract_id="c", orders=used))
    allowed = (
        status is Status.APPROVED
        and consented
        and (begin is None or begin <= now_ms)
        and (end is None or now_ms < end)
        and (limit is None or used < limit)
    )
    if allowed:
        require_may_trade(trader, now_ms, use_raw=use_raw)
    else:
        with pytest.raises(Refused):
            require_may_trade(trader, now_ms, use_raw=use_raw)


def test_orders_of_an_earlier_contract_do_not_count() -> None:
    use_raw = encode(ContractUse(idgrid=TRADER.idgrid, contract_id="old", orders=7))
    limited = replace(TRADER, contract_id="new", contract_orders_max=2)
    assert orders_used(limited, use_raw) == 0
    assert use_after_order(limited, use_raw) == ContractUse(TRADER.idgrid, "new", 1)
    assert use_after_order(TRADER, use_raw) is None


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.sampled_from([900_000, 3_600_000]))
def test_a_connections_energy_is_its_power_for_the_slot(
    capacity_w: int, max_order_wh: int, slot_ms: int
) -> None:
    limited = replace(TRADER, contract_capacity_w=capacity_w)
    limit_wh = order_limit_wh(limited, max_order_wh=max_order_wh, slot_ms=slot_ms)
    assert limit_wh == min(max_order_wh, capacity_w * slot_ms // 3_600_000)
    assert order_limit_wh(TRADER, max_order_wh=max_order_wh, slot_ms=slot_ms) == max_order_wh
