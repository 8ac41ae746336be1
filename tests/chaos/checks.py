"""What must hold after any run, asked from outside: blocks, acknowledgements, money, logs.

The validators are stopped. Each folder is checked by `gridledger verify-chain` as a program of its
own, then the folders are compared with one another and with what clients were told.
"""

import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ledger.audit.block_reading import read_block
from ledger.audit.stored_ledger import LevelDbLedger, open_stored_ledger
from ledger.audit.transaction_reading import read_entry
from ledger.audit.wire_fields import BrokenBytes
from network.bench.trial_households import CHAINCODE
from network.plan import MemberPlan
from tests.chaos.load import read_acknowledged
from tests.chaos.validators import Validators, wipes

MONEY_KINDS = {"account": 1, "payout": 1, "escrow": 1, "deposit": -1}
FORGOTTEN = "does not remember its votes"
FAULTS = ("Traceback", "NodeFault", "Halt")
AMOUNT_FIELDS = ("balance_utoken", "amount_utoken", "locked_utoken")


@dataclass(frozen=True)
class Verdict:
    """What was found; a run is good when `wrong` is empty."""

    height: int
    state_hash: str
    transactions: int
    acknowledged: int
    lost: int
    equivocations: int
    wrong: tuple[str, ...]


@dataclass(frozen=True)
class _Folder:
    """One validator's stopped ledger."""

    blocks: tuple[bytes, ...]
    """Block hashes by number."""
    places: dict[str, tuple[int, int, int]]
    money_utoken: int
    """All accounts, payouts and escrows less all deposits: 0."""


async def judge(validators: Validators, notes: Path) -> Verdict:
    """Check everything; the validators must be stopped."""
    reports = await asyncio.gather(*(_verify_chain(validators, m) for m in validators.members))
    wrong = [report["wrong"] for report in reports if not report["ok"]]
    folders = {member.id: _read(validators, member) for member in validators.members}
    first = next(iter(folders.values()))
    for member_id, folder in folders.items():
        if folder.blocks != first.blocks:
            wrong.append(f"{member_id} has other blocks than {next(iter(folders))}")
        if folder.money_utoken:
            wrong.append(f"{member_id}: {folder.money_utoken} micro-tokens too many")
    if len({report.get("commit_hash") for report in reports}) != 1:
        wrong.append("the state hashes differ")
    acknowledged = list(read_acknowledged(notes))
    occurrences = _occurrences(validators, validators.members[0])
    lost = 0
    for one in acknowledged:
        expected = (one.block_number, one.code)
        places = {member_id: folder.places.get(one.tx_id) for member_id, folder in folders.items()}
        has_it = all(place is not None and place[::2] == expected for place in places.values())
        if not has_it or occurrences[one.tx_id] != 1:
            lost += 1
            wrong.append(f"{one} is at {places}, {occurrences[one.tx_id]} times in the chain")
    equivocations = sum(_lines(validators, m, "evidence.jsonl") for m in validators.members)
    if equivocations:
        wrong.append(f"{equivocations} pieces of evidence against validators")
    wrong += [
        line for member in validators.members for line in _log_complaints(validators, member)
    ]
    return Verdict(
        height=len(first.blocks),
        state_hash=str(reports[0].get("commit_hash")),
        transactions=sum(occurrences.values()),
        acknowledged=len(acknowledged),
        lost=lost,
        equivocations=equivocations,
        wrong=tuple(wrong),
    )


async def _verify_chain(validators: Validators, member: MemberPlan) -> dict[str, object]:
    command = [sys.executable, "-m", "network.cli", "verify-chain", "--json"]
    command += ["--data", str(validators.folder(member).ledger_dir)]
    command += ["--genesis", str(validators.layout.genesis_block)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, complaint = await process.communicate()
    if not output:
        return {"ok": False, "wrong": f"{member.id}: {complaint.decode().strip()}"}
    report: dict[str, object] = json.loads(output)
    if not report["ok"]:
        report["wrong"] = f"{member.id}: {report['wrong']}"
    return report


def _read(validators: Validators, member: MemberPlan) -> _Folder:
    with open_stored_ledger(validators.folder(member).ledger_dir) as stored:
        by_number = {number: block_hash for block_hash, number in stored.block_hashes()}
        return _Folder(
            blocks=tuple(by_number[number] for number in sorted(by_number)),
            places=dict(stored.transactions()),
            money_utoken=_money(stored),
        )


def _money(stored: LevelDbLedger) -> int:
    """What the keys of the contract begin with says what a record is."""
    total = 0
    for (namespace, key), held in stored.states():
        kind = key.split("~")[0] if namespace == CHAINCODE else ""
        if kind in MONEY_KINDS:
            record = json.loads(held.value or b"{}")
            amounts = [record[name] for name in AMOUNT_FIELDS if name in record]
            total += MONEY_KINDS[kind] * sum(amounts)
    return total


def _occurrences(validators: Validators, member: MemberPlan) -> Counter[str]:
    """How often each transaction id stands in the blocks."""
    found: Counter[str] = Counter()
    with open_stored_ledger(validators.folder(member).ledger_dir) as stored:
        for number in stored.block_numbers():
            for entry in read_block(stored.block(number) or b"").entries:
                try:
                    found[read_entry(entry).tx_id] += 1
                except BrokenBytes:
                    continue
    return found


def _lines(validators: Validators, member: MemberPlan, name: str) -> int:
    path = validators.folder(member).ledger_dir / name
    return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0


def _log_complaints(validators: Validators, member: MemberPlan) -> list[str]:
    """Lines nobody wants; only who lost its data folder may have forgotten its votes."""
    log = validators.folder(member).log_file.read_text(encoding="utf-8", errors="replace")
    lines = [f"{member.id}'s log: {line.strip()}" for line in log.splitlines()]
    forgotten = [line for line in lines if FORGOTTEN in line]
    unexplained = forgotten[wipes(validators, member) :]
    return unexplained + [line for line in lines if any(mark in line for mark in FAULTS)]
