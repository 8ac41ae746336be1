"""The demo's broker, with everybody's rights, and where each client finds it."""

from collections.abc import Sequence

from gateway.demo.settings import DemoSettings
from gateway.mqtt.embedded_broker import EmbeddedBroker, ServerTls, credential, new_token
from gateway.mqtt.mosquitto import access_of
from gateway.mqtt.topics import GATEWAY
from gateway.settings import MqttSettings


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

    def broker(self, devices: Sequence[str]) -> EmbeddedBroker:
        """The broker for these devices, the plugs, the households with home automation."""
        settings = self._settings
        access = access_of(
            settings.community.id,
            devices,
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
