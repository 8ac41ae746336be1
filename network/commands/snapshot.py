"""`gridledger snapshot`: create, verify and restore copies of a ledger's state."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ledger.errors import NodeFault
from ledger.node.snapshots.folder import (
    FOLDER_MODE,
    create_snapshot,
    read_genesis,
    require_no_ledger,
    restore_snapshot,
    verify_snapshot,
)
from ledger.node.snapshots.reading import SnapshotFindings
from ledger.storage.snapshot_errors import SnapshotRefused
from network.progress import progress

EXIT_REFUSED = 1
EXIT_NOT_DONE = 2


def main(arguments: Sequence[str]) -> int:
    """0: done; 1: the snapshot is refused, with its reason; 2: it could not be tried."""
    options = _parser().parse_args(arguments)
    action: Callable[[argparse.Namespace], int] = options.action
    try:
        return action(options)
    except SnapshotRefused as error:
        print(f"REFUSED: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except NodeFault as error:
        wrong = str(error)
    except OSError as error:
        wrong = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    print(f"gridledger snapshot: {wrong}", file=sys.stderr)
    return EXIT_NOT_DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger snapshot",
        description="A ledger's state in one file, checked against what the validators sealed.",
    )
    actions = parser.add_subparsers(required=True, metavar="action")
    creating = actions.add_parser(
        "create", help="write a snapshot of a stopped validator's ledger"
    )
    creating.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="its data folder"
    )
    creating.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    creating.set_defaults(action=_create)
    verifying = actions.add_parser("verify", help="check a snapshot, offline")
    restoring = actions.add_parser("restore", help="make a data folder of a snapshot")
    for command in (verifying, restoring):
        command.add_argument("snapshot", type=Path, metavar="FILE")
        command.add_argument(
            "--genesis",
            type=Path,
            required=True,
            metavar="FILE",
            help="the genesis block agreed on, e.g. network-data/channel/genesis.block",
        )
    verifying.add_argument("--json", action="store_true", help="print JSON")
    verifying.set_defaults(action=_verify)
    restoring.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="the folder to make; a journal may be in it, a ledger may not",
    )
    restoring.add_argument(
        "--or-sync",
        action="store_true",
        help="if the snapshot is refused, leave an empty folder: the validator then fetches all"
        " blocks from the others",
    )
    restoring.set_defaults(action=_restore)
    return parser


def _create(options: argparse.Namespace) -> int:
    with progress("writing the snapshot and checking it"):
        findings = create_snapshot(options.data, options.output)
    print(f"wrote {options.output}, {options.output.stat().st_size:,} bytes")
    print(_text(findings, "this ledger's own; `snapshot verify` compares it with yours"))
    return 0


def _verify(options: argparse.Namespace) -> int:
    with progress("checking the snapshot"):
        findings = verify_snapshot(options.snapshot, read_genesis(options.genesis))
    if options.json:
        print(json.dumps(_json(findings)))
    else:
        print(_text(findings, f"as in {options.genesis}"))
    return 0


def _restore(options: argparse.Namespace) -> int:
    genesis = read_genesis(options.genesis)
    data_dir: Path = options.data
    try:
        with progress("checking the snapshot and filling a ledger"):
            findings = restore_snapshot(options.snapshot, data_dir, genesis)
    except SnapshotRefused as error:
        if not options.or_sync:
            raise
        require_no_ledger(data_dir)
        data_dir.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        print(f"REFUSED: {error}", file=sys.stderr)
        print(f"falling back to block sync from genesis: {data_dir} is ready for it and empty")
        return 0
    print(_text(findings, f"as in {options.genesis}"))
    print(f"{data_dir} holds it; started on it, the validator fetches the blocks after it,")
    print("and votes once the others are far enough ahead of what it may have forgotten")
    return 0


def _text(findings: SnapshotFindings, genesis: str) -> str:
    head, counts = findings.head, findings.counts
    when = datetime.fromtimestamp(findings.block_time_ms / 1000, tz=UTC)
    holds = (
        f"{counts.values:,} values, {counts.transactions:,} transaction ids, "
        f"{counts.config_blocks} later configurations"
    )
    who = ", ".join(f"{consenter} ({mspid})" for consenter, mspid in findings.sealed_by)
    return "\n".join(
        [
            f"good: channel {head.channel_id} after block {head.block_number}, {when:%F %T} UTC",
            f"  genesis     {head.genesis_hash.hex()}  {genesis}",
            f"  block       {findings.block_hash.hex()}",
            f"  state hash  {findings.commit_hash.hex()}",
            f"  sealed by   {len(findings.sealed_by)} of {findings.validators} validators: {who}",
            f"  holds       {holds}",
        ]
    )


def _json(findings: SnapshotFindings) -> dict[str, object]:
    head, counts = findings.head, findings.counts
    return {
        "ok": True,
        "channel_id": head.channel_id,
        "block_number": head.block_number,
        "block_time_ms": findings.block_time_ms,
        "genesis_hash": head.genesis_hash.hex(),
        "block_hash": findings.block_hash.hex(),
        "commit_hash": findings.commit_hash.hex(),
        "sealed_by": dict(findings.sealed_by),
        "validators": findings.validators,
        "last_config_number": findings.last_config_number,
        "values": counts.values,
        "transactions": counts.transactions,
        "config_blocks": counts.config_blocks,
    }
