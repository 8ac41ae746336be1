"""`gridledger raw-data`: compare stored readings with the ledger, export old ones, prove a row.

Started by `network.commands.raw_data`, or as `python -m gateway.hems.raw_data_command`.
"""

import argparse
import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from gateway.books.community import Community
from gateway.database import Database, migrate, open_database
from gateway.errors import LedgerRefusal
from gateway.hems.anchoring import AnchorBook, Proof
from gateway.hems.meter_keys import LedgerMeterKeys
from gateway.hems.retention import Retention, proof_from, roots_in
from gateway.hems.tampering import Comparison, TamperWatch
from gateway.ledger_access.actor import Actor
from gateway.ledger_access.block_signal import BlockSignal
from gateway.readmodel.queries import ReadModel
from gateway.settings import GatewaySettings, load_gateway_settings
from ledger import log_lines
from ledger.client.gateway import GatewayClient

EXIT_TAMPERED, EXIT_USAGE = 1, 2


class NotPossible(Exception):  # noqa: N818 - what the caller asked for
    """Why there is no answer."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one action; 1 when data is not what was anchored, 2 when that cannot be told."""
    options = _parser().parse_args(arguments)
    log_lines.configure(logging.WARNING, "%(asctime)s %(name)s %(message)s")
    try:
        settings = load_gateway_settings(options.config)
        action: Callable[[argparse.Namespace, GatewaySettings], int] = options.action
        return action(options, settings)
    except (KeyError, OSError, TypeError, ValueError, NotPossible, LedgerRefusal) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger raw-data",
        description="The gateway's stored readings and measurements, against their anchors.",
    )
    actions = parser.add_subparsers(required=True, metavar="compare|export|prove")
    compare = actions.add_parser("compare", help="every stored and exported row with the ledger")
    compare.set_defaults(action=_compare)
    export = actions.add_parser("export", help="old anchored rows into files, out of the database")
    export.add_argument("--folder", type=Path, help="(that of the settings' `retention`)")
    export.add_argument("--keep-days", type=int, help="(that of the settings' `retention`)")
    export.set_defaults(action=_export)
    prove = actions.add_parser("prove", help="that a row of an exported file was anchored")
    prove.add_argument("file", type=Path)
    prove.add_argument("--row", type=int, required=True, help="its number, the first column")
    prove.set_defaults(action=_prove)
    for action in (compare, export, prove):
        action.add_argument(
            "--config", type=Path, default=Path("gateway.json"), help="the gateway's settings"
        )
    return parser


def _compare(_: argparse.Namespace, settings: GatewaySettings) -> int:
    found = asyncio.run(_compared(settings))
    for one in found.tampered:
        sys.stdout.write(f"{one.series} batch {one.number}: {one.reason}\n")
    verdict = "all as anchored" if found.is_as_anchored else "NOT what was anchored"
    sys.stdout.write(f"{found.rows} rows in {found.batches} batches: {verdict}\n")
    return 0 if found.is_as_anchored else EXIT_TAMPERED


def _export(options: argparse.Namespace, settings: GatewaySettings) -> int:
    own = settings.hems.retention
    keep_days: int | None = options.keep_days
    folder: Path | None = options.folder
    if own is not None:
        keep_days = own.keep_days if keep_days is None else keep_days
        folder = folder or own.folder
    if keep_days is None or folder is None:
        raise NotPossible("name --folder and --keep-days, or put `retention` into the settings")
    database = _database(settings)
    try:
        files = Retention(keep_days, folder).apply(AnchorBook(database), _now_ms())
    finally:
        database.close()
    for file in files:
        sys.stdout.write(f"{file}\n")
    sys.stdout.write(f"{len(files)} batches exported and removed\n")
    return 0


def _prove(options: argparse.Namespace, settings: GatewaySettings) -> int:
    """The proof as JSON; its root is the ledger's, or there is none."""
    proof = proof_from(options.file, options.row)
    anchored = asyncio.run(_anchored_root(settings, proof))
    if anchored != proof.batch.root:
        sys.stderr.write(f"{options.file.name} is not what was anchored\n")
        return EXIT_TAMPERED
    sys.stdout.write(json.dumps(asdict(proof), indent=1) + "\n")
    return 0


async def _compared(settings: GatewaySettings) -> Comparison:
    database = _database(settings)
    client = _client(settings)
    try:
        readmodel = ReadModel(database, settings.ledger.chaincode)
        retention = settings.hems.retention
        watch = TamperWatch(
            AnchorBook(database),
            _actor(settings, client),
            _mspid(settings),
            _Nobody(),
            LedgerMeterKeys(Community(readmodel), BlockSignal()),
            clock_ms=_now_ms,
            root_of_export=roots_in(retention.folder) if retention is not None else None,
        )
        return await watch.compare_all()
    finally:
        await client.close()
        database.close()


async def _anchored_root(settings: GatewaySettings, proof: Proof) -> str:
    client = _client(settings)
    try:
        batch = proof.batch
        asked = ("anchors:get", _mspid(settings), batch.series, str(batch.number))
        return str((await _actor(settings, client).evaluate(*asked))["root"])
    finally:
        await client.close()


class _Nobody:
    """The running gateway raises the alarms; a command only tells."""

    def tampered(self, subjects: list[str], detail: str, now_ms: int) -> None:
        """See `gateway.hems.tampering.Telling`."""

    def untampered(self, is_concerned: Callable[[str], bool], now_ms: int) -> None:
        """See `gateway.hems.tampering.Telling`."""


def _mspid(settings: GatewaySettings) -> str:
    if settings.hems.oracle is None:
        raise NotPossible("the settings name no `oracle` under `hems`: nothing is anchored")
    return settings.hems.oracle.mspid


def _actor(settings: GatewaySettings, client: GatewayClient) -> Actor:
    _mspid(settings)
    assert settings.hems.oracle is not None, "just looked"
    return Actor(client, settings.hems.oracle.load(), settings.ledger.chaincode)


def _client(settings: GatewaySettings) -> GatewayClient:
    ledger = settings.ledger
    return GatewayClient.connect(
        ledger.peers[0].address, ledger.tls_ca.read_bytes(), ledger.channel_id
    )


def _database(settings: GatewaySettings) -> Database:
    database = open_database(settings.database)
    migrate(database)
    return database


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    sys.exit(main())
