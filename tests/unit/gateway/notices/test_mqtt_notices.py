"""Notices on the broker: a household hears its own, in its language, and nobody else's."""

import asyncio
import json

import aiomqtt
import pytest

from gateway.local_time import fixed
from gateway.mqtt.broker_link import BrokerLink, NoBroker
from gateway.mqtt.mosquitto import access_of
from gateway.mqtt.topics import person_access
from gateway.notices.delivery import MqttDelivery
from gateway.notices.outbox import RETRY_MS_MAX, Outbox
from gateway.notices.records import Channel, Choices, Kind
from gateway.notices.sending import Sending
from gateway.web.notice_texts import NoticeWriter
from tests.unit.gateway.notices.told_street import Street, all_steps
from tests.unit.gateway.test_embedded_broker import COMMUNITY, client, running_broker

SECONDS_MAX = 60
WANTED = Choices(frozenset({(Kind.STOP, Channel.MQTT)}), "pt")
SELLER_HEARS = ["invitation", "match", "settlement", "buy_call", "invitation"]


def sending(street: Street, link: BrokerLink) -> Sending:
    delivery = MqttDelivery(
        book=street.book,
        broker=link,
        writer=NoticeWriter("La Ligua", fixed(-180)),
        community_id=COMMUNITY,
        language="en",
    )
    return Sending(Outbox(street.book.database), delivery, lambda: street.now_ms)


@pytest.fixture
def street() -> Street:
    found = Street()
    found.play()
    found.book.choose(found.seller.idgrid, WANTED)
    all_steps(found.noticing(Channel.MQTT))
    return found


async def all_heard(listening: aiomqtt.Client) -> list[aiomqtt.Message]:
    found = []
    async with asyncio.timeout(SECONDS_MAX):
        async for message in listening.messages:
            found.append(message)
            if message.payload == b"that is all":
                return found[:-1]
    raise AssertionError("the connection ended")


def test_a_household_that_chose_so_hears_its_notices_once_in_its_language(street):
    home, other = street.seller.idgrid, street.buyer.idgrid
    people = {idgrid: person_access(COMMUNITY, idgrid) for idgrid in (home, other)}
    topics = {idgrid: f"rec/{COMMUNITY}/people/{idgrid}/notice" for idgrid in people}
    heard: dict[str, list[aiomqtt.Message]] = {}

    async def play() -> None:
        link = BrokerLink()
        async with (
            running_broker(**people) as broker,
            client(broker, home) as seller,
            client(broker, other) as buyer,
            client(broker, "gateway") as gateway,
        ):
            for who in (seller, buyer):
                for topic in topics.values():
                    await who.subscribe(topic, qos=1)
            with link.over(gateway):
                assert await sending(street, link).send_due() == len(SELLER_HEARS)
                street.now_ms += RETRY_MS_MAX
                assert await sending(street, link).send_due() == 0
            for topic in topics.values():
                await gateway.publish(topic, b"that is all", qos=1)
            heard[home], heard[other] = await all_heard(seller), await all_heard(buyer)

    asyncio.run(play())
    contents = [json.loads(message.payload) for message in heard[home]]
    assert [content["kind"] for content in contents] == SELLER_HEARS
    assert {str(message.topic) for message in heard[home]} == {topics[home]}
    assert {(message.qos, message.retain) for message in heard[home]} == {(1, False)}
    assert len({content["id"] for content in contents}) == len(contents)
    assert {content["language"] for content in contents} == {"pt"}
    settlement = next(content for content in contents if content["kind"] == "settlement")
    assert settlement["title"] == "A energia está liquidada"
    assert settlement["facts"]["energy_wh"] == 8_000
    assert heard[other] == []


def test_while_the_broker_is_away_notices_wait(street):
    async def play() -> None:
        link = BrokerLink()
        with pytest.raises(NoBroker):
            await link.publish("rec/val/people/x/notice", b"")
        assert await sending(street, link).send_due() == 0
        street.now_ms += RETRY_MS_MAX
        async with running_broker() as broker, client(broker, "gateway") as gateway:
            with link.over(gateway):
                assert await sending(street, link).send_due() == len(SELLER_HEARS)

    asyncio.run(play())


def test_who_chose_nothing_is_told_nothing_over_the_broker():
    street = Street()
    street.play()
    all_steps(street.noticing(Channel.MQTT))
    assert Outbox(street.book.database).take(Channel.MQTT, street.now_ms) is None


def test_a_household_has_no_name_of_a_device_or_of_the_gateway():
    granted = access_of(COMMUNITY, ["meter-1"], people=["VAL-0000-G"])
    own_switches = f"rec/{COMMUNITY}/people/VAL-0000-G/devices/+/switch"
    assert granted["VAL-0000-G"].publish == (own_switches,)
    assert granted["VAL-0000-G"].may_receive(f"rec/{COMMUNITY}/people/VAL-0000-G/notice")
    assert not granted["VAL-0000-G"].may_receive(f"rec/{COMMUNITY}/people/VAL-0001-F/notice")
    assert granted["gateway"].may_publish(f"rec/{COMMUNITY}/people/VAL-0000-G/notice")
    for name in ("meter-1", "gateway", "a/b", "+"):
        with pytest.raises(ValueError, match=r"is a device and a household|is no name"):
            access_of(COMMUNITY, ["meter-1"], people=[name])
