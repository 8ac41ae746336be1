"""Transfers told to boards of the source's kind, on `<prefix>/energy`, each never twice.

A transfer is told when its turn comes, as its nodes get their command. That it is told is on disk
before the broker hears of it: those boards close a relay on every line (001:1753), so of a process
that ends between the two nothing is said again.
"""

import asyncio
import logging
from collections.abc import Sequence

import aiomqtt

from gateway.hems.transfer_rules import Transfer
from gateway.hems.transfers import TransferBook
from gateway.mqtt.transfer_notice import (
    NoticeRefusal,
    TransferNotice,
    encode_transfer_notice,
)

EXACTLY_ONCE = 2
"""MQTT's QoS: the broker has each line once, however often its answer is lost."""

logger = logging.getLogger(__name__)


def notice_of(transfer: Transfer) -> TransferNotice:
    """The line about a transfer; the accounts are the households' IDgrids."""
    seller, buyer = transfer.ends
    return TransferNotice(transfer.number, transfer.energy_wh, seller.idgrid, buyer.idgrid)


class TransferAnnouncer:
    """Tells the transfers of one community on these topics; on none if there are none."""

    def __init__(self, book: TransferBook, topics: Sequence[str]) -> None:
        self._book = book
        self._topics = tuple(topics)

    async def announce(self, client: aiomqtt.Client, now_ms: int) -> None:
        """Tell every transfer that has begun and was not told; raises `aiomqtt.MqttError`."""
        if not self._topics:
            return
        while True:
            begun = await asyncio.to_thread(self._book.announce_next, now_ms)
            if begun is None:
                return
            await self._tell(client, begun)

    async def _tell(self, client: aiomqtt.Client, transfer: Transfer) -> None:
        try:
            payload = encode_transfer_notice(notice_of(transfer))
        except ValueError as error:
            name, refusal = transfer.transfer_id, NoticeRefusal.MALFORMED
            logger.warning("transfer %s is not announced, %s: %s", name, refusal, error)
            return
        try:
            for topic in self._topics:
                await client.publish(topic, payload, qos=EXACTLY_ONCE)
        except aiomqtt.MqttError:
            logger.warning("whether #%d was announced is not known; not again", transfer.number)
            raise
