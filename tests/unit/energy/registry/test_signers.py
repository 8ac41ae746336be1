"""Which keys act for a household: several devices, one revoked, a lost one recovered, an agent."""

import pytest

from chaincode.energy.registry.signers import RECOVERY_COOL_DOWN_MS, SIGNERS_MAX
from chaincode.shim import ContractError
from chaincode.shim.testing import TestClient
from ledger.crypto.certificates import parse_certificate
from ledger.crypto.hashing import sha256
from tests.unit.energy.community import COOP, HASH, LISTING, Community, Household, refuses

COOL_DOWN_S = RECOVERY_COOL_DOWN_MS // 1000


@pytest.fixture
def community() -> Community:
    founded = Community.found()
    founded.join()
    founded.join(role="consumer")
    return founded


def device(community: Community, home: Household, name: str, role: str = "prosumer") -> TestClient:
    """One more certificate of the member with the household's IDgrid; its key goes by the name."""
    attributes = {"role": role, "idgrid": home.idgrid}
    return community.ledger.client(COOP, name, attributes=attributes)


def fingerprint(client: TestClient) -> str:
    return sha256(parse_certificate(client.identity.certificate_pem).public_key_der).hex()


def signers(community: Community, home: Household) -> dict:
    return community.manager.evaluate("registry:get_participant", home.idgrid)["signers"]


def consents(client: TestClient) -> None:
    """Something a household does that changes nothing."""
    client.submit("membership:consent", HASH)


def test_a_certificate_alone_does_not_act_once_the_keys_are_named(community: Community) -> None:
    home = community.households[0]
    phone, forged = (device(community, home, name) for name in ("phone", "forged"))
    consents(forged)  # no key is named yet: the member's word is enough
    community.manager.submit("signers:enrol", home.idgrid, fingerprint(phone))
    consents(phone)
    for stranger in (forged, home.client):
        refusal = refuses(community, "KEY_NOT_ACTIVE", stranger, "membership:consent", HASH)
        assert refusal.status == 403
    enrol = ("signers:enrol", home.idgrid, fingerprint(forged))
    refuses(community, "ALREADY_ENROLLED", community.manager, *enrol)
    refuses(community, "ROLE_NOT_ALLOWED", community.dso, *enrol)
    refuses(community, "ROLE_NOT_ALLOWED", phone, *enrol)


def test_a_household_has_several_devices_and_revokes_one(community: Community) -> None:
    home = community.households[0]
    phone, tablet = (device(community, home, name) for name in ("phone", "tablet"))
    home.client.submit("signers:add", fingerprint(phone))
    assert set(signers(community, home)) == {fingerprint(phone), fingerprint(home.client)}
    phone.submit("signers:add", fingerprint(tablet))
    assert community.ledger.events[-1].name == "SignerAdded"
    refuses(community, "ALREADY_EXISTS", phone, "signers:add", fingerprint(tablet))
    community.open()
    community.ledger.advance(minutes=1)
    tablet.submit("market:place_offer", LISTING, home.res_id, 500, 30_000)

    phone.submit("signers:revoke", home.idgrid, fingerprint(tablet))
    assert community.ledger.events[-1].name == "SignerRevoked"
    order = ("market:place_offer", LISTING, home.res_id, 500, 30_000)
    refuses(community, "KEY_NOT_ACTIVE", tablet, *order)
    refuses(community, "UNKNOWN_SIGNER", phone, "signers:revoke", home.idgrid, fingerprint(tablet))
    refuses(community, "KEY_NOT_ACTIVE", tablet, "signers:add", HASH)
    community.ledger.advance(minutes=-10)  # a client may date a transaction back
    refuses(community, "KEY_NOT_ACTIVE", tablet, "signers:add", HASH)
    community.ledger.advance(minutes=10)
    phone.submit(*order)
    placed = community.manager.evaluate("market:get_orders", LISTING, home.idgrid)
    assert len(placed) == 2  # what the revoked device ordered before stays


def test_nobody_names_or_revokes_keys_of_another_household(community: Community) -> None:
    home, other = community.households
    phone = device(community, home, "phone")
    home.client.submit("signers:add", fingerprint(phone))
    revoke = ("signers:revoke", home.idgrid, fingerprint(phone))
    refuses(community, "NOT_YOURS", other.client, *revoke)
    refuses(community, "ROLE_NOT_ALLOWED", community.dso, *revoke)
    refuses(community, "INVALID_ARGUMENT", home.client, "signers:add", "not a fingerprint")
    refuses(community, "INVALID_ARGUMENT", home.client, "signers:add", HASH, "admin")
    community.manager.submit(*revoke)
    refuses(community, "KEY_NOT_ACTIVE", phone, "membership:consent", HASH)


def test_a_recovered_key_acts_after_the_cool_down_and_ends_the_others(
    community: Community,
) -> None:
    home = community.households[0]
    lost, new, late = (device(community, home, name) for name in ("lost", "new", "late"))
    community.manager.submit("signers:enrol", home.idgrid, fingerprint(lost))
    community.manager.submit("signers:recover", home.idgrid, fingerprint(new))
    assert community.ledger.events[-1].name == "RecoveryStarted"
    recover = ("signers:recover", home.idgrid, fingerprint(late))
    refuses(community, "RECOVERY_PENDING", community.manager, *recover)
    refuses(community, "KEY_NOT_ACTIVE", new, "membership:consent", HASH)
    consents(lost)
    community.ledger.advance(seconds=COOL_DOWN_S - 1)
    refuses(community, "KEY_NOT_ACTIVE", new, "membership:consent", HASH)
    community.ledger.advance(seconds=2)
    consents(new)
    refuses(community, "KEY_NOT_ACTIVE", lost, "membership:consent", HASH)
    assert new.evaluate("tokens:account", home.idgrid)["free_utoken"] == 10**9
    with pytest.raises(ContractError, match="KEY_NOT_ACTIVE"):
        lost.evaluate("tokens:account", home.idgrid)


def test_the_household_undoes_a_recovery_it_did_not_ask_for(community: Community) -> None:
    home = community.households[0]
    phone, thief = (device(community, home, name) for name in ("phone", "thief"))
    community.manager.submit("signers:enrol", home.idgrid, fingerprint(phone))
    before = signers(community, home)
    community.manager.submit("signers:recover", home.idgrid, fingerprint(thief))
    phone.submit("signers:revoke", home.idgrid, fingerprint(thief))
    assert signers(community, home) == before
    community.ledger.advance(seconds=2 * COOL_DOWN_S)
    refuses(community, "KEY_NOT_ACTIVE", thief, "membership:consent", HASH)
    consents(phone)


def test_an_agent_carries_out_standing_orders_and_nothing_else(community: Community) -> None:
    home = community.households[1]
    agent = device(community, home, "agent", role="consumer")
    home.client.submit("signers:add", fingerprint(agent), "agent")
    standing = {
        "side": "bid",
        "energy_wh": 500,
        "price_utoken_per_kwh": 60_000,
        "until_ms": 4_000_000_000_000,
        "budget_utoken": 60_000,
    }
    placed = home.client.submit("standing:place", standing)
    community.open()
    community.ledger.advance(minutes=1)
    refuses(community, "KEY_NOT_ACTIVE", agent, "market:place_bid", LISTING, 500, 60_000)
    refuses(community, "KEY_NOT_ACTIVE", agent, "standing:place", standing)
    refuses(community, "KEY_NOT_ACTIVE", agent, "signers:add", HASH)
    made = agent.submit("standing:carry_out", LISTING, home.idgrid, placed["standing_id"])
    assert made["is_new"]
    home.client.submit("signers:revoke", home.idgrid, fingerprint(agent))
    later = "2026-01-15T11"
    community.open(later)
    carry_out = ("standing:carry_out", later, home.idgrid, placed["standing_id"])
    refuses(community, "KEY_NOT_ACTIVE", agent, *carry_out)


def test_keys_that_ended_make_room_and_active_ones_do_not(community: Community) -> None:
    home = community.households[0]
    names = [sha256(bytes([number])).hex() for number in range(SIGNERS_MAX)]
    for name in names[: SIGNERS_MAX - 1]:
        home.client.submit("signers:add", name)
    refuses(community, "TOO_MANY_SIGNERS", home.client, "signers:add", names[-1])
    home.client.submit("signers:revoke", home.idgrid, names[0])
    home.client.submit("signers:add", names[-1])
    assert names[0] not in signers(community, home)
