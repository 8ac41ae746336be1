"""Signed CloudEvents to addresses that households name, and to no others."""

import asyncio
import base64
import hmac
import json
import re
import stat
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateway.application import create_app
from gateway.identity.sessions import Viewer
from gateway.local_time import fixed
from gateway.notices.delivery import WebhookDelivery
from gateway.notices.key_files import kept_secret
from gateway.notices.outbox import ATTEMPTS_MAX, RETRY_MS_MAX, Outbox
from gateway.notices.outside_http import AddressRefused, CallFailed, OutsideHttp, Reach
from gateway.notices.records import Channel, Choices, Kind
from gateway.notices.sending import Sending
from gateway.notices.ways import NoticeWays
from gateway.notices.webhooks import WEBHOOKS_PER_HOUSEHOLD_MAX, Webhooks
from gateway.web.notice_texts import NoticeWriter
from tests.unit.energy.community import LISTING, Household
from tests.unit.gateway.ledger_double import services_over
from tests.unit.gateway.notices.receiver import Receiver
from tests.unit.gateway.notices.told_street import Street, all_steps

HERE = Reach.of(["127.0.0.0/8"])
MASTER = b"m" * 32
MANUAL = (Path(__file__).parents[4] / "docs" / "notices.md").read_text(encoding="utf-8")
CHECK = re.search(r"```python\n(def is_genuine.*?)^```", MANUAL, re.MULTILINE | re.DOTALL)
SELLER_IS_POSTED = ["invitation", "match", "settlement", "buy_call", "invitation", "stop"]


@pytest.fixture
def street() -> Street:
    found = Street()
    found.play()
    return found


def webhooks_of(street: Street, reach: Reach = HERE) -> Webhooks:
    return Webhooks(street.book.database, lambda: street.now_ms, reach, MASTER)


def sending(street: Street, receiver: Receiver, reach: Reach = HERE) -> Sending:
    delivery = WebhookDelivery(
        book=street.book,
        webhooks=webhooks_of(street, reach),
        http=OutsideHttp(reach, receiver.ca),
        writer=NoticeWriter("La Ligua", fixed(-180)),
        community_id="la-ligua",
        language="en",
    )
    return Sending(Outbox(street.book.database), delivery, lambda: street.now_ms)


def played(street: Street, tmp_path: Path, scene) -> Receiver:
    """`scene(receiver)` while a receiver runs that the seller has named."""
    receiver = Receiver(tmp_path)

    async def play() -> None:
        async with receiver.serving():
            await scene(receiver)

    asyncio.run(play())
    return receiver


def test_each_notice_is_posted_once_as_a_signed_cloud_event(street, tmp_path):
    secrets: list[str] = []

    async def scene(receiver: Receiver) -> None:
        secret, _ = webhooks_of(street).add(street.seller.idgrid, f"{receiver.url}/notices?of=me")
        secrets.append(secret)
        street.book.choose(street.seller.idgrid, Choices(language="es"))
        all_steps(street.noticing(*Channel))
        assert await sending(street, receiver).send_due() == len(SELLER_IS_POSTED)
        street.now_ms += RETRY_MS_MAX
        assert await sending(street, receiver).send_due() == 0

    receiver = played(street, tmp_path, scene)
    events = [json.loads(one.body) for one in receiver.posted]
    assert [event["type"] for event in events] == [
        f"gridledger.notice.{kind}" for kind in SELLER_IS_POSTED
    ]
    assert {event["subject"] for event in events} == {street.seller.idgrid}
    assert {event["specversion"] for event in events} == {"1.0"}
    assert {event["source"] for event in events} == {"/communities/la-ligua"}
    assert len({event["id"] for event in events}) == len(events)
    assert {one.path for one in receiver.posted} == {"/notices?of=me"}
    assert {one.headers["content-type"] for one in receiver.posted} == {
        "application/cloudevents+json"
    }
    settlement = next(event for event in events if event["type"].endswith("settlement"))
    assert settlement["data"]["facts"]["energy_wh"] == 8_000
    assert settlement["data"]["title"] == "La energía está liquidada"
    assert LISTING in settlement["data"]["text"]
    assert CHECK is not None, "the manual shows how a signature is checked"
    names: dict[str, object] = {"base64": base64, "hmac": hmac}
    exec(compile(CHECK[1], "docs/notices.md", "exec"), names)
    is_genuine, now_s = names["is_genuine"], street.now_ms // 1_000 - RETRY_MS_MAX // 1_000
    for one in receiver.posted:
        assert is_genuine(secrets[0], one.headers, one.body, now_s)
        assert not is_genuine(secrets[0], one.headers, one.body + b" ", now_s)
        assert not is_genuine(secrets[0], one.headers, one.body, now_s + 301)
        other = "whsec_" + base64.b64encode(b"x" * 32).decode()
        assert not is_genuine(other, one.headers, one.body, now_s)


def test_a_receiver_that_fails_gets_the_same_event_again_until_it_is_given_up(street, tmp_path):
    async def scene(receiver: Receiver) -> None:
        hooks = webhooks_of(street)
        hooks.add(street.seller.idgrid, receiver.url)
        muted = frozenset((kind, Channel.WEBHOOK) for kind in Kind if kind is not Kind.MATCH)
        street.book.choose(street.seller.idgrid, Choices(muted))
        all_steps(street.noticing(*Channel))
        receiver.answer = 500
        for _ in range(ATTEMPTS_MAX + 3):
            assert await sending(street, receiver).send_due() == 0
            street.now_ms += RETRY_MS_MAX
        (hook,) = hooks.of(street.seller.idgrid)
        assert (hook.last_state, hook.last_failure) == ("given_up", "the receiver answers 500")

    receiver = played(street, tmp_path, scene)
    assert len(receiver.posted) == ATTEMPTS_MAX
    assert len({one.headers["webhook-id"] for one in receiver.posted}) == 1
    assert len({one.body for one in receiver.posted}) == 1
    assert len({one.headers["webhook-timestamp"] for one in receiver.posted}) == ATTEMPTS_MAX


def test_a_redirect_is_not_followed(street, tmp_path):
    async def scene(receiver: Receiver) -> None:
        webhooks_of(street).add(street.seller.idgrid, receiver.url)
        all_steps(street.noticing(*Channel))
        receiver.answer, receiver.location = 307, f"{receiver.url}/elsewhere"
        assert await sending(street, receiver).send_due() == 0

    receiver = played(street, tmp_path, scene)
    assert {one.path for one in receiver.posted} == {"/"}


def test_a_receiver_that_is_gone_is_removed_with_what_waits(street, tmp_path):
    async def scene(receiver: Receiver) -> None:
        webhooks_of(street).add(street.seller.idgrid, receiver.url)
        all_steps(street.noticing(*Channel))
        receiver.answer = 410
        assert await sending(street, receiver).send_due() == 0
        assert webhooks_of(street).of(street.seller.idgrid) == []

    assert len(played(street, tmp_path, scene).posted) == 1


def test_a_server_that_no_authority_vouches_for_gets_nothing(street, tmp_path):
    async def scene(receiver: Receiver) -> None:
        with pytest.raises(CallFailed):
            await OutsideHttp(HERE).post(receiver.url, {}, b"{}")

    assert played(street, tmp_path, scene).posted == []


def test_a_name_that_leads_inside_is_refused_before_anything_is_sent(street, tmp_path):
    """`localhost` is any name: what it resolves to counts, at the time of each connection."""

    async def scene(receiver: Receiver) -> None:
        url = receiver.url.replace("127.0.0.1", "localhost")
        Reach().check(url)
        with pytest.raises(AddressRefused):
            await OutsideHttp(Reach(), receiver.ca).post(url, {}, b"{}")

    assert played(street, tmp_path, scene).connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "ftp://example.org/",
        "https://",
        "https://user@example.org/",
        "https://example.org/#part",
        "https://example.org:99999/",
        "https://example.org/a b",
        "https://example.org/" + "x" * 500,
        "https://exämple.org/",
        "https://127.0.0.1/",
        "http://127.0.0.1/",
        "http://localhost/",
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://172.16.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::]/",
        "https://[fe80::1]/",
        "https://[fc00::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "not an address",
        "https://[::1",
    ],
)
def test_addresses_inside_and_unencrypted_ones_are_refused(url):
    with pytest.raises(AddressRefused):
        Reach().check(url)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost", "a..b"])
def test_other_spellings_of_this_machine_are_refused_when_they_are_called(host):
    with pytest.raises((AddressRefused, CallFailed)):
        asyncio.run(OutsideHttp(Reach()).post(f"https://{host}:9/", {}, b""))


def test_public_addresses_and_the_networks_of_the_settings_are_called():
    for url in ("https://example.org/x?y=1", "https://93.184.216.34/", "https://[2606:4700::1]/"):
        Reach().check(url)
    for url in ("https://127.0.0.1/", "http://127.0.0.1:8080/", "http://localhost:1/"):
        HERE.check(url)
    Reach.of(["192.168.1.0/24"]).check("https://192.168.1.7/")
    for reach in (HERE, Reach.of(["192.168.1.0/24"])):
        with pytest.raises(AddressRefused):
            reach.check("http://192.168.1.7/")
    with pytest.raises(ValueError, match="host bits"):
        Reach.of(["192.168.1.7/24"])


def test_the_secret_is_in_no_table_and_differs_for_every_webhook(street):
    hooks = webhooks_of(street)
    shown = [hooks.add(street.seller.idgrid, f"https://example.org/{n}")[0] for n in range(2)]
    assert len(set(shown)) == 2
    dump = Path(street.book.database.engine.url.database).read_bytes()
    for secret in shown:
        raw = base64.b64decode(secret.removeprefix("whsec_"))
        assert raw not in dump
        assert secret.encode() not in dump
        assert raw.hex().encode() not in dump
    assert MASTER not in dump


def test_the_gateways_own_secret_is_made_once_for_its_owner_only(tmp_path):
    path = tmp_path / "webhooks.key"
    first = kept_secret(path, lambda: b"first")
    assert (first, kept_secret(path, lambda: b"second")) == (b"first", b"first")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_household_makes_sees_and_removes_its_own_webhooks(street):
    hooks = webhooks_of(street)
    services = services_over(street.ledger.double, readmodel=street.ledger.readmodel)
    services = replace(services, notice_ways=NoticeWays(tuple(Channel), hooks))

    def signed_in(home: Household, **more) -> dict[str, str]:
        services.sessions.admit(home.idgrid, Viewer(home.idgrid, **more))
        return {"authorization": f"Bearer {home.idgrid}"}

    async def scene() -> None:
        transport = httpx.ASGITransport(app=create_app(services))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            own, other = signed_in(street.seller), signed_in(street.buyer)
            url = {"url": "https://example.org/notices"}
            made = await client.post("/v1/webhooks", json=url, headers=own)
            assert made.status_code == 201
            secret, hook = made.json()["secret"], made.json()["made"]
            assert made.headers["location"] == f"/v1/webhooks/{hook['webhook_id']}"
            digest = hmac.digest(
                MASTER, f"gridledger-webhook-1|{hook['webhook_id']}".encode(), "sha256"
            )
            assert base64.b64decode(secret.removeprefix("whsec_")) == digest
            listed = await client.get("/v1/webhooks", headers=own)
            assert [one["url"] for one in listed.json()["items"]] == [url["url"]]
            assert secret not in listed.text
            assert (await client.get("/v1/webhooks", headers=other)).json()["items"] == []
            place = f"/v1/webhooks/{hook['webhook_id']}"
            assert (await client.delete(place, headers=other)).status_code == 404
            page = await client.post(
                "/notices/webhooks", data={"url": "https://example.org/two"}, headers=own
            )
            assert re.search(r'id="webhook-secret">whsec_[A-Za-z0-9+/=]{44}<', page.text)
            again = (await client.get("/notices/webhooks", headers=own)).text
            assert "https://example.org/two" in again
            assert "whsec_" not in again
            assert (await client.delete(place, headers=own)).status_code == 204
            second = hooks.of(street.seller.idgrid)[0].webhook_id
            gone = await client.post(
                "/notices/webhooks/remove", data={"webhook": second}, headers=own
            )
            assert (gone.status_code, hooks.of(street.seller.idgrid)) == (303, [])
            inside = await client.post(
                "/v1/webhooks", json={"url": "https://10.0.0.1/"}, headers=own
            )
            assert (inside.status_code, inside.json()["detail"]) == (
                422,
                "this address is not public",
            )
            for _ in range(WEBHOOKS_PER_HOUSEHOLD_MAX):
                await client.post("/v1/webhooks", json=url, headers=own)
            full = await client.post("/v1/webhooks", json=url, headers=own)
            assert full.status_code == 409
            foreign = own | {"sec-fetch-site": "cross-site"}
            assert (
                await client.post("/v1/webhooks", json=url, headers=foreign)
            ).status_code == 403
            assert (await client.get("/v1/webhooks")).status_code == 401
            script = signed_in(street.buyer, token_scopes=frozenset())
            assert (await client.get("/v1/webhooks", headers=script)).status_code == 403

    asyncio.run(scene())
