"""Web Push: a local push service, and a browser's keys that really read what comes."""

import asyncio
import stat
from dataclasses import replace
from pathlib import Path

import http_ece
import httpx
import pytest
from py_vapid import Vapid02
from py_vapid.jwt import decode

from gateway.application import create_app
from gateway.identity.sessions import Viewer
from gateway.local_time import fixed
from gateway.notices.delivery import PushDelivery
from gateway.notices.notice_settings import NoticeSettings
from gateway.notices.outbox import RETRY_MS_MAX, Outbox
from gateway.notices.outside_http import OutsideHttp, Reach
from gateway.notices.push_devices import (
    PUSH_DEVICES_PER_HOUSEHOLD_MAX,
    PushDevices,
    Subscription,
    from_base64url,
    to_base64url,
)
from gateway.notices.records import Channel, Choices
from gateway.notices.sending import Sending
from gateway.notices.ways import NoticeWays, ways_from
from gateway.notices.web_push import Sender, new_sender_key
from gateway.web.notice_texts import NoticeWriter
from tests.unit.energy.community import Household
from tests.unit.gateway.ledger_double import services_over
from tests.unit.gateway.notices.push_browser import AUTH, PushBrowser, as_sent
from tests.unit.gateway.notices.receiver import Receiver
from tests.unit.gateway.notices.told_street import Street, all_steps

CONTACT = "mailto:operator@street.example"
HERE = Reach.of(["127.0.0.0/8"])
SELLER_IS_SHOWN = ["match", "settlement", "buy_call", "stop"]


@pytest.fixture
def street() -> Street:
    found = Street()
    found.play()
    return found


class PushScene:
    """A seller with one browser behind a push service of this machine."""

    def __init__(self, street: Street, folder: Path) -> None:
        self.street = street
        self.service = Receiver(folder)
        self.service.answer = 201
        self.sender = Sender(new_sender_key(), CONTACT)
        self.devices = PushDevices(
            street.book.database, lambda: street.now_ms, HERE, self.sender.public_key
        )

    def sending(self) -> Sending:
        delivery = PushDelivery(
            book=self.street.book,
            devices=self.devices,
            sender=self.sender,
            http=OutsideHttp(HERE, self.service.ca),
            writer=NoticeWriter("La Ligua", fixed(-180)),
            language="en",
        )
        return Sending(Outbox(self.street.book.database), delivery, lambda: self.street.now_ms)

    def with_browser(self) -> PushBrowser:
        browser = PushBrowser.at(f"{self.service.url}/send/abc")
        self.devices.add(self.street.seller.idgrid, browser.subscription, "Linux")
        all_steps(self.street.noticing(*Channel))
        return browser


def test_a_browser_alone_reads_its_notices_each_once_in_the_households_language(street, tmp_path):
    scene = PushScene(street, tmp_path)

    async def play() -> PushBrowser:
        async with scene.service.serving():
            street.book.choose(street.seller.idgrid, Choices(language="es"))
            browser = scene.with_browser()
            assert await scene.sending().send_due() == len(SELLER_IS_SHOWN)
            street.now_ms += RETRY_MS_MAX
            assert await scene.sending().send_due() == 0
            return browser

    browser = asyncio.run(play())
    shown = [browser.read(one.body) for one in scene.service.posted]
    assert [one["id"].partition(".")[0] for one in shown] == SELLER_IS_SHOWN
    assert len({one["id"] for one in shown}) == len(shown)
    assert {one["language"] for one in shown} == {"es"}
    assert "La energía está liquidada" in [one["title"] for one in shown]
    stranger = PushBrowser.at("https://elsewhere.example/")
    for one in scene.service.posted:
        with pytest.raises(http_ece.ECEException):
            stranger.read(one.body)
        assert b"title" not in one.body


def test_the_push_service_learns_who_sends_and_how_long_it_keeps_a_message(street, tmp_path):
    scene = PushScene(street, tmp_path)

    async def play() -> None:
        async with scene.service.serving():
            scene.with_browser()
            await scene.sending().send_due()

    asyncio.run(play())
    headers = scene.service.posted[0].headers
    assert (headers["content-encoding"], headers["ttl"]) == ("aes128gcm", "86400")
    assert Vapid02.verify(headers["authorization"])
    parts = dict(part.split("=", 1) for part in headers["authorization"].split(" ")[1].split(","))
    assert from_base64url(parts["k"]) == scene.sender.public_key
    claims = decode(parts["t"], parts["k"])
    assert (claims["sub"], claims["aud"]) == (CONTACT, scene.service.url)
    assert claims["exp"] == street.now_ms // 1_000 + 12 * 3_600


@pytest.mark.parametrize(
    ("answer", "devices_left", "tried_again"),
    [(404, 0, 0), (410, 0, 0), (403, 1, 0), (429, 1, 4), (500, 1, 4)],
)
def test_a_browser_that_is_gone_is_forgotten(street, tmp_path, answer, devices_left, tried_again):
    scene = PushScene(street, tmp_path)

    async def play() -> None:
        async with scene.service.serving():
            scene.with_browser()
            scene.service.answer = answer
            assert await scene.sending().send_due() == 0
            assert len(scene.devices.of(street.seller.idgrid)) == devices_left
            street.now_ms += RETRY_MS_MAX
            scene.service.answer = 201
            assert await scene.sending().send_due() == tried_again

    asyncio.run(play())
    if devices_left == 0:
        assert len(scene.service.posted) == 1


def test_the_gateways_key_is_kept_0600_and_there_is_none_without_a_contact(street, tmp_path):
    database = street.book.database
    settings = NoticeSettings(key_folder=tmp_path, contact=CONTACT)

    def made(given: NoticeSettings) -> NoticeWays:
        return ways_from(given, database, lambda: 0, has_mail=False, has_broker=False)

    first, again = made(settings), made(settings)
    assert first.push.public_key == again.push.public_key == again.push_sender.public_key
    assert {path.name for path in tmp_path.iterdir()} == {"push.key", "webhooks.key"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    without = made(replace(settings, contact=""))
    assert (without.push, Channel.PUSH in without.channels) == (None, False)
    assert made(NoticeSettings()).channels == (Channel.INBOX,)


def test_a_household_adds_sees_and_removes_its_own_devices(street):
    devices = PushDevices(street.book.database, lambda: street.now_ms, Reach(), bytes(range(65)))
    services = services_over(street.ledger.double, readmodel=street.ledger.readmodel)
    services = replace(services, notice_ways=NoticeWays(tuple(Channel), push=devices))

    def signed_in(home: Household, **more) -> dict[str, str]:
        services.sessions.admit(home.idgrid, Viewer(home.idgrid, **more))
        return {"authorization": f"Bearer {home.idgrid}"}

    async def scene() -> None:
        transport = httpx.ASGITransport(app=create_app(services))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            own, other = signed_in(street.seller), signed_in(street.buyer)
            key = (await client.get("/v1/push-devices/key", headers=own)).json()["public_key"]
            assert from_base64url(key) == bytes(range(65))
            sent = as_sent(PushBrowser.at("https://push.example.org/1").subscription)
            body = sent | {"label": "Linux"}
            made = await client.post("/v1/push-devices", json=body, headers=own)
            assert made.status_code == 201
            place = made.headers["location"]
            assert "push.example.org" not in made.text
            listed = (await client.get("/v1/push-devices", headers=own)).json()["items"]
            assert [one["label"] for one in listed] == ["Linux"]
            assert (await client.delete(place, headers=other)).status_code == 404
            account = (await client.get("/account", headers=own)).text
            assert "Linux" in account
            assert "data-push" in account
            moved = await client.post("/v1/push-devices", json=body, headers=other)
            assert moved.headers["location"] == place, "a browser is one household's"
            assert devices.of(street.seller.idgrid) == []
            assert (await client.delete(place, headers=other)).status_code == 204
            for wrong in (
                sent | {"endpoint": "https://10.0.0.1/"},
                sent | {"keys": sent["keys"] | {"auth": to_base64url(AUTH + b"x")}},
                sent | {"keys": sent["keys"] | {"p256dh": to_base64url(b"\x04" + bytes(64))}},
                sent | {"keys": sent["keys"] | {"p256dh": "!" * 30}},
            ):
                answer = await client.post("/v1/push-devices", json=wrong, headers=own)
                assert answer.status_code == 422, wrong
            script = signed_in(street.buyer, token_scopes=frozenset())
            assert (await client.get("/v1/push-devices", headers=script)).status_code == 403

    asyncio.run(scene())


def test_a_household_has_a_limited_number_of_devices(street):
    devices = PushDevices(street.book.database, lambda: street.now_ms, Reach(), bytes(65))

    def add(number: int) -> None:
        subscription: Subscription = PushBrowser.at(f"https://p.example/{number}").subscription
        devices.add(street.seller.idgrid, subscription, "")

    for number in range(PUSH_DEVICES_PER_HOUSEHOLD_MAX):
        add(number)
    with pytest.raises(Exception, match="remove one first"):
        add(PUSH_DEVICES_PER_HOUSEHOLD_MAX)
    assert len(devices.of(street.seller.idgrid)) == PUSH_DEVICES_PER_HOUSEHOLD_MAX
