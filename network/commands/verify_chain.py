"""`gridledger verify-chain`: a stopped peer's data folder, checked by the independent reading.

It needs no plan and no keys, only the folder, so anyone who is given a copy can run it. Nothing
that makes or commits blocks is used (`ledger/audit`); `gridledger network verify` asks the peer's
own code instead.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ledger.audit.block_reading import read_block
from ledger.audit.chain import ChainBroken
from ledger.audit.findings import Findings
from ledger.audit.stored_ledger import NoLedger, open_stored_ledger
from ledger.audit.whole_ledger import verify_ledger
from ledger.audit.wire_fields import BrokenBytes
from ledger.model.codes import ValidationCode
from network.progress import progress

EXIT_BROKEN = 1
EXIT_NOTHING_TO_CHECK = 2


def main(arguments: Sequence[str]) -> int:
    """0: good; 1: broken, naming the block; 2: there is nothing that could be checked."""
    options = _parser().parse_args(arguments)
    genesis: Path | None = options.genesis
    try:
        agreed = None if genesis is None else _agreed_genesis(genesis)
        with (
            open_stored_ledger(options.data) as stored,
            progress("checking blocks, then the state") as report,
        ):
            findings = verify_ledger(stored, genesis_raw=agreed, on_block=report)
    except ChainBroken as error:
        broken = {"ok": False, "block": error.block_number, "wrong": str(error)}
        print(json.dumps(broken) if options.json else f"BROKEN: {error}")
        return EXIT_BROKEN
    except OSError as error:
        wrong = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except NoLedger as error:
        wrong = str(error)
    else:
        print(_json(findings) if options.json else text_of(findings, genesis))
        return 0
    print(f"gridledger verify-chain: {wrong}", file=sys.stderr)
    return EXIT_NOTHING_TO_CHECK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger verify-chain",
        description="Check a stopped validator's ledger from block 0 on: links, hashes, seals, "
        "codes, world state and indexes, by a reading of its own.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="the validator's data folder, e.g. network-data/members/dso/ledger",
    )
    parser.add_argument(
        "--genesis",
        type=Path,
        metavar="FILE",
        help="the genesis block agreed on, e.g. network-data/channel/genesis.block; "
        "without it the stored one is believed and its hash printed",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _agreed_genesis(path: Path) -> bytes:
    """A file that holds no block says nothing about the ledger: NoLedger, not ChainBroken."""
    raw = path.read_bytes()
    try:
        read_block(raw)
    except BrokenBytes as error:
        raise NoLedger(f"{path} is no genesis block: {error}") from error
    return raw


def _json(findings: Findings) -> str:
    return json.dumps(
        {
            "ok": True,
            "first_block": findings.first_block,
            "blocks": findings.blocks,
            "transactions": findings.transactions,
            "codes": dict(sorted(findings.codes.items())),
            "unjudged": dict(sorted(findings.unjudged.items())),
            "states": findings.states,
            "genesis_hash": findings.genesis_hash.hex(),
            "tip_hash": findings.tip_hash.hex(),
            "commit_hash": findings.commit_hash.hex(),
        }
    )


def text_of(findings: Findings, genesis: Path | None) -> str:
    """What is printed of a good ledger, for people."""
    valid = findings.codes[0]
    trust = f"as in {genesis}" if genesis else "believed as stored: compare it with another's"
    counts = f"{findings.transactions} transactions, {valid} of them valid"
    lines = [
        f"{findings.blocks} blocks are good: {counts}, {findings.states} values",
        f"  genesis     {findings.genesis_hash.hex()}  {trust}",
        f"  newest      {findings.tip_hash.hex()}",
        f"  state hash  {findings.commit_hash.hex()}",
    ]
    if findings.first_block:
        lines.append(
            f"  It began with a snapshot: block {findings.first_block} and later ones are a chain,"
            " of the earlier ones it has the configurations."
        )
    lines += [_unjudged(code, count) for code, count in sorted(findings.unjudged.items())]
    return "\n".join(lines)


def _unjudged(code: int, count: int) -> str:
    name = ValidationCode(code).name.lower().replace("_", " ")
    what = "1 transaction was" if count == 1 else f"{count} transactions were"
    return (
        f"  {what} refused as {name} (code {code}); this reading finds no fault there, and does"
        " not judge all of such reasons"
    )
