"""Connecting to a broker: TLS against the community's authority, again after every loss."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import aiomqtt

from gateway.hems.batteries import BatteryStore
from gateway.mqtt.ingest import Accepting, ingest
from gateway.settings import MqttSettings

KEEP_ALIVE_S = 30
CONNECT_TIMEOUT_S = 10.0
RECONNECT_MS_MIN, RECONNECT_MS_MAX = 200, 10_000

logger = logging.getLogger(__name__)


@asynccontextmanager
async def connected(
    settings: MqttSettings, *, is_persistent: bool = False, will: aiomqtt.Will | None = None
) -> AsyncIterator[aiomqtt.Client]:
    """A connected client; its id is its user name. Raises `aiomqtt.MqttError`.

    For a persistent session the broker queues while the client is away, and every message has to
    be acknowledged by `acknowledge`.
    """
    context = ssl.create_default_context(cafile=str(settings.ca))
    client = aiomqtt.Client(
        settings.host,
        settings.port,
        identifier=settings.username,
        username=settings.username,
        password=settings.token,
        tls_context=context,
        keepalive=KEEP_ALIVE_S,
        timeout=CONNECT_TIMEOUT_S,
        clean_session=not is_persistent,
        will=will,
    )
    if is_persistent:
        # aiomqtt does not offer what paho has had since version 2: to acknowledge by hand.
        client._client.manual_ack_set(on=True)  # noqa: SLF001
    async with client:
        yield client


def acknowledge(client: aiomqtt.Client, messages: Iterable[aiomqtt.Message]) -> None:
    """Tell the broker that these messages of a persistent session need not be sent again."""
    for message in messages:
        client._client.ack(message.mid, message.qos)  # noqa: SLF001 - see `connected`


async def keep_ingesting(
    settings: MqttSettings,
    community: str,
    store: Accepting,
    batteries: BatteryStore | None = None,
) -> None:
    """Ingest what devices report for ever; wait a little longer after each failed connection.

    A loss and the return are logged once each, however many attempts lie between them.
    """
    pause_ms = RECONNECT_MS_MIN
    is_lost = False
    while True:
        try:
            async with connected(settings) as client:
                if is_lost:
                    logger.warning("the broker is back")
                is_lost, pause_ms = False, RECONNECT_MS_MIN
                await ingest(client, community, store, batteries)
        except aiomqtt.MqttError as error:
            if not is_lost:
                logger.warning(
                    "no broker at %s:%d: %s; trying on", settings.host, settings.port, error
                )
            is_lost = True
        await asyncio.sleep(pause_ms / 1000)
        pause_ms = min(2 * pause_ms, RECONNECT_MS_MAX)
