"""Who signs in at the broker and who fails to, out of its log; what the audit makes of it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import aiomqtt
import pytest

from gateway.hems import links as links_module
from gateway.hems.link_audit import MS_PER_DAY, Concern, LinkAudit, concerns_about
from gateway.hems.links import ELSEWHERE, Link, LinkBook
from gateway.hems.service import Inbox
from gateway.mqtt.broker_log import BrokerLog, SignIn, refusal_line
from gateway.mqtt.topics import BROKER_LOG
from tests.unit.gateway.metering.data_service import Keys, Scene
from tests.unit.gateway.test_embedded_broker import client, next_message, running_broker

REFUSED = b"1795291254: Client <unknown> disconnected, not authorised."


def opened(address: str, port: int) -> bytes:
    return f"1795291254: New connection from {address}:{port} on port 8883.".encode()


def signed_in(address: str, port: int, name: str) -> bytes:
    text = f"1795291254: New client connected from {address}:{port} as {name}"
    return f"{text} (p2, c1, k60, u'{name}').".encode()


def read(*lines: bytes) -> list[SignIn]:
    log = BrokerLog()
    return [found for line in lines if (found := log.read(line)) is not None]


def test_a_refusal_has_the_address_of_its_connection():
    assert read(
        opened("10.0.0.1", 1), signed_in("10.0.0.1", 1, "m-1"), opened("10.0.0.2", 2), REFUSED
    ) == [SignIn("m-1", "10.0.0.1", is_refused=False), SignIn("", "10.0.0.2", is_refused=True)]


def test_of_two_that_have_not_signed_in_nobody_is_blamed():
    lines = (opened("10.0.0.1", 1), opened("10.0.0.2", 2), REFUSED)
    assert read(*lines) == [SignIn("", "", is_refused=True)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"Client <unknown> disconnected: Protocol error.", SignIn("", "", is_refused=True)),
        (
            b"Client connection from 10.0.0.9 failed: error:1417C086:SSL routines:no certificate.",
            SignIn("", "10.0.0.9", is_refused=True),
        ),
        (refusal_line("m-1", "::1", 5), SignIn("m-1", "::1", is_refused=True)),
        (
            b"Client m-1 disconnected, not authorised.",
            SignIn("m-1", "", is_refused=True),
        ),
        (b"Client m-1 disconnected.", None),
        (b"Client m-1 has exceeded timeout, disconnecting.", None),
        (b"Client m-1 disconnected: Protocol error.", None),
        (b"", None),
        (b"\xff" * 3_000, None),
        (b"New client connected from not-an-address as m-1 (p2).", None),
    ],
)
def test_lines(line, found):
    assert read(line) == ([] if found is None else [found])


def book_with(*sign_ins: SignIn) -> LinkBook:
    book = LinkBook(Scene(Keys()).database)
    for at, one in enumerate(sign_ins, start=1):
        book.note([one], at)
    return book


def test_a_failure_counts_for_the_device_that_alone_comes_from_there():
    book = book_with(
        SignIn("m-1", "10.0.0.1", is_refused=False),
        SignIn("m-2", "10.0.0.2", is_refused=False),
        SignIn("m-3", "10.0.0.2", is_refused=False),
        SignIn("", "10.0.0.1", is_refused=True),
        SignIn("", "10.0.0.2", is_refused=True),
        SignIn("m-3", "10.0.0.7", is_refused=True),
        SignIn("guess", "", is_refused=True),
        SignIn("", "", is_refused=True),
    )
    assert {(link.subject, link.is_device, link.failed_logins) for link in book.all()} == {
        ("m-1", True, 1),
        ("m-2", True, 0),
        ("m-3", True, 1),
        ("10.0.0.2", False, 1),
        ("guess", False, 1),
        (ELSEWHERE, False, 1),
    }


def test_strangers_cannot_fill_the_table(monkeypatch):
    monkeypatch.setattr(links_module, "STRANGERS_MAX", 3)
    book = book_with(*[SignIn("", f"10.0.0.{n}", is_refused=True) for n in range(9)])
    found = {link.subject: link.failed_logins for link in book.all()}
    assert found == {"10.0.0.0": 1, "10.0.0.1": 1, "10.0.0.2": 1, ELSEWHERE: 6}


def test_the_audit_notes_when_it_looked_and_forgets_credentials_that_are_gone():
    book = book_with(SignIn("m-1", "10.0.0.1", is_refused=False))
    book.audit({"m-1": 5, "m-2": 6}, 100)
    assert [(link.subject, link.credential_ms, link.checked_ms) for link in book.all()] == [
        ("m-1", 5, 100),
        ("m-2", 6, 100),
    ]
    book.audit({"m-2": 6}, 200)
    assert [(link.subject, link.is_device, link.credential_ms) for link in book.all()] == [
        ("m-2", True, 6),
        ("m-1", False, 0),
    ]


def test_an_audit_that_runs_meanwhile_loses_no_failed_login():
    book = book_with(SignIn("m-1", "10.0.0.1", is_refused=False))
    failure, rounds = SignIn("", "10.0.0.1", is_refused=True), 40
    with ThreadPoolExecutor(2) as pool:
        for at in range(rounds):
            both = (
                pool.submit(book.audit, {"m-1": 5}, at),
                pool.submit(book.note, [failure], at),
            )
            for one in both:
                one.result()
    assert [link.failed_logins for link in book.all()] == [rounds]


def test_without_the_brokers_folder_links_are_audited_all_the_same():
    scene = Scene(Keys())
    scene.stores.links.note([SignIn("m-1", "10.0.0.1", is_refused=False)], scene.now_ms)
    audit = LinkAudit(scene.stores.links, scene.stores.devices, lambda: scene.now_ms)
    audit.look()
    (one,) = audit.found()
    assert (one.link.checked_ms, one.credential_days(scene.now_ms)) == (scene.now_ms, None)
    assert one.concerns == (Concern.NO_FIRMWARE,)
    assert audit.certificate_days() is None


def test_what_concerns_the_manager():
    now_ms = 1_000 * MS_PER_DAY
    fine = Link("m", is_device=True, connected_ms=1, credential_ms=now_ms - MS_PER_DAY)
    assert concerns_about(fine, "1.0", now_ms) == ()
    old = Link("m", is_device=True, connected_ms=1, credential_ms=now_ms - 366 * MS_PER_DAY)
    assert concerns_about(old, "1.0", now_ms) == (Concern.OLD_CREDENTIAL,)
    failed = Link("m", is_device=True, connected_ms=1, failed_logins=1, failed_ms=now_ms)
    assert concerns_about(failed, "1.0", now_ms) == (Concern.FAILED_LOGINS,)
    assert concerns_about(failed, "1.0", now_ms + 8 * MS_PER_DAY) == ()


def test_the_collector_takes_the_brokers_log():
    scene = Scene(Keys())
    inbox_lines = (opened("10.0.0.2", 2), REFUSED)
    inbox = Inbox()
    for line in inbox_lines:
        scene.collector.read(BROKER_LOG, line, inbox, scene.now_ms)
    scene.service.take(inbox, scene.now_ms)
    (link,) = scene.stores.links.all()
    assert (link.subject, link.failed_logins) == ("10.0.0.2", 1)


def test_the_embedded_broker_tells_whom_it_refuses():
    async def play() -> None:
        async with running_broker() as broker, client(broker, "gateway") as gateway:
            await gateway.subscribe(BROKER_LOG, qos=1)
            with pytest.raises(aiomqtt.MqttError):
                async with client(broker, "meter-1", token="guess"):
                    pass
            topic, line, _ = await next_message(gateway)
            assert topic == BROKER_LOG
            assert read(line) == [SignIn("meter-1", "127.0.0.1", is_refused=True)]
            async with client(broker, "meter-2") as meter:
                granted = await meter.subscribe(BROKER_LOG, qos=1)
                assert [getattr(code, "value", code) for code in granted] == [0x80]

    asyncio.run(play())
