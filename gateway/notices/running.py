"""Notices in a running gateway: which tasks its settings ask for."""

import asyncio
from collections.abc import Iterator

from gateway.database import outlasting
from gateway.notices.addresses import PrivateAddresses
from gateway.notices.delivery import (
    Delivery,
    MailDelivery,
    MqttDelivery,
    PushDelivery,
    WebhookDelivery,
    Writer,
)
from gateway.notices.following import Noticing
from gateway.notices.mail import Mailer
from gateway.notices.outbox import Outbox
from gateway.notices.outside_http import OutsideHttp
from gateway.notices.records import Channel
from gateway.notices.sending import Sending
from gateway.ports import Ledger
from gateway.services import Services
from gateway.settings import GatewaySettings

WEBHOOK_SENDERS = PUSH_SENDERS = 4
"""At once, so that one receiver that is slow does not hold up the others."""


def notice_tasks(
    settings: GatewaySettings, ledger: Ledger, services: Services, writer: Writer
) -> list[asyncio.Task[None]]:
    """Making notices, and sending them the ways this gateway has."""
    outbox = Outbox(services.readmodel.database)
    made: list[asyncio.Event] = []
    tasks = []
    for delivery in _deliveries(settings, ledger, services, writer):
        made.append(asyncio.Event())
        sending = Sending(outbox, delivery, services.clock_ms)
        tasks.append(asyncio.create_task(_kept_sending(sending, made[-1])))
    ways = services.notice_ways.channels
    noticing = Noticing(services.notices, services.readmodel, services.clock_ms, ways)
    work = outlasting(lambda: noticing.run(services.blocks, made))
    return [*tasks, asyncio.create_task(work)]


async def _kept_sending(sending: Sending, made: asyncio.Event) -> None:
    await outlasting(lambda: sending.run(made))


def _deliveries(
    settings: GatewaySettings, ledger: Ledger, services: Services, writer: Writer
) -> Iterator[Delivery]:
    """One for each that sends at the same time."""
    book, ways = services.notices, services.notice_ways
    if settings.mail is not None and settings.mail_reader is not None:
        reader = settings.mail_reader.load()
        addresses = PrivateAddresses(ledger, settings.ledger.chaincode, reader)
        yield MailDelivery(book, Mailer(settings.mail), addresses, writer)
    if Channel.MQTT in ways.channels:
        yield MqttDelivery(
            book=book,
            broker=services.broker,
            writer=writer,
            community_id=settings.community.id,
            language=settings.notices.language,
        )
    http = OutsideHttp(settings.notices.reach, settings.notices.ca)
    if ways.push is not None and ways.push_sender is not None:
        for _ in range(PUSH_SENDERS):
            yield PushDelivery(
                book=book,
                devices=ways.push,
                sender=ways.push_sender,
                http=http,
                writer=writer,
                language=settings.notices.language,
            )
    if ways.webhooks is not None:
        for _ in range(WEBHOOK_SENDERS):
            yield WebhookDelivery(
                book=book,
                webhooks=ways.webhooks,
                http=http,
                writer=writer,
                community_id=settings.community.id,
                language=settings.notices.language,
            )
