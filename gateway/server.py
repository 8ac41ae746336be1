"""`python -m gateway.server --config gateway.json`: the gateway process (composition root)."""

import argparse
import asyncio
import logging
import sys
import time
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from gateway.api.app import create_app
from gateway.api.hosts import HEAD_BYTES_MAX, AllowedHosts
from gateway.block_signal import BlockSignal
from gateway.community import Community
from gateway.errors import LedgerRefusal
from gateway.http_connections import (
    ConnectionLimits,
    OpenConnections,
    limited_http,
)
from gateway.ledger_link import LedgerLink
from gateway.market import Market
from gateway.meter_keys import LedgerMeterKeys
from gateway.mqtt.connection import keep_ingesting
from gateway.mqtt.ingest import ReadingStore
from gateway.ports import Ledger
from gateway.projection import Projection
from gateway.services import STREAMS_MAX, Services, Slots
from gateway.sessions import Sessions, Viewer
from gateway.settings import GatewaySettings, load_gateway_settings
from gateway.transactions import Transactions
from ledger.node import log_lines

RECONNECT_MS_MIN, RECONNECT_MS_MAX = 200, 10_000
STOP_TIMEOUT_S = 2

logger = logging.getLogger(__name__)


def clock_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def build_services(settings: GatewaySettings, ledger: Ledger) -> Services:
    """The use cases over one ledger connection."""
    projection = Projection(settings.ledger.chaincode)
    blocks = BlockSignal()
    community = Community(projection)
    sessions = Sessions(clock_ms)
    for link in settings.links:
        sessions.add_link(link.token, Viewer(link.idgrid, link.is_manager))
    for token in settings.oracle_tokens:
        sessions.admit(token, Viewer("", is_oracle=True))
    return Services(
        projection=projection,
        blocks=blocks,
        transactions=Transactions(
            ledger=ledger,
            chaincode=settings.ledger.chaincode,
            projection=projection,
            blocks=blocks,
            clock_ns=time.time_ns,
        ),
        market=Market(projection),
        community=community,
        sessions=sessions,
        readings=ReadingStore(LedgerMeterKeys(community)),
        streams=Slots(STREAMS_MAX),
        clock_ms=clock_ms,
        community_name=settings.community.name,
        energy_hour_ms=settings.community.hour_ms,
        utc_offset_minutes=settings.community.utc_offset_minutes,
        currencies=settings.currencies,
    )


async def follow_blocks(ledger: Ledger, services: Services) -> None:
    """Apply blocks for ever, from where the projection stands; survives a restarting peer."""
    pause_ms = RECONNECT_MS_MIN
    while True:
        try:
            async for block in ledger.blocks(services.projection.height):
                services.projection.apply(block)
                await services.blocks.announce(services.projection.height)
                pause_ms = RECONNECT_MS_MIN
        except LedgerRefusal as refusal:
            logger.warning("block stream: %s; again in %d ms", refusal, pause_ms)
        await asyncio.sleep(pause_ms / 1000)
        pause_ms = min(2 * pause_ms, RECONNECT_MS_MAX)


def web_config(
    app: FastAPI, host: str, port: int, limits: ConnectionLimits | None = None
) -> uvicorn.Config:
    """How the application is served: no WebSockets, bounded heads, slow clients are closed."""
    connections = OpenConnections(limits or ConnectionLimits())
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=limited_http(connections),
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        # A line for every broken request would let strangers fill the disk.
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )


async def serve(settings: GatewaySettings) -> None:
    """Run until a signal ends the web server."""
    link = LedgerLink(
        address=settings.ledger.peers[0].address,
        tls_ca_pem=settings.ledger.tls_ca.read_bytes(),
        channel_id=settings.ledger.channel_id,
        chaincode=settings.ledger.chaincode,
        identity=settings.identity.load(),
    )
    services = build_services(settings, link)
    app = create_app(services, hosts=AllowedHosts.of(settings.host, settings.allowed_hosts))
    server = uvicorn.Server(web_config(app, settings.host, settings.port))
    background = [asyncio.create_task(follow_blocks(link, services))]
    if settings.mqtt is not None:
        background.append(
            asyncio.create_task(
                keep_ingesting(
                    settings.mqtt, settings.community.id, services.readings, services.batteries
                )
            )
        )
    try:
        await _first_to_end(asyncio.create_task(server.serve()), background)
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await link.close()


async def _first_to_end(web: asyncio.Task[None], background: list[asyncio.Task[None]]) -> None:
    """A fault of a background task ends the process instead of going unnoticed."""
    done, _ = await asyncio.wait([web, *background], return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


def main() -> int:
    """Read the configuration and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway.server", description="The gateway, until a signal ends it."
    )
    parser.add_argument(
        "--config", type=Path, required=True, help="gateway.json (docs/gateway.md)"
    )
    options = parser.parse_args()
    log_lines.configure(logging.WARNING, "%(asctime)s %(name)s %(message)s")
    try:
        settings = load_gateway_settings(options.config)
    except OSError as error:
        parser.error(f"cannot read {options.config}: {error.strerror}")
    except KeyError as error:
        parser.error(f"{options.config}: the field {error} is missing")
    except (TypeError, ValueError) as error:
        parser.error(f"{options.config}: {error}")
    asyncio.run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
