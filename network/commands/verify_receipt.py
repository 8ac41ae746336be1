"""`gridledger verify-receipt`: what a receipt proves, checked offline; `gridledger validators`.

Neither asks a peer, a gateway or the network. What is trusted is a list of validators, or the
genesis block it begins with.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ledger.errors import InvalidMessage, NodeFault
from ledger.model.codec_block import decode_block
from ledger.model.codes import ValidationCode
from ledger.receipts.checking import Proven, check_receipt
from ledger.receipts.receipt import RECEIPT_BYTES_MAX
from ledger.receipts.refusals import ReceiptRefused
from ledger.receipts.trust import (
    TRUST_BYTES_MAX,
    TrustedValidators,
    decode_trust,
    encode_trust,
    fingerprint,
    trusted_from_blocks,
)
from ledger.storage.config_blocks import config_blocks
from ledger.storage.leveldb import LevelDbStore
from ledger.storage.opening import DATABASE_FOLDER, open_ledger
from network.commands.receipt_words import words_of

EXIT_REFUSED = 1
EXIT_NOT_DONE = 2


def main(arguments: Sequence[str]) -> int:
    """0: proven; 1: refused, naming the step; 2: there is nothing that could be checked."""
    options = _receipt_parser().parse_args(arguments)
    try:
        raw = _read(options.receipt, RECEIPT_BYTES_MAX)
        trusted = _trusted(options)
        proven = check_receipt(raw, trusted)
    except ReceiptRefused as error:
        refusal = {"ok": False, "step": error.step, "problem": error.problem, "why": error.detail}
        print(
            json.dumps(refusal)
            if options.json
            else f"REFUSED at the {error.step}: {error.detail} ({error.problem})"
        )
        return EXIT_REFUSED
    except (OSError, InvalidMessage, NodeFault) as error:
        print(f"gridledger verify-receipt: {error}", file=sys.stderr)
        return EXIT_NOT_DONE
    print(json.dumps(as_json(proven)) if options.json else text_of(proven, trusted))
    return 0


def list_validators(arguments: Sequence[str]) -> int:
    """0: written; 2: it could not be made."""
    options = _validators_parser().parse_args(arguments)
    try:
        trusted = _of_ledger(options.genesis, options.data) if options.data else _trusted(options)
        if options.output is not None:
            options.output.write_bytes(encode_trust(trusted))
    except (OSError, InvalidMessage, NodeFault) as error:
        print(f"gridledger validators: {error}", file=sys.stderr)
        return EXIT_NOT_DONE
    for one in trusted.sets:
        print(f"from block {one.from_block}")
        for validator in one.validators:
            print(f"  {validator.consenter_id:3}  {validator.mspid}")
    print(f"ledger       {trusted.channel_id}, genesis block {trusted.genesis_hash.hex()}")
    print(f"as of block  {trusted.as_of_block}")
    print(f"fingerprint  {fingerprint(trusted)}")
    return 0


def text_of(proven: Proven, trusted: TrustedValidators) -> str:
    """What is printed of a good receipt, for people."""
    members = ", ".join(member for _, member in proven.sealed_by)
    code = ValidationCode(proven.transaction.code).name
    place = f"entry {proven.transaction.position.tx_number} of block {proven.block_number}"
    lines = [
        "PROVEN: " + _words(proven),
        f"  transaction  {proven.transaction.tx_id}",
        f"  code         {code}, {place} of {proven.channel_id}",
        f"  block        {proven.block_hash.hex()}",
        f"  sealed by    {len(proven.sealed_by)} of {proven.validators} validators: {members}",
        f"  sealed at    {_time(proven.sealed_at_ms)}, by block {proven.block_number + 1}",
        f"  trusted      validators with fingerprint {fingerprint(trusted)}",
    ]
    if proven.write is not None:
        lines.insert(3, f"  wrote        {proven.write.key} in {proven.write.namespace}")
        lines += _values(proven.write.value)
    if proven.is_newer_than_trust:
        lines.append(
            f"  Your list of validators was made at block {trusted.as_of_block}. If one has left"
            " since, a newer list would tell."
        )
    return "\n".join(lines)


def as_json(proven: Proven) -> dict[str, object]:
    """The same for programs; the value as JSON where it is JSON, else in hex."""
    write = proven.write
    return {
        "ok": True,
        "channel_id": proven.channel_id,
        "block_number": proven.block_number,
        "block_hash": proven.block_hash.hex(),
        "sealed_at_ms": proven.sealed_at_ms,
        "sealed_by": [{"id": number, "member": member} for number, member in proven.sealed_by],
        "validators": proven.validators,
        "transaction_id": proven.transaction.tx_id,
        "code": ValidationCode(proven.transaction.code).name,
        "namespace": None if write is None else write.namespace,
        "key": None if write is None else write.key,
        "value": None if write is None else _content(write.value),
        "is_newer_than_trust": proven.is_newer_than_trust,
    }


def _words(proven: Proven) -> str:
    if proven.write is None:
        is_valid = proven.transaction.code == ValidationCode.VALID
        return (
            "the ledger took this transaction."
            if is_valid
            else ("the ledger refused this transaction; it changed nothing.")
        )
    return words_of(proven.write.key, _content(proven.write.value))


def _values(value: bytes) -> list[str]:
    content = _content(value)
    if isinstance(content, dict):
        return [f"    {name} = {content[name]}" for name in sorted(content)]
    return [f"    {content}"]


def _content(value: bytes) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return value.hex()


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _trusted(options: argparse.Namespace) -> TrustedValidators:
    validators: Path | None = getattr(options, "validators", None)
    if validators is not None:
        return decode_trust(_read(validators, TRUST_BYTES_MAX))
    return trusted_from_blocks(decode_block(options.genesis.read_bytes()))


def _of_ledger(genesis_file: Path, data: Path) -> TrustedValidators:
    """From a stopped validator's ledger: every configuration it has, up to its newest block."""
    genesis = decode_block(genesis_file.read_bytes())
    channel = trusted_from_blocks(genesis).channel_id
    if not (data / DATABASE_FOLDER).exists():
        raise NodeFault(f"there is no ledger in {data}")
    database = LevelDbStore(data / DATABASE_FOLDER)
    try:
        store = open_ledger(database, channel_id=channel, genesis=genesis)
        later = config_blocks(store, store.last_config_number())
        return trusted_from_blocks(genesis, later, as_of_block=store.tip().number)
    finally:
        database.close()


def _read(path: Path, bytes_max: int) -> bytes:
    """At most one byte more than the limit: what is longer is refused and not loaded."""
    with path.open("rb") as file:
        return file.read(bytes_max + 1)


def _receipt_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger verify-receipt",
        description="Check a receipt without asking anybody: Merkle path, quorum of seals, state "
        "commitment.",
    )
    parser.add_argument("receipt", type=Path, metavar="FILE")
    trust = parser.add_mutually_exclusive_group(required=True)
    trust.add_argument(
        "--validators",
        type=Path,
        metavar="FILE",
        help="the validators you trust: of `gridledger validators`, or a gateway's /v1/validators",
    )
    trust.add_argument(
        "--genesis",
        type=Path,
        metavar="FILE",
        help="the genesis block, as long as its validators are still the ones: "
        "network-data/channel/genesis.block",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _validators_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridledger validators",
        description="Who may seal which blocks: the list that receipts are checked against.",
    )
    parser.add_argument("--genesis", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="a stopped validator's data folder: follows the sets since the genesis block",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the list here")
    return parser
