"""The embedded broker on a real socket: who gets in, who hears what."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from threading import get_ident

import aiomqtt
import pytest
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from sqlalchemy import event

from gateway.hems.running import limits_for
from gateway.hems.series import SeriesStore
from gateway.hems.virtual_meter import VirtualMeter
from gateway.mqtt.connection import connected
from gateway.mqtt.embedded_broker import (
    EmbeddedBroker,
    ServerTls,
    credential,
)
from gateway.mqtt.ingest import SeriesIntake, ingest
from gateway.mqtt.reading_check import ReadingCheck
from gateway.mqtt.topics import (
    Access,
    covers,
    device_discovery_topic,
    discovery_topic,
    gateway_access,
    meter_access,
    parse_topic,
    person_access,
)
from gateway.settings import MqttSettings
from tests.support.gateway_database import fresh_database
from tests.support.mosquitto import authority_of, write_files
from tests.unit.gateway.metering import data_service

COMMUNITY = "val"
SECONDS_MAX = 60
HOUR_MS = 3_600_000
LATE = "has not acknowledged"


@asynccontextmanager
async def running_broker(
    *, tls: ServerTls | None = None, **extra: Access
) -> AsyncIterator[EmbeddedBroker]:
    access = {
        "gateway": gateway_access(COMMUNITY),
        "meter-1": meter_access(COMMUNITY, "meter-1"),
        "meter-2": meter_access(COMMUNITY, "meter-2"),
    } | extra
    broker = EmbeddedBroker(
        credentials={name: credential(f"token of {name}", what) for name, what in access.items()},
        tls=tls,
    )
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


def client(broker: EmbeddedBroker, name: str, *, token: str = "", **options) -> aiomqtt.Client:
    options.setdefault("identifier", name)
    return aiomqtt.Client(
        broker.host,
        broker.port,
        username=name,
        password=token or f"token of {name}",
        timeout=SECONDS_MAX,
        **options,
    )


async def next_message(connected: aiomqtt.Client) -> tuple[str, bytes, bool]:
    async with asyncio.timeout(SECONDS_MAX):
        message = await anext(aiter(connected.messages))
    return str(message.topic), message.payload, message.retain


def scene(coroutine) -> None:
    asyncio.run(coroutine)


def test_reading_reaches_the_gateway():
    async def play() -> None:
        async with running_broker() as broker, client(broker, "gateway") as gateway:
            await gateway.subscribe("rec/val/+/reading", qos=1)
            async with client(broker, "meter-1") as meter:
                await meter.publish("rec/val/meter-1/reading", b"{}", qos=1)
                assert await next_message(gateway) == ("rec/val/meter-1/reading", b"{}", False)

    scene(play())


@pytest.mark.parametrize("token", ["wrong", "token of meter-2"])
def test_wrong_token_is_refused(token):
    async def play() -> None:
        async with running_broker() as broker:
            with pytest.raises(aiomqtt.MqttError):
                async with client(broker, "meter-1", token=token):
                    pass

    scene(play())


def test_unknown_client_is_refused():
    async def play() -> None:
        async with running_broker() as broker:
            with pytest.raises(aiomqtt.MqttError):
                async with client(broker, "meter-9"):
                    pass

    scene(play())


def test_a_stranger_cannot_end_the_session_of_a_meter():
    """A connect with another's client id and a wrong token must not touch the live session."""

    async def play() -> None:
        async with running_broker() as broker, client(broker, "meter-1") as meter:
            await meter.subscribe("rec/val/meter-1/cmd", qos=1)
            for name in ("meter-1", "meter-2"):
                with pytest.raises(aiomqtt.MqttError):
                    async with client(broker, name, token="guess", identifier="meter-1"):
                        pass
            async with client(broker, "gateway") as gateway:
                await gateway.publish("rec/val/meter-1/cmd", b"on", qos=1)
                assert (await next_message(meter))[1] == b"on"

    scene(play())


def test_publish_on_another_meters_topic_goes_nowhere():
    async def play() -> None:
        async with running_broker() as broker, client(broker, "gateway") as gateway:
            await gateway.subscribe("rec/val/+/reading", qos=1)
            async with client(broker, "meter-1") as meter:
                await meter.publish("rec/val/meter-2/reading", b"forged", qos=1)
                await meter.publish("rec/val/meter-1/reading", b"own", qos=1)
                assert await next_message(gateway) == ("rec/val/meter-1/reading", b"own", False)

    scene(play())


@pytest.mark.parametrize("wanted", ["rec/val/meter-2/cmd", "rec/val/+/reading", "rec/#", "#"])
def test_a_meter_cannot_listen_to_others(wanted):
    async def play() -> None:
        async with running_broker() as broker, client(broker, "meter-1") as meter:
            granted = await meter.subscribe(wanted, qos=1)
            assert [code.value if hasattr(code, "value") else code for code in granted] == [0x80]

    scene(play())


def test_retained_state_is_not_sent_to_clients_that_did_not_ask_for_it():
    """amqtt answers a connect with retained messages of every client's filters."""

    async def play() -> None:
        async with running_broker() as broker, client(broker, "gateway") as gateway:
            await gateway.subscribe("rec/val/+/state", qos=1)
            async with client(broker, "meter-1") as meter:
                await meter.publish("rec/val/meter-1/state", b"online", qos=1, retain=True)
                assert await next_message(gateway) == ("rec/val/meter-1/state", b"online", False)
            async with client(broker, "meter-2") as other:
                await other.subscribe("rec/val/meter-2/cmd", qos=1)
                await gateway.publish("rec/val/meter-2/cmd", b"first", qos=1)
                assert await next_message(other) == ("rec/val/meter-2/cmd", b"first", False)

    scene(play())


def test_the_gateway_takes_what_is_retained_while_it_still_subscribes(tmp_path, caplog):
    """amqtt answers no subscription while what it retained for the last one is unacknowledged."""
    pair = authority_of("CoopMSP")
    write_files(pair.issue_tls("broker", now=datetime.now(tz=UTC)), tmp_path, "broker")
    (tmp_path / "ca.crt").write_bytes(pair.tls.certificate_pem)
    tls = ServerTls(tmp_path / "broker.crt", tmp_path / "broker.key")

    async def play() -> None:
        async with running_broker(tls=tls) as broker:

            def settings(user: str) -> MqttSettings:
                token = f"token of {user}"
                return MqttSettings(broker.host, broker.port, tmp_path / "ca.crt", user, token)

            async with connected(settings("meter-1")) as meter:
                state = json.dumps({"state": "online"}).encode()
                await meter.publish("rec/val/meter-1/state", state, qos=1, retain=True)
            service = data_service.Scene(keys=data_service.Keys())
            event.listen(service.database.engine, "commit", lambda _: writers.append(get_ident()))
            collecting = asyncio.create_task(service.collector.run(settings("gateway")))
            await service.collector.is_listening.wait()
            collecting.cancel()
            await asyncio.wait((collecting,))

    writers: list[int] = []
    scene(play())
    assert "PUBACK" not in caplog.text
    assert writers
    assert get_ident() not in writers, "the event loop waits for no database"


def test_a_home_automation_asks_for_all_discoveries_and_gets_its_own():
    """As Home Assistant does; both what was retained before and what comes then."""
    own, others = "VAL-0000-G", "VAL-0001-E"

    def discoveries(idgrid: str) -> tuple[str, str]:
        return discovery_topic("val", idgrid), device_discovery_topic("val", idgrid, "kettle")

    async def play() -> None:
        people = {own: person_access("val", own), others: person_access("val", others)}
        async with (
            running_broker(**people) as broker,
            client(broker, "gateway") as gateway,
            client(broker, own) as home,
        ):
            for topic in (*discoveries(others), *discoveries(own)):
                await gateway.publish(topic, b"before", qos=1, retain=True)
            heard = []
            for wanted in ("homeassistant/device/+/config", "homeassistant/device/+/+/config"):
                await home.subscribe(wanted, qos=1)
                heard.append(await next_message(home))
            assert heard == [(topic, b"before", True) for topic in discoveries(own)]
            for topic in (*discoveries(others), *discoveries(own)):
                await gateway.publish(topic, b"then", qos=1, retain=True)
            heard = [await next_message(home) for _ in range(2)]
            assert heard == [(topic, b"then", False) for topic in discoveries(own)]
            for refused in ("homeassistant/#", f"rec/val/people/{others}/devices/+"):
                with pytest.raises(aiomqtt.MqttError):
                    await subscribed(home, refused)

    async def subscribed(home: aiomqtt.Client, wanted: str) -> None:
        (code,) = await home.subscribe(wanted, qos=1)
        if code.is_failure:
            raise aiomqtt.MqttError(str(code))

    scene(play())


def test_only_state_is_retained():
    async def play() -> None:
        async with running_broker() as broker:
            async with client(broker, "meter-1") as meter:
                await meter.publish("rec/val/meter-1/reading", b"private", qos=1, retain=True)
                await meter.publish("rec/val/meter-1/state", b"online", qos=1, retain=True)
            async with client(broker, "gateway") as gateway:
                await gateway.subscribe("rec/val/+/reading", qos=1)
                await gateway.subscribe("rec/val/+/state", qos=1)
                assert await next_message(gateway) == ("rec/val/meter-1/state", b"online", True)

    scene(play())


def test_filters_and_topics():
    assert covers("rec/val/+/cmd", "rec/val/m/cmd")
    assert covers("rec/val/+/cmd", "rec/val/+/cmd")
    assert not covers("rec/val/m/cmd", "rec/val/+/cmd")
    assert not covers("rec/val/+/cmd", "rec/val/#")
    assert parse_topic("rec/val/m-1/reading") is not None
    for bad in ("rec/val/m/other", "rec/val/reading", "rec//m/reading", "rec/val/m$/reading"):
        assert parse_topic(bad) is None


@pytest.mark.row("E005")
def test_a_reading_of_another_key_is_refused_and_logged(caplog):
    """The key on the ledger is what counts: not the topic, not the account at the broker."""
    bound, unbound = VirtualMeter("meter-1"), VirtualMeter("meter-1")

    class Registered:
        def public_key(self, meter_id):
            return bound.public_key if meter_id == "meter-1" else None

    series = SeriesStore(fresh_database(), limits_for(HOUR_MS), HOUR_MS)
    store = SeriesIntake(series, ReadingCheck(Registered()), lambda: HOUR_MS)

    async def play() -> None:
        async with running_broker() as broker, client(broker, "gateway") as gateway:
            await gateway.subscribe("rec/val/+/reading", qos=1)
            ingesting = asyncio.create_task(ingest(gateway, COMMUNITY, store))
            async with client(broker, "meter-1") as meter:
                for device in (unbound, bound):
                    message = device.message(device.read(HOUR_MS))
                    await meter.publish("rec/val/meter-1/reading", message, qos=1)
            async with asyncio.timeout(SECONDS_MAX):
                while series.latest("meter-1") is None:  # noqa: ASYNC110 - in another thread
                    await asyncio.sleep(0)
            ingesting.cancel()

    scene(play())
    assert store.refused == {"meter-1": 1}
    assert any("meter-1 refused" in line and "signature" in line for line in caplog.messages)


def test_the_broker_ends_though_a_connections_reader_misses_it(monkeypatch):
    async def never_told(_event) -> bool:
        await asyncio.Event().wait()
        return True

    async def play() -> None:
        async with running_broker() as broker, client(broker, "gateway") as gateway:
            await gateway.publish("rec/val/gateway/state", b"{}")
            with monkeypatch.context() as patched:
                patched.setattr(BrokerProtocolHandler, "stop", never_told)
                async with asyncio.timeout(SECONDS_MAX):
                    await broker.stop()
            with pytest.raises(aiomqtt.MqttError):
                await next_message(gateway)

    scene(play())


def test_a_late_acknowledgement_is_no_fault_of_the_broker(caplog, monkeypatch):
    """The gateway acknowledges what is on disk, which takes a while when it starts."""
    wait_for = asyncio.wait_for

    async def impatient(waiting, timeout):
        return await wait_for(waiting, timeout and min(timeout, 0.05))

    async def play() -> None:
        async with running_broker() as broker, client(broker, "gateway") as gateway:
            gateway._client.manual_ack_set(on=True)
            await gateway.subscribe("rec/val/+/reading", qos=1)
            async with client(broker, "meter-1") as meter:
                with monkeypatch.context() as patched:
                    patched.setattr(asyncio, "wait_for", impatient)
                    await meter.publish("rec/val/meter-1/reading", b"{}", qos=1)
                    async with asyncio.timeout(SECONDS_MAX):
                        while not any(LATE in line for line in caplog.messages):  # noqa: ASYNC110
                            await asyncio.sleep(0)
            message = await anext(aiter(gateway.messages))
            gateway._client.ack(message.mid, message.qos)
            async with client(broker, "meter-2") as meter:
                await meter.publish("rec/val/meter-2/reading", b"next", qos=1)
            assert (await next_message(gateway))[1] == b"next"

    caplog.set_level("INFO", logger="gateway.mqtt.embedded_broker")
    scene(play())
    assert not any("never retrieved" in line for line in caplog.messages)
