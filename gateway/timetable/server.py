"""`python -m gateway.timetable.server --config timetable.json`: a member's scheduler process."""

import argparse
import asyncio
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

from gateway.ledger_access.actor import Actor
from gateway.processes import clock_ms, settings_named
from gateway.settings import IdentityFiles, LedgerSettings, identity_from, ledger_from
from gateway.strict_json import parse_strictly
from gateway.timetable.timetable import POLL_MS_DEFAULT, Timetable
from gateway.timetable.upkeep import Upkeep
from ledger import log_lines
from ledger.client.gateway import GatewayClient

EXIT_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class TimetableSettings:
    """Whose scheduler, through which peer, how often it looks."""

    ledger: LedgerSettings
    identity: IdentityFiles
    poll_ms: int


def load_timetable_settings(path: Path) -> TimetableSettings:
    """Read the file; a wrong one raises `ValueError`, `KeyError` or `TypeError`."""
    raw = parse_strictly(path.read_bytes())
    return TimetableSettings(
        ledger=ledger_from(raw["ledger"]),
        identity=identity_from(raw["identity"]),
        poll_ms=int(raw.get("poll_ms", POLL_MS_DEFAULT)),
    )


async def serve(settings: TimetableSettings) -> None:
    """Run until cancelled."""
    client = GatewayClient.connect(
        settings.ledger.peers[0].address,
        settings.ledger.tls_ca.read_bytes(),
        settings.ledger.channel_id,
    )
    actor = Actor(client, settings.identity.load(), settings.ledger.chaincode)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(Timetable(actor, clock_ms).run(poll_ms=settings.poll_ms))
            group.create_task(Upkeep(actor, clock_ms).run())
    finally:
        await client.close()


def main() -> int:
    """Read the configuration and keep the timetable."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway.timetable.server",
        description="The market's timetable, until a signal ends it.",
    )
    log_lines.configure(logging.INFO, "%(asctime)s %(name)s %(message)s")
    settings = settings_named(parser, "timetable.json (docs/orders.md)", load_timetable_settings)
    try:
        asyncio.run(serve(settings))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
