"""`python -m gateway.oracle.server --config oracle.json`: a member's oracle, as a process.

It answers what the ledger asks of its member, and reports what meters measured at the end of every
hour. Any member may run one, with its own certificate of the role `oracle`.
"""

import argparse
import asyncio
import contextlib
import logging
import ssl
import sys
from contextlib import AsyncExitStack

import httpx

from gateway.database import open_database
from gateway.hems.plausibility import Limits
from gateway.hems.series import SeriesStore
from gateway.ledger_access.actor import Actor
from gateway.oracle.answering import AnsweringNode
from gateway.oracle.http_source import HttpReadings, HttpSource
from gateway.oracle.job import RunLog
from gateway.oracle.reporting import ReadingSource, ReportingNode
from gateway.oracle.series_source import SeriesReadings
from gateway.oracle.settings import OracleSettings, ReportSettings, load_oracle_settings
from gateway.processes import clock_ms, settings_named
from ledger import log_lines
from ledger.client.gateway import GatewayClient

logger = logging.getLogger(__name__)


async def serve(settings: OracleSettings) -> None:
    """Answer and report until cancelled."""
    async with AsyncExitStack() as stack:
        client = GatewayClient.connect(
            settings.ledger.peers[0].address,
            settings.ledger.tls_ca.read_bytes(),
            settings.ledger.channel_id,
        )
        stack.push_async_callback(client.close)
        trusted = ssl.create_default_context(cafile=settings.ca)
        http = HttpSource(await stack.enter_async_context(httpx.AsyncClient(verify=trusted)))
        actor = Actor(client, settings.identity.load(), settings.ledger.chaincode)
        log = RunLog(clock_ms, settings.run_log)
        async with asyncio.TaskGroup() as tasks:
            if settings.jobs:
                jobs = list(settings.jobs)
                answering = AnsweringNode(actor, jobs, http, clock_ms=clock_ms, log=log)
                tasks.create_task(answering.run())
            if settings.reports is not None:
                reporting = ReportingNode(
                    actor,
                    _source(settings.reports, http, stack),
                    settings.reports.times,
                    clock_ms=clock_ms,
                    log=log,
                    mspid=settings.identity.mspid,
                )
                tasks.create_task(reporting.run())


def _source(reports: ReportSettings, http: HttpSource, stack: AsyncExitStack) -> ReadingSource:
    if reports.gateway:
        return HttpReadings(http, reports.gateway, reports.token)
    database = open_database(reports.database)
    stack.callback(database.close)
    return SeriesReadings(SeriesStore(database, Limits(), clock_ms()))


def main() -> int:
    """Read the configuration, answer and report."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway.oracle.server",
        description="A member's oracle, until a signal ends it.",
    )
    log_lines.configure(logging.INFO, "%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it names every address it asks
    settings = settings_named(parser, "oracle.json (docs/oracle.md)", load_oracle_settings)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
