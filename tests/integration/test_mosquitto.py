"""The real mosquitto with our configuration: who gets in, who may say and hear what."""

import asyncio
import ssl
import stat
from contextlib import suppress
from datetime import UTC, datetime

import aiomqtt
import pytest

from gateway.mqtt import mosquitto as shipped
from gateway.mqtt.mosquitto import PACKET_BYTES_MAX
from tests.support.mosquitto import (
    COMMUNITY,
    Mosquitto,
    authority_of,
    mosquitto,
    needs_mosquitto,
    token_file,
    write_files,
)

pytestmark = needs_mosquitto
SECONDS_MAX = 60
DEVICES = ("meter-1", "meter-2")
PEOPLE = ("VAL-0000-G", "VAL-0001-E")


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with mosquitto(tmp_path_factory.mktemp("mosquitto"), DEVICES, people=PEOPLE) as running:
        yield running


async def connects(client: aiomqtt.Client) -> bool:
    try:
        async with client:
            return True
    except aiomqtt.MqttError:
        socket = client._client.socket()
        if socket is not None:
            socket.close()  # aiomqtt leaves that of a refused connection to the collector
        return False


async def heard(client: aiomqtt.Client, count: int = 1) -> list[tuple[str, bytes]]:
    found = []
    async with asyncio.timeout(SECONDS_MAX):
        async for message in client.messages:
            found.append((str(message.topic), message.payload))
            if len(found) == count:
                return found
    raise AssertionError("the connection ended")


def test_files_with_secrets_are_their_owners(broker: Mosquitto):
    for name in ("tokens.json", "passwords", "rights"):
        assert stat.S_IMODE((broker.folder / name).stat().st_mode) == 0o600
    assert token_file(broker.folder) == broker.tokens
    passwords = (broker.folder / "passwords").read_text()
    assert not any(token in passwords for token in broker.tokens.values())


@pytest.mark.row("E068")
@pytest.mark.row("E091")
def test_a_wrong_certificate_is_refused_and_so_is_publishing_for_another_house(
    broker: Mosquitto, tmp_path
):
    async def play() -> None:
        stranger = authority_of("OtherMSP")
        (tmp_path / "other.crt").write_bytes(stranger.tls.certificate_pem)
        trusts_another = ssl.create_default_context(cafile=str(tmp_path / "other.crt"))
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", broker.port, ssl=trusts_another)
        assert not await connects(broker.client("meter-1", token="wrong"))
        assert not await connects(broker.client("meter-1", token=broker.tokens["meter-2"]))
        async with broker.client("gateway") as gateway, broker.client("meter-1") as meter:
            await gateway.subscribe(f"rec/{COMMUNITY}/+/reading", qos=1)
            for topic in ("meter-2/reading", "meter-2/state", "gateway/time", "meter-1/cmd"):
                await meter.publish(f"rec/{COMMUNITY}/{topic}", b"forged", qos=1)
            await meter.publish(f"rec/{COMMUNITY}/meter-1/reading", b"own", qos=1)
            assert await heard(gateway) == [(f"rec/{COMMUNITY}/meter-1/reading", b"own")]

    asyncio.run(play())


def test_a_household_hears_its_own_notices_also_those_that_came_while_it_was_away(
    broker: Mosquitto,
):
    own, other = (f"rec/{COMMUNITY}/people/{idgrid}/notice" for idgrid in PEOPLE)

    async def listening(filters: list[str]) -> None:
        client = broker.client(PEOPLE[0], clean_session=False)
        async with client:
            for wanted in filters:
                with suppress(aiomqtt.MqttError):
                    await client.subscribe(wanted, qos=1)

    async def play() -> None:
        async with broker.client(PEOPLE[0]) as thief, broker.client("meter-1") as meter:
            await thief.publish(own, b"forged", qos=1)
            await meter.publish(own, b"forged", qos=1)
        await listening([own, other, f"rec/{COMMUNITY}/people/+/notice", "#"])
        async with broker.client("gateway") as gateway:
            for topic in (other, own):
                await gateway.publish(topic, topic.encode(), qos=1)
        async with broker.client(PEOPLE[0], clean_session=False) as household:
            assert await heard(household) == [(own, own.encode())]

    asyncio.run(play())


def test_where_certificates_are_asked_for_only_the_communitys_get_in(tmp_path):
    def context(name: str | None) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        if name:
            made.load_cert_chain(tmp_path / f"{name}.crt", tmp_path / f"{name}.key")
        return made

    async def play(running: Mosquitto) -> None:
        now = datetime.now(tz=UTC)
        write_files(running.authority.issue_tls("meter-1", now=now), tmp_path, "own")
        write_files(authority_of("CoopMSP").issue_tls("meter-1", now=now), tmp_path, "forged")
        assert await connects(running.client("meter-1", tls=context("own")))
        assert not await connects(running.client("meter-1", tls=context("forged")))
        assert not await connects(running.client("meter-1", tls=context(None)))

    with mosquitto(tmp_path, DEVICES, asks_certificates=True) as running:
        asyncio.run(play(running))


def test_a_device_hears_its_own_commands_only_and_nobody_anonymous_gets_in(broker: Mosquitto):
    async def play() -> None:
        async with broker.client("gateway") as gateway, broker.client("meter-1") as meter:
            for leaf in ("+/cmd", "+/state", "+/reading", "gateway/time"):
                await meter.subscribe(f"rec/{COMMUNITY}/{leaf}", qos=1)
            for topic in ("meter-2/cmd", "meter-1/cmd"):
                await gateway.publish(f"rec/{COMMUNITY}/{topic}", topic.encode(), qos=1)
            assert await heard(meter) == [(f"rec/{COMMUNITY}/meter-1/cmd", b"meter-1/cmd")]
        context = ssl.create_default_context(cafile=str(broker.folder / "ca.crt"))
        anonymous = aiomqtt.Client("127.0.0.1", broker.port, tls_context=context)
        assert not await connects(anonymous)

    asyncio.run(play())


def test_a_burst_waits_for_a_gateway_that_is_away(broker: Mosquitto):
    """Mosquitto's default would keep 1,000 of them."""
    burst = 3_000

    def away() -> aiomqtt.Client:
        settings = broker.settings("gateway")
        return aiomqtt.Client(
            settings.host,
            settings.port,
            identifier="gateway",
            username="gateway",
            password=settings.token,
            clean_session=False,
            tls_context=ssl.create_default_context(cafile=str(settings.ca)),
            timeout=SECONDS_MAX,
        )

    async def play() -> None:
        async with away() as gateway:
            await gateway.subscribe(f"rec/{COMMUNITY}/+/measure", qos=1)
        async with broker.client("meter-1") as meter:
            topic = f"rec/{COMMUNITY}/meter-1/measure"
            await asyncio.gather(
                *(meter.publish(topic, str(number).encode(), qos=1) for number in range(burst))
            )
        async with away() as gateway:
            found = await heard(gateway, burst)
        assert {payload for _, payload in found} == {str(n).encode() for n in range(burst)}

    asyncio.run(play())


OWN, OTHER = PEOPLE
OF_A_HOUSEHOLD = (
    f"rec/{COMMUNITY}/people/{{}}/notice",
    f"rec/{COMMUNITY}/people/{{}}/market",
    f"rec/{COMMUNITY}/people/{{}}/devices/kettle",
    f"homeassistant/device/{COMMUNITY}-{{}}/config",
    f"homeassistant/device/{COMMUNITY}-{{}}/kettle/config",
)


def test_a_household_reads_its_own_topics_and_publishes_its_switches_only(broker: Mosquitto):
    """What docs/mqtt.md grants it, each topic of its own and of the neighbour's."""
    switch = f"rec/{COMMUNITY}/people/{{}}/devices/kettle/switch"
    state = f"rec/{COMMUNITY}/gateway/state"

    async def play() -> None:
        async with broker.client("gateway") as gateway, broker.client(OWN) as home:
            for wanted in ("rec/#", "homeassistant/#", "$SYS/#"):
                await home.subscribe(wanted, qos=1)
            await gateway.subscribe(f"rec/{COMMUNITY}/people/+/devices/+/switch", qos=1)
            for topic in (*OF_A_HOUSEHOLD, switch):
                for idgrid in (OTHER, OWN):
                    await gateway.publish(topic.format(idgrid), b"g", qos=1)
            await gateway.publish(f"rec/{COMMUNITY}/meter-1/cmd", b"g", qos=1)
            await gateway.publish(state, b"g", qos=1)
            named = [topic.format(OWN) for topic in OF_A_HOUSEHOLD]
            assert await heard(home, len(named) + 1) == [
                (topic, b"g") for topic in (*named, state)
            ]
            for topic in (*OF_A_HOUSEHOLD, switch):
                for idgrid in (OTHER, OWN):
                    await home.publish(topic.format(idgrid), b"h", qos=1)
            await home.publish(f"rec/{COMMUNITY}/meter-1/cmd", b"h", qos=1)
            assert await heard(gateway) == [(switch.format(OWN), b"h")]
            await home.publish(switch.format(OWN), b"last", qos=1)
            assert await heard(gateway) == [(switch.format(OWN), b"last")], "and nothing between"

    asyncio.run(play())


def test_a_message_that_is_too_large_ends_its_senders_connection_and_reaches_nobody(
    broker: Mosquitto,
):
    topic = f"rec/{COMMUNITY}/meter-1/measure"

    async def play() -> None:
        async with broker.client("gateway") as gateway:
            await gateway.subscribe(topic, qos=1)
            with pytest.raises(aiomqtt.MqttError):
                async with broker.client("meter-1") as meter:
                    await meter.publish(topic, b"x" * PACKET_BYTES_MAX, qos=1)
            async with broker.client("meter-1") as meter:
                await meter.publish(topic, b"y" * (PACKET_BYTES_MAX // 2), qos=1)
            ((_, payload),) = await heard(gateway)
            assert payload == b"y" * (PACKET_BYTES_MAX // 2)

    asyncio.run(play())


def test_a_full_queue_loses_the_newest_and_keeps_what_it_has(tmp_path, monkeypatch):
    """With a limit of 50 in place of 500,000: what else a queue would do is mosquitto's own."""
    monkeypatch.setattr(shipped, "MESSAGES_QUEUED_MAX", 50)
    monkeypatch.setattr(shipped, "MESSAGES_IN_FLIGHT_MAX", 10)
    topic = f"rec/{COMMUNITY}/meter-1/measure"

    async def play(running: Mosquitto) -> None:
        async with running.client("gateway", clean_session=False) as gateway:
            await gateway.subscribe(topic, qos=1)
        async with running.client("meter-1") as meter:
            for number in range(100):
                await meter.publish(topic, str(number).encode(), qos=1)
        async with running.client("gateway", clean_session=False) as gateway:
            found = [int(payload) for _, payload in await heard(gateway, 50)]
            assert found == list(range(50))

    with mosquitto(tmp_path, DEVICES) as running:
        asyncio.run(play(running))
