"""Staff and households sign in with passkeys of their own, see their sessions, and end them."""

import secrets
from collections.abc import Iterator

import httpx
import pytest

from gateway.identity.own_sessions import STAFF_LINK_LIFETIME_MS
from tests.e2e.browser.village import Village, village
from tests.support.passkey_device import PasskeyDevice
from tests.unit.energy.community import Household
from tests.unit.gateway import test_people as people

HOST = "localhost"


@pytest.fixture(scope="module")
def it() -> Iterator[Village]:
    with village() as running:
        running.url = running.url.replace("127.0.0.1", HOST)
        yield running


@pytest.fixture
def home(it: Village) -> Household:
    return it.act(lambda community: community.join())


@pytest.fixture(autouse=True)
def _clients_are_closed() -> Iterator[None]:
    yield
    while people.CLIENTS:
        people.CLIENTS.pop().close()


def a_device(it: Village) -> PasskeyDevice:
    return PasskeyDevice(it.url, HOST, secrets.token_bytes(32))


def enrol(client: httpx.Client, device: PasskeyDevice, label: str = "Ana, phone") -> str:
    """The id of a new passkey of who is signed in."""
    options = client.post("/v1/passkeys/options", json={}).json()
    body = {"credential": device.made(options), "label": label}
    made = client.post("/v1/passkeys", json=body)
    assert made.status_code == 204, made.text
    return str(client.get("/v1/passkeys").json()["items"][-1]["passkey_id"])


def answer(it: Village, device: PasskeyDevice) -> dict[str, object]:
    return {
        "credential": device.answered(people.http(it).post("/v1/login/passkey/options").json())
    }


def sign_in(it: Village, device: PasskeyDevice) -> httpx.Client:
    client = people.http(it)
    found = client.post("/v1/login/passkey", json=answer(it, device))
    assert found.status_code == 204, found.text
    return client


def is_manager(client: httpx.Client) -> bool:
    return client.get("/console", headers={"accept": "text/html"}).status_code == 200


def test_staff_who_came_by_a_link_once_come_back_with_a_passkey_and_are_staff(it) -> None:
    device = a_device(it)
    first = people.signed_in(it, is_manager=True)
    enrol(first, device)
    assert first.post("/logout").status_code == 303
    client = sign_in(it, device)
    assert is_manager(client)
    people.refused(client.get("/v1/accounts/VAL-0000-G"), 404, "not-found")
    assert ("manager", "passkey login") in people.log(it, "")
    newest = it.services.people.log.entries(limit=1)[0]
    assert (newest.actor, newest.idgrid, newest.detail) == ("manager", "", "Ana, phone")
    sessions = client.get("/v1/sessions").json()["items"]
    (this,) = [one for one in sessions if one["is_this"]]
    assert (this["way"], this["label"]) == ("passkey", "Ana, phone")
    assert client.get("/console/exports/devices.csv").status_code == 200
    assert client.post("/v1/login/links", json={}).status_code == 201
    told = it.services.people.log.entries(limit=2)
    assert [one.action for one in told] == ["link written", "export"]
    assert {one.actor for one in told} == {"manager: Ana, phone"}


def test_an_answer_that_was_used_opens_nothing_again(it) -> None:
    device = a_device(it)
    enrol(people.signed_in(it, is_manager=True), device)
    body = answer(it, device)
    assert people.http(it).post("/v1/login/passkey", json=body).status_code == 204
    replayed = people.http(it).post("/v1/login/passkey", json=body)
    people.refused(replayed, 401, "login-failed")


@pytest.mark.parametrize("wrong", ["origin", "key", "count"])
def test_another_site_s_answer_another_key_s_and_a_copied_passkey_open_nothing(it, wrong) -> None:
    device = a_device(it)
    enrol(people.signed_in(it, is_manager=True), device)
    sign_in(it, device)
    if wrong == "origin":
        device.origin = "https://gridledger.example"
    if wrong == "key":
        device.key = a_device(it).key
    if wrong == "count":
        device.count = 0
    refused = people.http(it).post("/v1/login/passkey", json=answer(it, device))
    people.refused(refused, 401, "login-failed")


def test_a_household_s_passkey_opens_the_household_s_account_and_no_other(it, home) -> None:
    other = it.act(lambda community: community.join())
    device, staff_device = a_device(it), a_device(it)
    passkey_id = enrol(people.signed_in(it, home.idgrid), device)
    staff = people.signed_in(it, is_manager=True)
    staff_id = enrol(staff, staff_device)
    client = sign_in(it, device)
    assert client.get(f"/v1/accounts/{home.idgrid}").status_code == 200
    people.refused(client.get(f"/v1/accounts/{other.idgrid}"), 403, "forbidden")
    assert not is_manager(client)
    people.refused(client.post("/v1/login/links", json={}), 403, "forbidden")
    for stranger, foreign in (
        (client, staff_id),
        (people.signed_in(it, other.idgrid), passkey_id),
        (staff, passkey_id),
    ):
        known = [one["passkey_id"] for one in stranger.get("/v1/passkeys").json()["items"]]
        assert foreign not in known
        people.refused(stranger.delete(f"/v1/passkeys/{foreign}"), 404, "not-found")
    people.refused(people.http(it).get("/v1/passkeys"), 401, "not-signed-in")
    assert is_manager(sign_in(it, staff_device))


def test_what_was_asked_for_one_account_makes_no_passkey_of_another(it, home) -> None:
    staff, household = people.signed_in(it, is_manager=True), people.signed_in(it, home.idgrid)
    options = household.post("/v1/passkeys/options", json={}).json()
    body = {"credential": a_device(it).made(options), "label": "not staff"}
    people.refused(staff.post("/v1/passkeys", json=body), 401, "login-failed")
    options = staff.post("/v1/passkeys/options", json={}).json()
    body = {"credential": a_device(it).made(options), "label": "staff"}
    people.refused(household.post("/v1/passkeys", json=body), 401, "login-failed")


def test_a_removed_passkey_opens_nothing_and_what_it_opened_ends(it) -> None:
    lost, kept = a_device(it), a_device(it)
    first = people.signed_in(it, is_manager=True)
    passkey_id = enrol(first, lost, "lost phone")
    enrol(first, kept)
    by_lost, by_kept = sign_in(it, lost), sign_in(it, kept)
    assert by_kept.delete(f"/v1/passkeys/{passkey_id}").status_code == 204
    assert [is_manager(one) for one in (by_lost, by_kept, first)] == [False, True, True]
    again = people.http(it).post("/v1/login/passkey", json=answer(it, lost))
    people.refused(again, 401, "login-failed")
    people.refused(by_kept.delete(f"/v1/passkeys/{passkey_id}"), 404, "not-found")
    told = [(entry.action, entry.detail) for entry in it.services.people.log.entries(limit=2)]
    assert told == [("sessions ended", "1, passkey removed"), ("passkey removed", "")]


def test_a_session_is_ended_from_another_one_of_the_same_account_only(it, home) -> None:
    mine, forgotten = people.signed_in(it, home.idgrid), people.signed_in(it, home.idgrid)
    staff = people.signed_in(it, is_manager=True)
    listed = mine.get("/v1/sessions").json()["items"]
    (other,) = [one["session_id"] for one in listed if not one["is_this"]]
    assert [one["way"] for one in listed] == ["link", "link"]
    people.refused(staff.delete(f"/v1/sessions/{other}"), 404, "not-found")
    assert mine.delete(f"/v1/sessions/{other}").status_code == 204
    people.refused(forgotten.get("/v1/sessions"), 401, "not-signed-in")
    assert len(mine.get("/v1/sessions").json()["items"]) == 1
    assert people.log(it, home.idgrid) == [(home.idgrid, "session ended")]
    people.refused(mine.delete(f"/v1/sessions/{other}"), 404, "not-found")


def test_a_link_for_another_device_works_once_and_within_the_hour(it, home) -> None:
    staff = people.signed_in(it, is_manager=True)
    links = [staff.post("/v1/login/links", json={}).json()["url"] for _ in range(2)]
    opened = people.http(it)
    assert opened.get(links[0]).status_code == 303
    assert is_manager(opened)
    people.refused(people.http(it).get(links[0]), 401, "login-link-invalid")
    it.act(lambda c: c.ledger.advance(seconds=STAFF_LINK_LIFETIME_MS // 1000 + 1))
    people.refused(people.http(it).get(links[1]), 401, "login-link-invalid")
    for client in (people.signed_in(it, home.idgrid), people.http(it)):
        assert client.post("/v1/login/links", json={}).status_code in (401, 403)


def test_a_script_s_token_makes_no_way_in(it) -> None:
    staff = people.signed_in(it, is_manager=True)
    wanted = {"label": "x", "scopes": ["community:read", "community:write"]}
    token = staff.post("/v1/tokens", json=wanted).json()["token"]
    script = people.http(it)
    script.headers["authorization"] = f"Bearer {token}"
    for path in ("/v1/login/links", "/v1/passkeys/options"):
        people.refused(script.post(path, json={}), 403, "forbidden")
    for path in ("/v1/passkeys", "/v1/sessions"):
        people.refused(script.get(path), 403, "forbidden")


@pytest.mark.parametrize("label", ["<script>alert(1)</script>", "Zoë, 電話"])
def test_a_label_is_text_and_nothing_that_steers_a_terminal(it, label) -> None:
    staff = people.signed_in(it, is_manager=True)
    enrol(staff, a_device(it), label)
    assert staff.get("/v1/passkeys").json()["items"][-1]["label"] == label
    options = staff.post("/v1/passkeys/options", json={}).json()
    body = {"credential": a_device(it).made(options), "label": "a\x1b[2J"}
    people.refused(staff.post("/v1/passkeys", json=body), 422, "invalid-request")
