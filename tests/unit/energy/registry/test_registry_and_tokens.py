"""Registry, token accounts and the community's roles."""

import json
from dataclasses import asdict

import pytest

from chaincode.energy.idgrid import with_check_character
from chaincode.energy.registry.records import Participant
from chaincode.shim import ContractError
from tests.unit.energy.community import COOP, DSO, HASH, UTILITY, Community, refuses

IDGRID = with_check_character("VAL-0001")


def test_an_idgrid_is_registered_once_and_never_again() -> None:
    community = Community.found()
    arguments = ("registry:register_participant", IDGRID, "prosumer", HASH)
    record = community.manager.submit(*arguments)
    assert record == community.manager.evaluate("registry:get_participant", IDGRID)
    expected = Participant(
        idgrid=IDGRID,
        role="prosumer",
        kind="household",
        mspid=COOP,
        personal_data_hash=HASH,
        status="pending",
    )
    assert record == asdict(expected)
    assert refuses(community, "ALREADY_EXISTS", community.manager, *arguments).status == 409
    for client in (community.dso, community.oracle):
        refuses(community, "ROLE_NOT_ALLOWED", client, *arguments)


@pytest.mark.parametrize(
    ("idgrid", "role", "digest", "kind"),
    [
        ("", "prosumer", HASH, "household"),
        ("VAL-0001-A", "prosumer", HASH, "household"),
        ("val-0001-x", "prosumer", HASH, "household"),
        (IDGRID, "community_manager", HASH, "household"),
        (IDGRID, "prosumer", "Jane Doe", "household"),
        (IDGRID, "prosumer", HASH.upper(), "household"),
        (IDGRID, "prosumer", HASH, "castle"),
    ],
)
def test_malformed_registrations_are_refused(
    idgrid: str, role: str, digest: str, kind: str
) -> None:
    community = Community.found()
    arguments = ("registry:register_participant", idgrid, role, digest, kind)
    refusal = refuses(community, "INVALID_ARGUMENT", community.manager, *arguments)
    assert refusal.status == 422


def test_only_the_grid_operator_approves() -> None:
    community = Community.found()
    home = community.join()
    for function, name in (
        ("registry:approve_participant", home.idgrid),
        ("registry:approve_res", home.res_id),
        ("registry:approve_meter", home.meter_id),
    ):
        refuses(community, "ROLE_NOT_ALLOWED", community.manager, function, name)
        refuses(community, "ROLE_NOT_ALLOWED", home.client, function, name)
    for function, code in (
        ("registry:approve_participant", "UNKNOWN_PARTICIPANT"),
        ("registry:approve_res", "UNKNOWN_RES"),
        ("registry:approve_meter", "UNKNOWN_METER"),
    ):
        refuses(community, code, community.dso, function, "nobody")


def test_owners_register_their_own_sources_and_meters_only() -> None:
    community = Community.found()
    home, other = community.join(), community.join(role="consumer")
    record = home.client.submit("registry:register_res", "wind-1", home.idgrid, "wind", 900)
    assert (record["owner_idgrid"], record["status"]) == (home.idgrid, "pending")
    point = home.meter.public_key.hex()
    submeter = ("registry:register_meter", "sub-1", home.idgrid, point, "wind-1")
    assert home.client.submit(*submeter)["res_id"] == "wind-1"
    refuses(
        community, "NOT_YOURS", other.client, "registry:register_res", "w", home.idgrid, "wind", 1
    )
    manager = community.manager
    for code, arguments in (
        ("ROLE_NOT_ALLOWED", ("registry:register_res", "w", other.idgrid, "wind", 1)),
        ("NOT_POSITIVE", ("registry:register_res", "w", home.idgrid, "wind", 0)),
        ("INVALID_ARGUMENT", ("registry:register_res", "a~b", home.idgrid, "wind", 1)),
        ("INVALID_ARGUMENT", ("registry:register_res", "w", home.idgrid, "coal", 1)),
        ("ALREADY_EXISTS", ("registry:register_res", "wind-1", home.idgrid, "wind", 1)),
        ("NOT_YOURS", ("registry:register_meter", "m", other.idgrid, point, "wind-1")),
        ("UNKNOWN_RES", ("registry:register_meter", "m", home.idgrid, point, "none")),
        ("INVALID_ARGUMENT", ("registry:register_meter", "m", home.idgrid, "00" * 65)),
        ("INVALID_ARGUMENT", ("registry:register_meter", "m", home.idgrid, "no key")),
        ("INVALID_ARGUMENT", ("registry:register_meter", "m", home.idgrid, "k" * 5000)),
        ("UNKNOWN_PARTICIPANT", ("registry:register_meter", "m", IDGRID + "x", point)),
    ):
        refuses(community, code, manager, *arguments)


def test_staff_roles_count_only_from_the_members_named() -> None:
    community = Community.found()
    home = community.join()
    roles = {"community_manager": [COOP], "dso": [DSO], "oracle": [DSO], "scheduler": [COOP]}
    without_me = {"community_manager": [UTILITY]}
    refuses(community, "INVALID_ARGUMENT", community.manager, "registry:configure", without_me)
    refuses(community, "INVALID_ARGUMENT", community.manager, "registry:configure", {"king": []})
    community.manager.submit("registry:configure", roles)
    mint = ("tokens:deposit", home.idgrid, 10**6, "forged")
    forger = community.ledger.client(UTILITY, "f", attributes={"role": "community_manager"})
    assert refuses(community, "ROLE_NOT_ALLOWED", forger, *mint).status == 403
    refuses(community, "ROLE_NOT_ALLOWED", forger, "registry:configure", roles)
    auditor = community.ledger.client(COOP, "a", attributes={"role": "auditor"})
    with pytest.raises(ContractError, match="may not issue auditor"):
        auditor.evaluate("tokens:audit")
    community.manager.submit(*mint)


def test_deposits_are_the_supply_and_only_the_manager_makes_them() -> None:
    community = Community.found()
    home = community.join(tokens=0)
    deposit = ("tokens:deposit", home.idgrid, 5_000_000, "bank transfer 17")
    for client in (home.client, community.dso, community.scheduler):
        refuses(community, "ROLE_NOT_ALLOWED", client, *deposit)
    community.manager.submit(*deposit)
    community.manager.submit(*deposit)
    assert community.account(home)["free_utoken"] == 10_000_000
    assert community.audit() == {
        "deposited_utoken": 10_000_000,
        "redeemed_utoken": 0,
        "free_utoken": 0,
        "payouts_utoken": 10_000_000,
        "escrowed_utoken": 0,
        "difference_utoken": 0,
        "following": "",
    }
    keys = community.ledger.keys("deposit~")
    records = [json.loads(community.ledger.state(key) or b"") for key in keys]
    assert [record["amount_utoken"] for record in records] == [5_000_000] * 2
    manager = community.manager
    refuses(community, "NOT_POSITIVE", manager, "tokens:deposit", home.idgrid, 0, "")
    refuses(community, "NOT_POSITIVE", manager, "tokens:deposit", home.idgrid, -1, "")
    refuses(community, "INVALID_ARGUMENT", manager, "tokens:deposit", home.idgrid, 10**19, "")
    refuses(community, "INVALID_ARGUMENT", manager, "tokens:deposit", home.idgrid, 1, "x\n")
    refuses(community, "UNKNOWN_PARTICIPANT", manager, "tokens:deposit", "x", 1, "")


def test_two_deposits_for_one_account_in_one_block_both_count() -> None:
    community = Community.found()
    home = community.join(tokens=0)
    deposits = [
        community.manager.simulate("tokens:deposit", home.idgrid, 100, str(n)) for n in range(5)
    ]
    assert community.ledger.commit(deposits) == ["VALID"] * 5
    assert community.account(home)["free_utoken"] == 500


@pytest.mark.parametrize("reader", ["stranger", "neighbour"])
def test_an_account_is_shown_to_its_owner_and_staff(reader: str) -> None:
    community = Community.found()
    home, neighbour = community.join(), community.join()
    assert community.dso.evaluate("tokens:account", home.idgrid)["free_utoken"] == 10**9
    stranger = community.ledger.client(UTILITY, "s")
    client = {"stranger": stranger, "neighbour": neighbour.client}[reader]
    with pytest.raises(ContractError) as refusal:
        client.evaluate("tokens:account", home.idgrid)
    assert refusal.value.status == 403


def test_no_personal_data_can_reach_the_ledger_by_registration() -> None:
    community = Community.found()
    community.join()
    for key in community.ledger.keys("participant~"):
        record = json.loads(community.ledger.state(key) or b"")
        assert not {"name", "e_mail", "email", "address", "phone"} & set(record)
