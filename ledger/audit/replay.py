"""A ledger as its blocks make it: chain, codes, world state and every index, block by block."""

from ledger.audit.block_reading import ReadBlock, read_block
from ledger.audit.chain import ChainBroken, extend_chain, start_chain
from ledger.audit.consenters import is_configuration
from ledger.audit.findings import Findings
from ledger.audit.members import Members
from ledger.audit.outcome import outcome_hash
from ledger.audit.private_data import expiries
from ledger.audit.read_rules import code_of_reads
from ledger.audit.seals import is_good_seal
from ledger.audit.state_digest import IDS_IN_USE_FROM, Place, StateDigest
from ledger.audit.transaction_reading import ReadEntry, read_entry
from ledger.audit.transaction_rules import DUPLICATE_TXID, VALID, BlockRules
from ledger.audit.wire_fields import BrokenBytes
from ledger.audit.world_state import (
    BlockChanges,
    WorldState,
    commit_hash,
)

_ANY_BROKEN_PART = frozenset({1, 2, 3, 5, 7, 13, 15, 16, 19, 20, 21, 22, 255})
"""Codes of entries that cannot be opened."""
_CONFIGURATION_REFUSED = 6


class Replay:
    """The ledger as its blocks make it, block by block."""

    def __init__(self, genesis_raw: bytes) -> None:
        self.head = start_chain(genesis_raw)
        genesis = read_block(genesis_raw)
        self.findings = Findings(genesis_hash=self.head.block_hash)
        self.state = WorldState()
        self.digest = StateDigest()
        self.places: dict[str, Place] = {}
        self.block_numbers = {self.head.block_hash: 0}
        self.written: set[tuple[str, str, int, int]] = set()
        self.channel_id = read_entry(genesis.entries[0]).channel_id
        self._members = Members(genesis.entries[0])
        _require(genesis.codes == bytes((VALID,)), 0, "does not count its configuration as valid")
        self._check_commit_hash(genesis, b"")
        self.findings.count(genesis.codes)

    def add(self, raw: bytes) -> None:
        """Check the next block and apply it; raises ChainBroken."""
        before = self.head
        self.head = extend_chain(before, raw, seal_is_good=is_good_seal)
        block = read_block(raw)
        try:
            changes, places = self._judge(block)
        except BrokenBytes as error:
            raise ChainBroken(block.number, f"cannot be judged: {error}") from error
        self.digest.follow(self.state, changes.changes, places)
        self._check_commit_hash(block, before.commit_hash)
        self.state.apply(changes.changes)
        self.places.update(places)
        self.block_numbers[self.head.block_hash] = block.number
        self.findings.count(block.codes)
        self._take_over_configuration(block)

    def _judge(self, block: ReadBlock) -> tuple[BlockChanges, dict[str, Place]]:
        """What the block changes, and the transactions whose ids it uses first."""
        rules = BlockRules(
            self._members, self.state, channel_id=self.channel_id, used_ids=self.places
        )
        entries = [_open(raw) for raw in block.entries]
        alone = [None if one is None else rules.code_alone(one) for one in entries]
        changes = BlockChanges(self.state, block.number)
        passed: set[str] = set()
        places: dict[str, Place] = {}
        for index, (entry, judged) in enumerate(zip(entries, alone, strict=True)):
            stored, code = block.codes[index], judged
            if entry is None or code is None:
                self._compare(block.number, index, None, stored)
                continue
            if code == VALID:
                code = _code_in_block(entry, self.state, changes, passed)
                passed.add(entry.tx_id)
            self._compare(block.number, index, code, stored)
            if stored == VALID and entry.action is not None:
                keys = changes.write(index, entry.action.sets)
                self.written |= {(*key, block.number, index) for key in keys}
            if stored in IDS_IN_USE_FROM and entry.tx_id not in self.places:
                # The first use of an id counts, for ever.
                places.setdefault(entry.tx_id, (block.number, index, stored))
        changes.changes |= expiries(self.state, block.number, changes.changes)
        return changes, places

    def _compare(self, number: int, index: int, code: int | None, stored: int) -> None:
        if code == stored or (code is None and stored in _ANY_BROKEN_PART):
            return
        if code == VALID and stored in _ANY_BROKEN_PART | {_CONFIGURATION_REFUSED}:
            self.findings.unjudged[stored] += 1
            return
        found = "cannot be opened" if code is None else f"should have code {code}"
        raise ChainBroken(number, f"transaction {index} has code {stored} and {found}")

    def _check_commit_hash(self, block: ReadBlock, previous: bytes) -> None:
        computed = commit_hash(
            genesis_hash=self.findings.genesis_hash,
            previous=previous,
            codes=block.codes,
            outcome=outcome_hash(block.number, block.entries, block.codes),
            state_hash=self.digest.hash(),
        )
        same = computed == block.commit_hash
        _require(same, block.number, "has codes and changes that do not give its commit hash")
        same_state = block.state_hash == self.digest.hash()
        _require(same_state, block.number, "is stored with another state hash")

    def _take_over_configuration(self, block: ReadBlock) -> None:
        if is_configuration(block.entries[0]) and block.codes[0] == VALID:
            self._members = Members(block.entries[0])


def _open(raw: bytes) -> ReadEntry | None:
    try:
        return read_entry(raw)
    except BrokenBytes:
        return None


def _code_in_block(
    entry: ReadEntry, before: WorldState, changes: BlockChanges, passed: set[str]
) -> int:
    """The code in the light of the transactions before it in the block."""
    if entry.tx_id in passed:
        return DUPLICATE_TXID
    return VALID if entry.action is None else code_of_reads(entry.action, before, changes)


def _require(holds: bool, number: int, what: str) -> None:  # noqa: FBT001
    if not holds:
        raise ChainBroken(number, what)
