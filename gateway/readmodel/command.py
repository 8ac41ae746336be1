"""`gridledger readmodel`: how far the read model is, or drop it and fill it from block 0.

`network.commands.readmodel` starts this module; `python -m gateway.readmodel.command` does, too.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.database import Database, migrate, open_database
from gateway.errors import LedgerRefusal
from gateway.ledger_access.ledger_link import link_from
from gateway.readmodel.projector import Projector
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.rebuild import Rebuilt, rebuild
from gateway.settings import GatewaySettings, load_gateway_settings
from ledger import log_lines

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one action; returns the exit status."""
    options = _parser().parse_args(arguments)
    log_lines.configure(logging.WARNING, "%(asctime)s %(name)s %(message)s")
    console = Console(file=sys.stdout)
    try:
        settings = load_gateway_settings(options.config)
        database = open_database(settings.database)
    except OSError as error:
        console.print(f"cannot read {options.config}: {error.strerror}", style="red")
        return EXIT_USAGE
    except (KeyError, TypeError, ValueError) as error:
        console.print(f"{options.config}: {error}", style="red")
        return EXIT_USAGE
    migrate(database)
    try:
        if options.action == "status":
            _status(database, settings, console)
        else:
            asyncio.run(_rebuild(database, settings, console))
    except LedgerRefusal as refusal:
        console.print(f"the ledger refused: {refusal}", style="red")
        return EXIT_FAILED
    except KeyboardInterrupt:
        console.print("stopped; a gateway that starts goes on from here")
        return EXIT_INTERRUPTED
    finally:
        database.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger readmodel",
        description="The gateway's copy of the ledger in tables, for pages and the API.",
    )
    parser.add_argument("action", choices=("status", "rebuild"))
    parser.add_argument(
        "--config", type=Path, default=Path("gateway.json"), help="the gateway's settings"
    )
    return parser


def _status(database: Database, settings: GatewaySettings, console: Console) -> None:
    readmodel = ReadModel(database, settings.ledger.chaincode)
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    console.print(f"{kind}, {readmodel.height} blocks applied")


async def _rebuild(database: Database, settings: GatewaySettings, console: Console) -> None:
    projector = Projector(database, settings.ledger.chaincode)
    stored = ReadModel(database, settings.ledger.chaincode)
    link = link_from(settings, stored.block_bytes)
    columns = (
        TextColumn("blocks"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[transactions]} transactions"),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("blocks", total=None, transactions=0)

            def show(done: Rebuilt) -> None:
                progress.update(
                    task, total=done.height, completed=done.blocks, transactions=done.transactions
                )

            done = await rebuild(link, projector, show=show)
    finally:
        await link.close()
    console.print(f"{done.blocks} blocks with {done.transactions} transactions are in the tables")


if __name__ == "__main__":
    sys.exit(main())
