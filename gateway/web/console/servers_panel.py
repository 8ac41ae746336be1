"""Whether what the gateway leans on is there, and since when: broker, collector, ledger."""

from dataclasses import dataclass

from gateway.services import Services


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """As this gateway sees it; None or 0 for what it never saw.

    Whoever is connected to the broker collects: one connection does both.
    """

    has_broker: bool
    is_connected: bool
    since_ms: int
    last_message_ms: int
    height: int
    last_block_ms: int | None


def server_status(services: Services) -> ServerStatus:
    """As it is now."""
    heard = services.hems.stores.devices.all() if services.hems is not None else ()
    return ServerStatus(
        has_broker=services.hems is not None,
        is_connected=services.broker.is_open,
        since_ms=services.broker.since_ms,
        last_message_ms=max((device.last_seen_ms for device in heard), default=0),
        height=services.market.height,
        last_block_ms=_last_block_ms(services),
    )


def _last_block_ms(services: Services) -> int | None:
    height = services.market.height
    block = services.readmodel.block(height - 1) if height else None
    return block.consensus.block_time_ms if block is not None and block.consensus else None
