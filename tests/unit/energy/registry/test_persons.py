"""Names and e-mail addresses: found by those allowed, unique, and nowhere in public state."""

import hashlib
import json
from typing import Any

import pytest

from chaincode.energy.idgrid import with_check_character
from chaincode.shim import ContractError
from chaincode.shim.testing import TestClient
from tests.unit.energy.community import COOP, DSO, HASH, UTILITY, Community, Household, refuses

NAME, EMAIL = "Ada Lovelace", "ada@example.org"
SALT = b"0123456789abcdef"
NEW = with_check_character("VAL-4711")


def private(name: str = NAME, email: str = EMAIL, salt: bytes = SALT) -> dict[str, bytes]:
    return {"name": name.encode(), "email": email.encode(), "salt": salt}


def refuses_private(
    community: Community,
    code: str,
    client: TestClient,
    function: str,
    *args: str,
    transient: dict[str, bytes],
) -> ContractError:
    with pytest.raises(ContractError) as refusal:
        client.submit(function, *args, transient=transient)
    assert refusal.value.code == code, refusal.value
    return refusal.value


@pytest.fixture
def community() -> Community:
    """Two households, and a register of persons that is open."""
    founded = Community.found()
    founded.join()
    founded.join()
    founded.manager.submit("persons:set_index_key", transient={"index_key": b"k" * 32})
    return founded


def registered(community: Community, idgrid: str = NEW, **values: Any) -> Household:
    """A person's data first, then the participant under the salted hash of them."""
    done = community.manager.submit("persons:record", idgrid, transient=private(**values))
    digest = done["personal_data_hash"]
    community.manager.submit("registry:register_participant", idgrid, "consumer", digest)
    client = community.ledger.client(
        COOP, idgrid, attributes={"role": "consumer", "idgrid": idgrid}
    )
    home = community.households[0]
    return Household(client=client, idgrid=idgrid, meter_id="", meter=home.meter, res_id="")


def test_the_record_is_found_by_idgrid_and_by_e_mail_with_its_balance(
    community: Community,
) -> None:
    person = registered(community)
    community.manager.submit("tokens:deposit", NEW, 77, "cash")
    for client in (community.manager, person.client):
        found = client.evaluate("persons:get", NEW)
        assert (found["name"], found["email"], found["idgrid"]) == (NAME, EMAIL, NEW)
        assert found["account"]["free_utoken"] == 77
        assert found["participant"]["personal_data_hash"] == found["personal_data_hash"]
        by_email = client.evaluate("persons:find", transient={"email": b"Ada@Example.ORG"})
        assert by_email == found


def test_a_notifier_reads_the_address_and_nothing_else(community: Community) -> None:
    registered(community)
    notifier = community.ledger.client(COOP, "mailer", attributes={"role": "notifier"})
    for client in (notifier, community.manager):
        assert client.evaluate("persons:address", NEW) == {"email": EMAIL}
    for function, *args in (("persons:get", NEW), ("tokens:audit",)):
        with pytest.raises(ContractError, match="ROLE_NOT_ALLOWED"):
            notifier.evaluate(function, *args)
    with pytest.raises(ContractError, match="ROLE_NOT_ALLOWED"):
        community.dso.evaluate("persons:address", NEW)
    with pytest.raises(ContractError, match="UNKNOWN_PERSON"):
        notifier.evaluate("persons:address", community.households[0].idgrid)


def test_an_address_is_used_once_whatever_its_case(community: Community) -> None:
    registered(community)
    second = with_check_character("VAL-4712")
    for email in (EMAIL, EMAIL.upper()):
        transient = private("Somebody", email, b"f" * 16)
        refusal = refuses_private(
            community,
            "EMAIL_TAKEN",
            community.manager,
            "persons:record",
            second,
            transient=transient,
        )
        assert refusal.status == 409
    again = ("persons:record", NEW)
    transient = private(email="x@example.org")
    refuses_private(community, "ALREADY_EXISTS", community.manager, *again, transient=transient)


def test_two_persons_with_one_address_in_one_block(community: Community) -> None:
    both = [
        community.manager.simulate(
            "persons:record", with_check_character(f"VAL-000{n}"), transient=private()
        )
        for n in (7, 8)
    ]
    assert community.ledger.commit(both) == ["VALID", "MVCC_READ_CONFLICT"]


@pytest.mark.row("E115")
def test_another_member_sees_the_hash_and_not_the_value(community: Community) -> None:
    registered(community)
    ledger = community.ledger
    raw = ledger.private_state(COOP, "persons", f"person~{NEW}")
    assert raw is not None
    assert NAME.encode() in raw
    assert ledger.private_state(DSO, "persons", f"person~{NEW}") == raw
    community.ledger.client(UTILITY, "u")
    assert ledger.private_state(UTILITY, "persons", f"person~{NEW}") is None
    public = json.loads(ledger.state(f"participant~{NEW}") or b"")
    assert public["personal_data_hash"] == hashlib.sha256(raw).hexdigest()
    everything = (
        b"".join(key.encode() + (ledger.state(key) or b"") for key in ledger.keys(""))
        + repr(ledger.events).encode()
    )
    for secret in (NAME, EMAIL, SALT.hex(), "Lovelace"):
        assert secret.encode() not in everything


def test_only_the_manager_and_the_person_itself_may_look(community: Community) -> None:
    registered(community)
    neighbour = community.households[0].client
    stranger = community.ledger.client(UTILITY, "s", attributes={"role": "community_manager"})
    community.manager.submit("registry:configure", {"community_manager": [COOP], "dso": [DSO]})
    email = {"email": EMAIL.encode()}
    for client in (neighbour, community.dso, stranger):
        for function, args, transient in (
            ("persons:get", (NEW,), {}),
            ("persons:find", (), email),
        ):
            with pytest.raises(ContractError):
                client.evaluate(function, *args, transient=transient)
    for known in (EMAIL, "nobody@example.org"):
        with pytest.raises(ContractError) as refusal:
            neighbour.evaluate("persons:find", transient={"email": known.encode()})
        assert refusal.value.code == "NOT_YOURS"
    with pytest.raises(ContractError, match="UNKNOWN_PERSON"):
        community.manager.evaluate("persons:find", transient={"email": b"nobody@example.org"})
    for function in ("persons:record", "persons:change"):
        for client in (neighbour, community.dso):
            refuses_private(
                community, "ROLE_NOT_ALLOWED", client, function, NEW, transient=private()
            )


@pytest.mark.parametrize(
    "transient",
    [
        {},
        {"name": b"A", "email": b"a@b.c"},
        private(salt=b"short"),
        private(name=""),
        private(name=" A"),
        private(name="A\n"),
        private(name="x" * 129),
        private(email="nobody"),
        private(email="a b@c.d"),
        private(email="x:ana@coop.example"),
        private(email="ana@coop.example,"),
        private(email="<ana@coop.example>"),
        private(email=".ana@coop.example"),
        private(email="ana@coop..example"),
        private(email="jos\u00e9@example.org"),
        private(email="K@\u212a.org"),
        private(email="a" * 250 + "@b.cd"),
        private() | {"name": b"\xff"},
    ],
)
def test_malformed_personal_data_are_refused(
    community: Community, transient: dict[str, bytes]
) -> None:
    refusal = refuses_private(
        community,
        "INVALID_ARGUMENT",
        community.manager,
        "persons:record",
        NEW,
        transient=transient,
    )
    assert NAME not in str(refusal)


def test_a_change_purges_what_was_and_the_registry_follows(community: Community) -> None:
    registered(community)
    other = private("Ada King", "king@example.org", b"z" * 16)
    digest = community.manager.submit("persons:change", NEW, transient=other)
    change = ("membership:set_personal_data_hash", NEW, digest["personal_data_hash"])
    refuses(community, "ROLE_NOT_ALLOWED", community.dso, *change)
    community.manager.submit(*change)
    found = community.manager.evaluate("persons:find", transient={"email": b"king@example.org"})
    assert found["name"] == "Ada King"
    assert found["participant"]["personal_data_hash"] == found["personal_data_hash"]
    registered(community, with_check_character("VAL-4712"))  # the former address is free
    refuses_private(
        community, "EMAIL_TAKEN", community.manager, "persons:change", NEW, transient=private()
    )


def test_who_has_left_is_forgotten(community: Community) -> None:
    person = registered(community)
    erase = ("persons:erase", NEW)
    refuses(community, "WRONG_STATUS", community.manager, *erase)
    person.client.submit("membership:leave", NEW)
    refuses(community, "ROLE_NOT_ALLOWED", person.client, *erase)
    community.manager.submit(*erase)
    for mspid in (COOP, DSO):
        assert community.ledger.private_state(mspid, "persons", f"person~{NEW}") is None
    refuses(community, "UNKNOWN_PERSON", community.manager, *erase)


def test_the_data_must_fit_the_hash_that_is_registered(community: Community) -> None:
    home = community.households[0]
    assert (
        community.manager.evaluate("registry:get_participant", home.idgrid)["personal_data_hash"]
        == HASH
    )
    record = ("persons:record", home.idgrid)
    refusal = refuses_private(
        community, "PERSON_MISMATCH", community.manager, *record, transient=private()
    )
    assert refusal.status == 409


def test_the_secret_of_the_index_is_set_once_and_first() -> None:
    community = Community.found()
    key = {"index_key": b"k" * 32}
    refuses_private(
        community, "NO_INDEX_KEY", community.manager, "persons:record", NEW, transient=private()
    )
    short = {"index_key": b"k" * 31}
    refuses_private(
        community, "INVALID_ARGUMENT", community.manager, "persons:set_index_key", transient=short
    )
    community.manager.submit("persons:set_index_key", transient=key)
    refuses_private(
        community, "ALREADY_EXISTS", community.manager, "persons:set_index_key", transient=key
    )
