"""The demo's broker, with everybody's rights, and where each client finds it."""

import asyncio
import logging

from gateway.demo.settings import DemoSettings
from gateway.mqtt.broker_link import AT_LEAST_ONCE
from gateway.mqtt.connection import connected
from gateway.mqtt.device_messages import ONLINE, encode_own_state
from gateway.mqtt.embedded_broker import EmbeddedBroker, ServerTls, credential, new_token
from gateway.mqtt.mosquitto import access_of
from gateway.mqtt.topics import GATEWAY, gateway_state_topic
from gateway.settings import MqttSettings

GATEWAY_WAITED_S = 60

logger = logging.getLogger(__name__)


class CommunityBroker:
    """The embedded broker, and a token for each of its clients."""

    def __init__(self, settings: DemoSettings) -> None:
        self._settings = settings
        self._tokens = {GATEWAY: settings.broker.gateway_token} | {
            home.idgrid: home.broker_token for home in settings.households if home.broker_token
        }

    def as_client(self, name: str) -> MqttSettings:
        """How a device, or the oracle, reaches the broker; always with the same token."""
        own = self._settings.broker
        token = self._tokens.setdefault(name, new_token())
        return MqttSettings(own.host, own.port, own.ca, name, token)

    def broker(self) -> EmbeddedBroker:
        """The broker for everybody of the settings."""
        settings = self._settings
        access = access_of(
            settings.community.id,
            [name for home in settings.households for name in home.devices],
            settings.plugs,
            [home.idgrid for home in settings.households if home.broker_token],
        )
        own = settings.broker
        return EmbeddedBroker(
            credentials={
                name: credential(self.as_client(name).token, granted)
                for name, granted in access.items()
            },
            host=own.host,
            port=own.port,
            tls=ServerTls(own.certificate, own.key),
        )

    async def wait_for_gateway(self) -> None:
        """Until the gateway has said that it listens: what came before, it would not know.

        Some household's home automation asks; `GATEWAY_WAITED_S` at most, then it is told.
        """
        settings = self._settings
        asking = [home.idgrid for home in settings.households if home.broker_token]
        try:
            async with (
                asyncio.timeout(GATEWAY_WAITED_S),
                connected(self.as_client(asking[0])) as client,
            ):
                await client.subscribe(gateway_state_topic(settings.community.id), AT_LEAST_ONCE)
                async for message in client.messages:
                    if message.payload == encode_own_state(ONLINE):
                        return
        except TimeoutError:
            logger.warning("the gateway is not at the broker yet; it will miss what comes now")
