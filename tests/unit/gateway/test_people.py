"""Enrolment, login and devices over HTTP: what is allowed, and each wrong try with its answer."""

import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from gateway.identity.enrolment import LETTER_LIFETIME_MS
from gateway.identity.passwords import CHECKS_AT_ONCE_MAX, FAILURES_MAX, LOCK_MS
from gateway.identity.signing_requests import comparison_code
from ledger.crypto.certificates import parse_certificate
from ledger.crypto.signing import generate_key
from tests.e2e.browser.village import Village, village
from tests.support.signing_requests import fingerprint, signing_request
from tests.support.village_authority import VillageIssuer
from tests.unit.energy.community import Household

PASSWORD = "a long enough password"
TIMEOUT_S = 60
"""Longest wait for an answer on a machine that is busy with other tests."""


@pytest.fixture(scope="module")
def it() -> Iterator[Village]:
    with village(issuer=VillageIssuer()) as running:
        yield running


@pytest.fixture
def home(it: Village) -> Household:
    return it.act(lambda community: community.join())


CLIENTS: list[httpx.Client] = []


@pytest.fixture(autouse=True)
def _clients_are_closed() -> Iterator[None]:
    yield
    while CLIENTS:
        CLIENTS.pop().close()


def http(it: Village) -> httpx.Client:
    """A browser or program of its own, until the test ends."""
    CLIENTS.append(httpx.Client(base_url=it.url, timeout=TIMEOUT_S))
    return CLIENTS[-1]


def signed_in(it: Village, idgrid: str = "", *, is_manager: bool = False) -> httpx.Client:
    client = http(it)
    assert client.get(it.sign_in(idgrid, is_manager=is_manager)).status_code == 303
    return client


def letter(it: Village, home: Household, purpose: str = "enrol") -> str:
    wanted = {"idgrid": home.idgrid, "purpose": purpose}
    answer = signed_in(it, is_manager=True).post("/v1/letters", json=wanted)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["code"])


def refused(answer: httpx.Response, status: int, slug: str, code: str | None = None) -> None:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"/problems/{slug}")
    if code is not None:
        assert problem["code"] == code


def log(it: Village, idgrid: str) -> list[tuple[str, str]]:
    """(who, what), the oldest first; of staff without what its session is called."""
    entries = it.services.people.log.entries(limit=50, idgrid=idgrid)
    return [(entry.actor.partition(": ")[0], entry.action) for entry in reversed(entries)]


def asked(it: Village, code: str, key) -> dict[str, str]:
    body = {"code": code, "request_pem": signing_request(key), "label": "My phone"}
    answer = http(it).post("/v1/enrolments", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_letter_becomes_a_certificate_and_every_step_is_logged(it, home) -> None:
    key, manager = generate_key(), signed_in(it, is_manager=True)
    code = letter(it, home)
    opened = http(it).post("/v1/letters/open", json={"code": code.lower()})
    assert (opened.json()["idgrid"], opened.json()["purpose"]) == (home.idgrid, "enrol")
    request = asked(it, code, key)
    path, secret = f"/v1/enrolments/{request['request_id']}", {"secret": request["secret"]}
    waiting = [item["idgrid"] for item in manager.get("/v1/enrolments").json()["items"]]
    assert home.idgrid in waiting
    letters = {"comparison_code": comparison_code(fingerprint(key))}
    assert manager.post(f"{path}/compare", json=letters).json() == {"is_named": False}
    # The ledger does not name the key yet: not even the manager gets it certified.
    refused(manager.post(f"{path}/approve", json=letters), 409, "conflict", "KEY_NOT_NAMED")
    it.act(lambda c: c.manager.submit("signers:enrol", home.idgrid, fingerprint(key)))
    assert manager.post(f"{path}/compare", json=letters).json() == {"is_named": True}
    assert manager.post(f"{path}/approve", json=letters).status_code == 204
    refused(manager.post(f"{path}/approve", json=letters), 409, "conflict")
    client = http(it)
    collected = client.post(f"{path}/collect", json=secret).json()
    certificate = parse_certificate(collected["certificate_pem"].encode())
    assert certificate.public_key == key.public_key()
    assert certificate.attributes["idgrid"] == home.idgrid
    assert client.post(f"{path}/session", json=secret).status_code == 204
    cookie = client.cookies.jar._cookies["127.0.0.1"]["/"]["gridledger_session"]
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "lax"
    assert client.get(f"/v1/accounts/{home.idgrid}").status_code == 200
    refused(http(it).post(f"{path}/session", json=secret), 409, "conflict")
    assert log(it, home.idgrid) == [
        ("manager", "letter written"),
        ("", "key requested"),
        ("manager", "key approved"),
        (home.idgrid, "certificate collected"),
    ]


def test_a_code_works_once_and_for_a_limited_time_and_all_wrong_ones_look_alike(it, home) -> None:
    used = letter(it, home)
    asked(it, used, generate_key())
    replaced, newest = letter(it, home), letter(it, home)
    answers = [
        http(it).post(path, json={"code": code} | more)
        for code in (used, replaced, "Z" * 24, "?")
        for path, more in (
            ("/v1/letters/open", {}),
            ("/v1/enrolments", {"request_pem": signing_request()}),
        )
    ]
    it.act(lambda c: c.ledger.advance(seconds=LETTER_LIFETIME_MS // 1000))
    answers.append(http(it).post("/v1/letters/open", json={"code": newest}))
    for answer in answers:
        refused(answer, 401, "enrolment-code-invalid")
    assert len({answer.json()["detail"] for answer in answers}) == 1


def test_other_letters_and_other_people_approve_nothing(it, home) -> None:
    key = generate_key()
    request = asked(it, letter(it, home), key)
    path = f"/v1/enrolments/{request['request_id']}"
    right = {"comparison_code": comparison_code(fingerprint(key))}
    manager = signed_in(it, is_manager=True)
    wrong = manager.post(f"{path}/approve", json={"comparison_code": "AAAA-BBBB-CCCC"})
    refused(wrong, 403, "forbidden", "WRONG_COMPARISON_CODE")
    household = signed_in(it, home.idgrid)
    for action in ("approve", "compare"):
        refused(household.post(f"{path}/{action}", json=right), 403, "forbidden")
        refused(http(it).post(f"{path}/{action}", json=right), 401, "not-signed-in")
    for get in ("/v1/enrolments", "/v1/identity-log"):
        refused(household.get(get), 403, "forbidden")
    letters = {"idgrid": home.idgrid, "purpose": "recover"}
    refused(household.post("/v1/letters", json=letters), 403, "forbidden")
    unknown = http(it).post(f"{path}/collect", json={"secret": "guessed"})
    nowhere = http(it).post(f"/v1/enrolments/{'0' * 24}/collect", json={"secret": "guessed"})
    for answer in (unknown, nowhere):
        refused(answer, 404, "not-found")
    assert unknown.json()["detail"] == nowhere.json()["detail"]
    assert manager.post(f"{path}/refuse", json={}).status_code == 204
    state = http(it).post(f"{path}/collect", json={"secret": request["secret"]}).json()["state"]
    assert state == "refused"


def test_a_household_with_keys_is_recovered_and_not_enrolled(it, home) -> None:
    it.act(lambda c: c.manager.submit("signers:enrol", home.idgrid, fingerprint(generate_key())))
    manager = signed_in(it, is_manager=True)
    again = manager.post("/v1/letters", json={"idgrid": home.idgrid, "purpose": "enrol"})
    refused(again, 409, "conflict", "ALREADY_ENROLLED")
    key = generate_key()
    request = asked(it, letter(it, home, "recover"), key)
    it.act(lambda c: c.manager.submit("signers:recover", home.idgrid, fingerprint(key)))
    letters = {"comparison_code": request["comparison_code"]}
    approved = manager.post(f"/v1/enrolments/{request['request_id']}/approve", json=letters)
    assert approved.status_code == 204
    states = {
        item["fingerprint"]: item["state"]
        for item in signed_in(it, home.idgrid).get("/v1/keys").json()["items"]
    }
    assert states[fingerprint(key)] == "waiting"
    assert sorted(states.values()) == ["active", "waiting"]


def test_only_keys_that_the_ledger_names_for_the_household_are_certified(it, home) -> None:
    other = it.act(lambda community: community.join())
    key = generate_key()
    it.act(lambda c: other.client.submit("signers:add", fingerprint(key)))
    body = {"request_pem": signing_request(key)}
    stranger, owner = signed_in(it, home.idgrid), signed_in(it, other.idgrid)
    path = "/v1/keys/certificates"
    refused(stranger.post(path, json=body), 409, "conflict", "KEY_NOT_NAMED")
    refused(http(it).post(path, json=body), 401, "not-signed-in")
    refused(signed_in(it, is_manager=True).post(path, json=body), 403, "forbidden")
    certified = owner.post(path, json=body).json()
    assert parse_certificate(certified["certificate_pem"].encode()).attributes["idgrid"] == (
        other.idgrid
    )


@pytest.mark.parametrize("request_pem", ["x", "-----BEGIN CERTIFICATE REQUEST-----\nQUJD\n"])
def test_what_is_no_signing_request_is_refused_and_uses_no_letter_up(
    it, home, request_pem: str
) -> None:
    code = letter(it, home)
    body = {"code": code, "request_pem": request_pem}
    refused(http(it).post("/v1/enrolments", json=body), 422, "invalid-request")
    assert http(it).post("/v1/letters/open", json={"code": code}).status_code == 200


def test_another_household_does_not_refuse_or_see_a_device(it, home) -> None:
    other = it.act(lambda community: community.join())
    owner, stranger = signed_in(it, home.idgrid), signed_in(it, other.idgrid)
    asking = owner.post("/v1/keys/requests", json={"request_pem": signing_request()}).json()
    assert stranger.get("/v1/keys/requests").json()["items"] == []
    path = f"/v1/keys/requests/{asking['request_id']}/refuse"
    refused(stranger.post(path, json={}), 404, "not-found")
    assert owner.post(path, json={}).status_code == 204
    assert owner.get("/v1/keys/requests").json()["items"] == []


def with_password(it: Village, home: Household) -> httpx.Client:
    client = signed_in(it, home.idgrid)
    assert client.put("/v1/password", json={"password": PASSWORD}).status_code == 204
    return client


def login(it: Village, idgrid: str, password: str) -> httpx.Response:
    body = {"idgrid": idgrid, "password": password}
    return http(it).post("/v1/login/password", json=body)


def test_wrong_passwords_in_a_row_lock_and_a_name_nobody_has_answers_alike(it, home) -> None:
    with_password(it, home)
    assert login(it, home.idgrid.lower(), PASSWORD).status_code == 204
    for name in (home.idgrid, "VAL-9999-Z"):
        tries = [login(it, name, "wrong password") for _ in range(FAILURES_MAX)]
        for answer in tries:
            refused(answer, 401, "login-failed")
        locked = login(it, name, PASSWORD)
        refused(locked, 429, "login-locked")
        assert 0 < int(locked.headers["retry-after"]) <= LOCK_MS // 1000
    it.act(lambda c: c.ledger.advance(seconds=LOCK_MS // 1000 + 1))
    assert login(it, home.idgrid, PASSWORD).status_code == 204
    refused(login(it, "VAL-9999-Z", PASSWORD), 401, "login-failed")
    assert ("", "login locked") in log(it, home.idgrid)


def test_a_new_password_needs_the_old_one_and_ends_other_sessions(it, home) -> None:
    first, other = with_password(it, home), signed_in(it, home.idgrid)
    new = {"password": "another long password"}
    refused(first.put("/v1/password", json=new), 401, "login-failed")
    assert first.put("/v1/password", json=new | {"current": PASSWORD}).status_code == 204
    refused(other.get(f"/v1/accounts/{home.idgrid}"), 401, "not-signed-in")
    assert first.get(f"/v1/accounts/{home.idgrid}").status_code == 200
    refused(first.put("/v1/password", json={"password": "short"}), 422, "invalid-request")
    refused(http(it).put("/v1/password", json=new), 401, "not-signed-in")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://[evil"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_site_s_page_changes_nothing(it, home, headers) -> None:
    client = with_password(it, home)
    for method, path in (("POST", "/logout"), ("PUT", "/v1/password"), ("POST", "/v1/letters")):
        answer = client.request(method, path, json={}, headers=headers)
        refused(answer, 403, "cross-site-request")
    assert client.get(f"/v1/accounts/{home.idgrid}", headers=headers).status_code == 200
    own = {"origin": it.url, "sec-fetch-site": "same-origin"}
    assert client.post("/logout", headers=own).status_code == 303


def test_a_session_shows_its_own_household_and_a_used_link_opens_none(it, home) -> None:
    other = it.act(lambda community: community.join())
    client = signed_in(it, home.idgrid)
    refused(client.get(f"/v1/accounts/{other.idgrid}"), 403, "forbidden")
    refused(client.get(f"/v1/participants/{other.idgrid}"), 403, "forbidden")
    link = it.sign_in(home.idgrid)
    assert http(it).get(link).status_code == 303
    refused(http(it).get(link), 401, "login-link-invalid")
    forged = {"cookie": "gridledger_session=" + "A" * 43}
    refused(http(it).get(f"/v1/accounts/{home.idgrid}", headers=forged), 401, "not-signed-in")


@pytest.mark.parametrize(
    "credential",
    [
        {},
        {"response": {}},
        {"response": {"clientDataJSON": "!"}},
        {"response": {"clientDataJSON": "e30"}, "rawId": "AA"},
        {"response": None, "rawId": 5},
        {"response": {"clientDataJSON": b64encode(b"[" * 60_000).decode()}},
    ],
)
def test_what_is_no_passkey_opens_nothing(it, credential) -> None:
    answer = http(it).post("/v1/login/passkey", json={"credential": credential})
    refused(answer, 401, "login-failed")


def test_many_checks_at_once_wait_and_are_then_sent_away(it, home, monkeypatch) -> None:
    monkeypatch.setattr("gateway.identity.passwords.CHECK_WAIT_S", 0.01)
    with_password(it, home)
    checking = it.services.people.passwords._checking
    for _ in range(CHECKS_AT_ONCE_MAX):
        assert checking.acquire(timeout=1)
    try:
        refused(login(it, home.idgrid, PASSWORD), 429, "too-many-requests")
    finally:
        for _ in range(CHECKS_AT_ONCE_MAX):
            checking.release()
    assert login(it, home.idgrid, PASSWORD).status_code == 204


def test_a_dump_of_the_database_holds_nothing_that_opens_or_signs(it, home) -> None:
    key, code = generate_key(), letter(it, home)
    request = asked(it, code, key)
    client = with_password(it, home)
    session = client.cookies["gridledger_session"]
    token = client.post("/v1/tokens", json={"label": "x", "scopes": ["own:read"]}).json()["token"]
    challenge = http(it).post("/v1/login/key/options").json()["challenge"]
    link = it.sign_in(home.idgrid).rpartition("/")[2]
    dump = database_dump(it)
    number = key.private_numbers().private_value
    secrets = (code, request["secret"], session, token, challenge, link, PASSWORD)
    for secret in (*secrets, "PRIVATE KEY", f"{number:064x}"):
        assert secret not in dump
        assert secret.encode().hex() not in dump.lower()
    assert fingerprint(key) in dump


def database_dump(it: Village) -> str:
    path = it.services.readmodel.database.engine.url.database
    with closing(sqlite3.connect(path)) as connection:
        return "\n".join(connection.iterdump())
