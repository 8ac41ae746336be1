"""`python -m gateway.server --config gateway.json`: the gateway process (composition root)."""

import argparse
import asyncio
import logging
import sys
import time

import uvicorn
from starlette.types import ASGIApp

from gateway.api.hosts import HEAD_BYTES_MAX, AllowedHosts
from gateway.application import create_app, create_trust_app
from gateway.books.community import Community
from gateway.books.market import Market
from gateway.database import (
    Database,
    DatabaseUnavailable,
    migrate,
    open_database,
    outlasting,
)
from gateway.hems.plug_services import PlugServices
from gateway.hems.running import StoredReadings, limits_for
from gateway.http_connections import (
    ConnectionLimits,
    OpenConnections,
    limited_http,
)
from gateway.identity.following import end_with_keys
from gateway.identity.issuing import NoIssuer, SocketIssuer
from gateway.identity.people import People
from gateway.identity.scopes import Scope
from gateway.identity.sessions import Sessions, Viewer
from gateway.ledger_access.block_signal import BlockSignal
from gateway.ledger_access.ledger_link import link_from
from gateway.mqtt.broker_link import BrokerLink
from gateway.mqtt.collecting import start_collecting
from gateway.notices.addresses import PrivateAddresses
from gateway.notices.running import notice_tasks
from gateway.notices.ways import NoticeWays, ways_from
from gateway.ports import Ledger
from gateway.processes import clock_ms, settings_named
from gateway.readiness import Readiness
from gateway.readmodel.event_feed import EventFeed
from gateway.readmodel.following import follow_blocks
from gateway.readmodel.projector import Projector
from gateway.readmodel.queries import ReadModel
from gateway.services import STREAMS_MAX, Services, Slots
from gateway.settings import GatewaySettings, TlsSettings, load_gateway_settings
from gateway.shared_state.answered import AnsweredRequests
from gateway.shared_state.api_tokens import ApiTokens
from gateway.shared_state.submissions import Submissions
from gateway.shared_state.tries import Tries
from gateway.transactions.receipts import Receipts
from gateway.transactions.submitting import Transactions
from gateway.web.home_assistant_texts import words_of_homes
from gateway.web.notice_texts import NoticeWriter
from ledger import log_lines

STOP_TIMEOUT_S = 2
EXIT_FAILED = 1

logger = logging.getLogger(__name__)


def build_services(settings: GatewaySettings, ledger: Ledger, database: Database) -> Services:
    """The use cases over one ledger connection and the gateway's database."""
    readmodel = ReadModel(database, settings.ledger.chaincode)
    blocks = BlockSignal()
    community = Community(readmodel)
    people = People.over(
        database,
        clock_ms,
        community=community,
        issuer=SocketIssuer(settings.issuer_socket) if settings.issuer_socket else NoIssuer(),
        community_name=settings.community.name,
    )
    return Services(
        addresses=_addresses(settings, ledger),
        broker=BrokerLink(clock_ms),
        readmodel=readmodel,
        readiness=Readiness(ledger, readmodel),
        blocks=blocks,
        feed=EventFeed(readmodel),
        transactions=Transactions(
            ledger=ledger,
            chaincode=settings.ledger.chaincode,
            readmodel=readmodel,
            blocks=blocks,
            submissions=Submissions(database, clock_ms),
            clock_ns=time.time_ns,
        ),
        market=Market(readmodel),
        community=community,
        sessions=_sessions(settings, Sessions(database, clock_ms, people.endings)),
        api_tokens=ApiTokens(database, clock_ms, people.endings),
        answered=AnsweredRequests(database, clock_ms),
        tries=Tries(database, clock_ms),
        receipts=Receipts(readmodel),
        people=people,
        readings=_readings(settings, database),
        streams=Slots(STREAMS_MAX),
        clock_ms=clock_ms,
        community_name=settings.community.name,
        energy_hour_ms=settings.community.hour_ms,
        local_time=settings.community.local_time,
        currencies=settings.currencies,
        terms=settings.terms,
        plug_services=PlugServices(settings.hems.plug_services),
        notice_ways=_notice_ways(settings, database),
    )


def _readings(settings: GatewaySettings, database: Database) -> StoredReadings:
    limits = limits_for(settings.community.hour_ms, settings.hems.interval_ms)
    return StoredReadings.over(database, limits, clock_ms())


def _notice_ways(settings: GatewaySettings, database: Database) -> NoticeWays:
    return ways_from(
        settings.notices,
        database,
        clock_ms,
        has_mail=settings.mail is not None,
        has_broker=settings.mqtt is not None,
    )


def _sessions(settings: GatewaySettings, sessions: Sessions) -> Sessions:
    """With the links and the programs' tokens of the settings."""
    for link in settings.links:
        sessions.add_link(link.token, Viewer(link.idgrid, link.is_manager))
    for token in settings.oracle_tokens:
        sessions.admit(token, Viewer("", is_oracle=True))
    if settings.watch_token:
        reading = frozenset({Scope.COMMUNITY_READ})
        sessions.admit(settings.watch_token, Viewer("", is_manager=True, token_scopes=reading))
    return sessions


def _addresses(settings: GatewaySettings, ledger: Ledger) -> PrivateAddresses | None:
    if settings.mail_reader is None:
        return None
    return PrivateAddresses(ledger, settings.ledger.chaincode, settings.mail_reader.load())


def web_config(
    app: ASGIApp,
    host: str,
    port: int,
    limits: ConnectionLimits | None = None,
    tls: TlsSettings | None = None,
    trusted_proxies: tuple[str, ...] = (),
) -> uvicorn.Config:
    """How the application is served: no WebSockets, bounded heads, slow clients are closed.

    Of `trusted_proxies` the address in `X-Forwarded-For` is believed, of nobody else.
    """
    connections = OpenConnections(limits or ConnectionLimits(), frozenset(trusted_proxies))
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
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        ws="none",
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )


async def serve(settings: GatewaySettings) -> None:
    """Run until a signal ends the web server."""
    database = open_database(settings.database)
    await asyncio.to_thread(migrate, database)
    stored = ReadModel(database, settings.ledger.chaincode)
    link = link_from(settings, stored.block_bytes)
    services = build_services(settings, link, database)
    words_of = words_of_homes(services.notices, settings.notices.language)
    services, collecting = await start_collecting(settings, services, database, words_of)
    projector = Projector(database, settings.ledger.chaincode)
    hosts, tls = AllowedHosts.of(settings.host, settings.allowed_hosts), settings.tls
    app = create_app(services, hosts=hosts, tls_ca=tls.ca if tls else None)
    server = uvicorn.Server(
        web_config(
            app, settings.host, settings.port, tls=tls, trusted_proxies=settings.trusted_proxies
        )
    )
    background = [
        asyncio.create_task(outlasting(lambda: follow_blocks(link, projector, services.blocks)))
    ]
    if tls is not None and tls.trust_port is not None:
        trust = create_trust_app(services, tls.ca, https_port=settings.port, hosts=hosts)
        plain = web_config(trust, settings.host, tls.trust_port)
        background.append(asyncio.create_task(uvicorn.Server(plain).serve()))
    background += collecting
    endings = services.people.endings
    ending = outlasting(lambda: end_with_keys(services.readmodel, services.blocks, endings))
    background.append(asyncio.create_task(ending))
    writer = NoticeWriter(settings.community.name, settings.community.local_time)
    background += notice_tasks(settings, link, services, writer)
    try:
        await _first_to_end(asyncio.create_task(server.serve()), background)
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await link.close()
        database.close()


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
    log_lines.configure(logging.WARNING, "%(asctime)s %(name)s %(message)s")
    settings = settings_named(parser, "gateway.json (docs/gateway.md)", load_gateway_settings)
    try:
        asyncio.run(serve(settings))
    except DatabaseUnavailable as outage:
        logger.error("the gateway cannot start: %s", outage)  # noqa: TRY400 - its words suffice
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
