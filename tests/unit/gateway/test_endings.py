"""What opens a household's data ends: with its key, a new password, a recovery; on any gateway."""

import asyncio
from base64 import b64encode
from collections.abc import Iterator

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import insert, select

from chaincode.energy.registry.signers import RECOVERY_COOL_DOWN_MS
from gateway.api.event_routes import SESSION_CHECKED_MS
from gateway.application import create_app
from gateway.identity.following import end_of_block
from gateway.identity.key_login import signed_text
from gateway.identity.passkeys import Site
from gateway.identity.sessions import LINK_LIFETIME_MS, Viewer
from gateway.notices.tables import WebhookRow
from ledger.crypto.signing import Signer, generate_key
from tests.e2e.browser.village import NO_RATE_LIMIT, Village, village
from tests.support.signing_requests import fingerprint, signing_request
from tests.support.village_authority import VillageIssuer
from tests.unit.energy.community import Household
from tests.unit.gateway import test_people as people
from tests.unit.gateway.ledger_double import services_over

PASSWORD = people.PASSWORD


@pytest.fixture(scope="module")
def it() -> Iterator[Village]:
    with village(issuer=VillageIssuer()) as running:
        yield running


@pytest.fixture
def home(it: Village) -> Household:
    return it.act(lambda community: community.join())


@pytest.fixture(autouse=True)
def _clients_are_closed() -> Iterator[None]:
    yield
    while people.CLIENTS:
        people.CLIENTS.pop().close()


def sees(client: httpx.Client, home: Household) -> bool:
    answer = client.get(f"/v1/accounts/{home.idgrid}")
    assert answer.status_code in {200, 401}, answer.text
    return answer.status_code == 200


def named_key(it: Village, home: Household):
    """A new device of the household, named on the ledger."""
    key = generate_key()
    it.act(lambda _: home.client.submit("signers:add", fingerprint(key)))
    return key


def key_login(it: Village, home: Household, key, **changes) -> httpx.Response:
    client = people.http(it)
    challenge = client.post("/v1/login/key/options").json()["challenge"]
    text = signed_text(
        site=Site("127.0.0.1", changes.get("origin", it.url)),
        idgrid=changes.get("signed_idgrid", home.idgrid),
        challenge=challenge,
    )
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    body = {
        "idgrid": home.idgrid,
        "public_key": b64encode(der).decode(),
        "challenge": challenge,
        "signature": b64encode(Signer(key).sign(text)).decode(),
    }
    return client.post("/v1/login/key", json=body | changes.get("body", {}))


def with_key(it: Village, home: Household, key) -> httpx.Client:
    assert key_login(it, home, key).status_code == 204
    return people.CLIENTS[-1]


def a_token(client: httpx.Client, it: Village) -> httpx.Client:
    made = client.post("/v1/tokens", json={"label": "script", "scopes": ["own:read"]})
    script = people.http(it)
    script.headers["authorization"] = f"Bearer {made.json()['token']}"
    return script


def recovered(it: Village, home: Household, key) -> httpx.Client:
    """The household, met in person, with a new key and its first session."""
    request = people.asked(it, people.letter(it, home, "recover"), key)
    it.act(lambda c: c.manager.submit("signers:recover", home.idgrid, fingerprint(key)))
    path, manager = (
        f"/v1/enrolments/{request['request_id']}",
        people.signed_in(it, is_manager=True),
    )
    letters = {"comparison_code": request["comparison_code"]}
    assert manager.post(f"{path}/approve", json=letters).status_code == 204
    client = people.http(it)
    secret = {"secret": request["secret"]}
    assert client.post(f"{path}/session", json=secret).status_code == 204
    return client


def test_after_a_recovery_nothing_from_before_opens_anything_on_any_gateway(it, home) -> None:
    old_key = named_key(it, home)
    thief = people.with_password(it, home)
    scripts, by_key = a_token(thief, it), with_key(it, home, old_key)
    unused_link = it.sign_in(home.idgrid)
    asking = {"request_pem": signing_request(generate_key())}
    assert thief.post("/v1/keys/requests", json=asking).status_code == 201
    assert all(sees(client, home) for client in (thief, scripts, by_key))
    hook = {
        "webhook_id": "w",
        "idgrid": home.idgrid,
        "url": "https://example.com",
        "created_ms": 1,
    }
    database = it.services.readmodel.database
    with database.writing() as connection:
        connection.execute(insert(WebhookRow), hook)
    owner = recovered(it, home, generate_key())
    assert sees(owner, home)
    assert owner.get("/v1/keys/requests").json()["items"] == []
    with database.reading() as connection:
        assert connection.execute(select(WebhookRow.webhook_id)).all() == []
    assert not any(sees(client, home) for client in (thief, scripts, by_key))
    people.refused(people.login(it, home.idgrid, PASSWORD), 401, "login-failed")
    people.refused(people.http(it).get(unused_link), 401, "login-link-invalid")
    replica = create_app(
        services_over(it.ledger, it.services.clock_ms, readmodel=it.services.readmodel),
        rate=NO_RATE_LIMIT,
    )

    async def asked_there(client: httpx.Client) -> int:
        transport = httpx.ASGITransport(replica)
        async with httpx.AsyncClient(transport=transport, base_url=it.url) as there:
            headers = {"cookie": f"gridledger_session={client.cookies.get('gridledger_session')}"}
            headers |= {k: v for k, v in client.headers.items() if k == "authorization"}
            answer = await there.get(f"/v1/accounts/{home.idgrid}", headers=headers)
            return answer.status_code

    statuses = [asyncio.run(asked_there(c)) for c in (owner, thief, scripts, by_key)]
    assert statuses == [200, 401, 401, 401]
    told = {
        (entry.action, entry.detail)
        for entry in it.services.people.log.entries(limit=20, idgrid=home.idgrid)
        if entry.actor.startswith("manager: link ")
    }
    assert told >= {
        ("sessions ended", "2, recovery"),
        ("links ended", "1, recovery"),
        ("webhooks ended", "1, recovery"),
        ("tokens ended", "1, recovery"),
        ("password ended", "1, recovery"),
        ("devices that asked ended", "1, recovery"),
    }


def test_a_recovery_it_did_not_ask_for_is_undone_with_a_key_which_then_signs_in(it, home) -> None:
    old_key, new_key = named_key(it, home), generate_key()
    stranger = recovered(it, home, new_key)
    pending = key_login(it, home, old_key)
    people.refused(pending, 409, "conflict", "RECOVERY_PENDING")
    assert pending.json()["fingerprint"] == fingerprint(new_key)
    assert sees(with_key(it, home, new_key), home)
    revoking = ("signers:revoke", home.idgrid, fingerprint(new_key))
    it.act(lambda _: home.client.submit(*revoking))
    assert not sees(stranger, home)
    assert sees(with_key(it, home, old_key), home)
    people.refused(key_login(it, home, new_key), 401, "login-failed")


def test_keys_that_a_recovery_replaced_open_nothing_after_the_day(it, home) -> None:
    old_key, new_key = named_key(it, home), generate_key()
    recovered(it, home, new_key)
    it.act(lambda c: c.ledger.advance(seconds=RECOVERY_COOL_DOWN_MS // 1000 + 1))
    people.refused(key_login(it, home, old_key), 401, "login-failed")
    assert sees(with_key(it, home, new_key), home)


def test_a_revoked_device_loses_its_sessions_and_tokens_and_others_keep_theirs(it, home) -> None:
    lost, kept = named_key(it, home), named_key(it, home)
    on_lost, on_kept = with_key(it, home, lost), with_key(it, home, kept)
    from_lost, from_kept = a_token(on_lost, it), a_token(on_kept, it)
    unbound = people.signed_in(it, home.idgrid)
    certified = {"request_pem": signing_request(lost)}
    bound_later = people.signed_in(it, home.idgrid)
    assert bound_later.post("/v1/keys/certificates", json=certified).status_code == 200
    it.act(lambda _: home.client.submit("signers:revoke", home.idgrid, fingerprint(lost)))
    assert not any(sees(client, home) for client in (on_lost, from_lost, bound_later))
    assert all(sees(client, home) for client in (on_kept, from_kept, unbound))
    assert ("sessions ended", f"2, key {fingerprint(lost)} ended") in endings(it, home)
    assert ("tokens ended", f"1, key {fingerprint(lost)} ended") in endings(it, home)
    people.refused(key_login(it, home, lost), 401, "login-failed")


def test_a_password_set_on_a_device_that_was_lost_opens_nothing(it, home) -> None:
    lost = named_key(it, home)
    thief = with_key(it, home, lost)
    assert thief.put("/v1/password", json={"password": PASSWORD}).status_code == 204
    assert people.login(it, home.idgrid, PASSWORD).status_code == 204
    it.act(lambda _: home.client.submit("signers:revoke", home.idgrid, fingerprint(lost)))
    people.refused(people.login(it, home.idgrid, PASSWORD), 401, "login-failed")
    owner = with_key(it, home, named_key(it, home))
    assert owner.put("/v1/password", json={"password": PASSWORD + "!"}).status_code == 204


def test_a_device_does_not_refuse_a_recovery(it, home) -> None:
    named_key(it, home)
    request = people.asked(it, people.letter(it, home, "recover"), generate_key())
    path = f"/v1/keys/requests/{request['request_id']}/refuse"
    people.refused(people.signed_in(it, home.idgrid).post(path, json={}), 404, "not-found")


def test_what_a_revoked_key_opened_ends_with_its_block_although_nobody_uses_it(it, home) -> None:
    lost = named_key(it, home)
    with_key(it, home, lost)
    it.act(lambda _: home.client.submit("signers:revoke", home.idgrid, fingerprint(lost)))
    for _ in range(2):
        newest = it.services.readmodel.height - 1
        end_of_block(it.services.readmodel, it.services.people.endings, newest)
    assert endings(it, home) == [("sessions ended", f"1, key {fingerprint(lost)} ended")]


def endings(it: Village, home: Household) -> list[tuple[str, str]]:
    found = it.services.people.log.entries(limit=50, idgrid=home.idgrid)
    return [(entry.action, entry.detail) for entry in found if entry.action.endswith("ended")]


def test_a_new_password_ends_other_sessions_and_tokens(it, home) -> None:
    first, other = people.with_password(it, home), people.signed_in(it, home.idgrid)
    script = a_token(other, it)
    body = {"password": "another long password", "current": PASSWORD}
    assert first.put("/v1/password", json=body).status_code == 204
    assert [sees(client, home) for client in (first, other, script)] == [True, False, False]
    assert ("tokens ended", "1, new password") in endings(it, home)


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "https://another.example"},
        {"signed_idgrid": "VAL-9999-Z"},
        {"body": {"public_key": "QUJD"}},
        {"body": {"signature": "QUJD"}},
        {"body": {"challenge": "QUJD"}},
    ],
)
def test_a_key_signs_in_at_this_address_for_its_household_only(it, home, changes) -> None:
    people.refused(key_login(it, home, named_key(it, home), **changes), 401, "login-failed")


def test_a_key_that_is_not_named_or_an_agent_s_or_a_challenge_again_opens_nothing(
    it, home
) -> None:
    people.refused(key_login(it, home, generate_key()), 401, "login-failed")
    agent = generate_key()
    it.act(lambda _: home.client.submit("signers:add", fingerprint(agent), "agent"))
    people.refused(key_login(it, home, agent), 401, "login-failed")
    key = named_key(it, home)
    client = with_key(it, home, key)
    sent = client.cookies  # the answer to a challenge that was used up
    assert sent.get("gridledger_session")
    challenge = people.http(it).post("/v1/login/key/options").json()["challenge"]
    for expected in (204, 401):
        assert key_login(it, home, key, body=answered(it, home, key, challenge)).status_code == (
            expected
        )


def answered(it: Village, home: Household, key, challenge: str) -> dict[str, str]:
    text = signed_text(site=Site("", it.url), idgrid=home.idgrid, challenge=challenge)
    return {"challenge": challenge, "signature": b64encode(Signer(key).sign(text)).decode()}


def test_an_open_stream_ends_with_its_session(it, home) -> None:
    client = people.signed_in(it, home.idgrid)
    with client.stream("GET", "/v1/events", headers={"Last-Event-ID": "0"}) as stream:
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("event:"))
        cookie = client.cookies["gridledger_session"]
        it.services.sessions.close(cookie)
        it.act(lambda c: c.ledger.advance(seconds=SESSION_CHECKED_MS // 1000 + 1))
        it.act(lambda c: c.join())
        assert list(lines)[-1] == ""


def test_a_link_of_the_settings_that_was_used_stays_used_whatever_ended_since(it, home) -> None:
    viewer = Viewer(home.idgrid)
    it.services.sessions.add_link("of-the-settings", viewer)
    assert people.http(it).get("/login/of-the-settings").status_code == 303
    recovered(it, home, generate_key())
    it.act(lambda c: c.ledger.advance(seconds=2 * LINK_LIFETIME_MS // 1000))
    people.signed_in(it, home.idgrid)
    it.services.sessions.add_link("of-the-settings", viewer)
    again = people.http(it).get("/login/of-the-settings")
    people.refused(again, 401, "login-link-invalid")
