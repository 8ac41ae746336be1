"""How a notice leaves the gateway: one class per channel, tried by `sending.Sending`."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from gateway.errors import LedgerRefusal
from gateway.mqtt.broker_link import BrokerLink, NoBroker
from gateway.mqtt.topics import notice_topic
from gateway.notices.addresses import Addresses
from gateway.notices.book import NoticeBook
from gateway.notices.cloud_events import EVENT_BYTES_MAX, cloud_event, signed_headers
from gateway.notices.mail import Letter, Mailer
from gateway.notices.outbox import OutboxItem, Undelivered
from gateway.notices.outside_http import AddressRefused, CallFailed, OutsideHttp
from gateway.notices.push_devices import PushDevices
from gateway.notices.records import Channel, Notice, NoticeText
from gateway.notices.web_push import MESSAGE_BYTES_MAX, Sender, encrypted, message
from gateway.notices.webhooks import Webhooks

MQTT_FORMAT_VERSION = 1
MQTT_NOTICE_BYTES_MAX = 4 * 1024
_BROWSER_IS_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_IS_BUSY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class Writer(Protocol):
    """Notices in words of the language with a code."""

    def letter(self, notice: Notice, code: str) -> Letter:
        """A mail."""

    def told(self, notice: Notice, code: str) -> NoticeText:
        """A heading and a sentence."""


class Delivery(Protocol):
    """One channel."""

    @property
    def channel(self) -> Channel:
        """Whose items it takes."""

    async def deliver(self, item: OutboxItem, now_ms: int) -> None:
        """Hand an item on; raises `Undelivered`."""


@dataclass(frozen=True, slots=True)
class MailDelivery:
    """Letters to the address in the ledger's private data."""

    book: NoticeBook
    mailer: Mailer
    addresses: Addresses
    writer: Writer
    channel: Channel = Channel.EMAIL

    async def deliver(self, item: OutboxItem, now_ms: int) -> None:
        """See `Delivery`."""
        notice = item.notice
        try:
            address = await self.addresses.address_of(notice.idgrid)
        except LedgerRefusal as refusal:
            raise Undelivered(str(refusal.status), is_final=False) from refusal
        if address is None:
            raise Undelivered("no address is recorded", is_final=True)
        language = await _language(self.book, notice, self.mailer.language)
        await self.mailer.send(notice, self.writer.letter(notice, language), address)


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """Signed CloudEvents to the addresses that households named."""

    book: NoticeBook
    webhooks: Webhooks
    http: OutsideHttp
    writer: Writer
    community_id: str
    language: str
    """Of households that chose none."""
    channel: Channel = Channel.WEBHOOK

    async def deliver(self, item: OutboxItem, now_ms: int) -> None:
        """See `Delivery`. 410 (gone) removes the webhook; others but 2xx are tried again."""
        notice = item.notice
        url = await asyncio.to_thread(self.webhooks.url, item.target)
        if url is None:
            raise Undelivered("it was removed", is_final=True)
        language = await _language(self.book, notice, self.language)
        body = cloud_event(
            notice,
            self.writer.told(notice, language),
            language=language,
            community_id=self.community_id,
            created_ms=item.created_ms,
        )
        if len(body) > EVENT_BYTES_MAX:
            raise Undelivered("the event is too large", is_final=True)
        secret = self.webhooks.secret(item.target)
        headers = signed_headers(notice.name, body, secret, now_ms)
        status = await _posted(self.http, url, headers, body)
        if status == HTTPStatus.GONE:
            await asyncio.to_thread(self.webhooks.remove, item.target)
            raise Undelivered("the receiver is gone", is_final=True)
        if not _is_success(status):
            raise Undelivered(f"the receiver answers {status}", is_final=False)


@dataclass(frozen=True, slots=True)
class PushDelivery:
    """Messages to browsers through their makers' push services, which cannot read them."""

    book: NoticeBook
    devices: PushDevices
    sender: Sender
    http: OutsideHttp
    writer: Writer
    language: str
    """Of households that chose none."""
    channel: Channel = Channel.PUSH

    async def deliver(self, item: OutboxItem, now_ms: int) -> None:
        """See `Delivery`. 404 and 410 remove the browser; 408, 429 and 5xx are tried again."""
        notice = item.notice
        subscription = await asyncio.to_thread(self.devices.subscription, item.target)
        if subscription is None:
            raise Undelivered("it was removed", is_final=True)
        language = await _language(self.book, notice, self.language)
        content = message(notice.name, self.writer.told(notice, language), language)
        if len(content) > MESSAGE_BYTES_MAX:
            raise Undelivered("the message is too large", is_final=True)
        endpoint, body = subscription.endpoint, encrypted(content, subscription)
        try:
            headers = self.sender.headers(endpoint, now_ms)
        except AddressRefused as refused:
            raise Undelivered(str(refused), is_final=True) from refused
        status = await _posted(self.http, endpoint, headers, body)
        if status in _BROWSER_IS_GONE:
            await asyncio.to_thread(self.devices.remove, item.target)
            raise Undelivered("the browser is gone", is_final=True)
        if not _is_success(status):
            is_final = status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _IS_BUSY
            raise Undelivered(f"the push service answers {status}", is_final=is_final)


@dataclass(frozen=True, slots=True)
class MqttDelivery:
    """Messages on a household's own topic, which the broker lets nobody else hear."""

    book: NoticeBook
    broker: BrokerLink
    writer: Writer
    community_id: str
    language: str
    """Of households that chose none."""
    channel: Channel = Channel.MQTT

    async def deliver(self, item: OutboxItem, now_ms: int) -> None:
        """See `Delivery`. Taken once the broker has it."""
        notice = item.notice
        language = await _language(self.book, notice, self.language)
        text = self.writer.told(notice, language)
        content = {
            "v": MQTT_FORMAT_VERSION,
            "id": notice.name,
            "kind": notice.kind.value,
            "t": item.created_ms,
            "title": text.title,
            "text": text.sentence,
            "language": language,
            "facts": dict(notice.facts),
        }
        payload = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        if len(payload) > MQTT_NOTICE_BYTES_MAX:
            raise Undelivered("the message is too large", is_final=True)
        try:
            await self.broker.publish(notice_topic(self.community_id, notice.idgrid), payload)
        except NoBroker as away:
            raise Undelivered(str(away), is_final=False) from away


async def _language(book: NoticeBook, notice: Notice, default: str) -> str:
    choices = await asyncio.to_thread(book.choices, notice.idgrid)
    return choices.language or default


def _is_success(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


async def _posted(http: OutsideHttp, url: str, headers: Mapping[str, str], body: bytes) -> int:
    try:
        return await http.post(url, headers, body)
    except AddressRefused as refused:
        raise Undelivered(str(refused), is_final=True) from refused
    except CallFailed as failure:
        raise Undelivered(str(failure), is_final=False) from failure
