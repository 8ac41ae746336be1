"""The broker's command grants what the gateway's settings may name."""

from gateway.mqtt import mosquitto
from network.commands import broker


def test_every_kind_of_foreign_device_has_its_option() -> None:
    assert broker.FOREIGN_KINDS == mosquitto.FOREIGN_KINDS
