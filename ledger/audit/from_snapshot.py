"""A ledger that began with a snapshot: sealed from there on, and its state the one sealed.

Its earlier blocks are not there, so what each of them did cannot be judged again. Who seals is
followed from block 0 through the configuration blocks, which are there; the values and the
transactions stored are summed up, and the sum must be what the newest block leads to.
"""

from ledger.audit.block_reading import ReadBlock, read_block
from ledger.audit.chain import ChainBroken, ChainHead, extend_chain, leap_chain
from ledger.audit.findings import Findings
from ledger.audit.metadata_marks import check_mark
from ledger.audit.outcome import outcome_hash
from ledger.audit.seals import is_good_seal
from ledger.audit.state_digest import StateDigest
from ledger.audit.storage_port import Savepoint, StoredLedger
from ledger.audit.world_state import commit_hash


def verify_from_snapshot(stored: StoredLedger, head: ChainHead, first_block: int) -> Findings:
    """Check what is there, from the head after block 0; raises ChainBroken."""
    findings = Findings(genesis_hash=head.block_hash, first_block=first_block)
    numbers = {head.block_hash: 0}
    block: ReadBlock | None = None
    for number in stored.block_numbers():
        if number == 0:
            continue
        raw = stored.block(number) or b""
        head = _next_head(head, number, raw, first_block)
        block = read_block(raw)
        numbers[head.block_hash] = number
        findings.count(block.codes)
    if block is None or head.number < first_block:
        raise ChainBroken(first_block, "is missing")
    _compare_sums(stored, head, block, findings)
    if dict(stored.block_hashes()) != numbers:
        raise ChainBroken(head.number, "is the tip, and the index of hashes names other blocks")
    return findings


def _next_head(head: ChainHead, number: int, raw: bytes, first_block: int) -> ChainHead:
    if number > first_block:
        if head.number < first_block:
            raise ChainBroken(first_block, "is missing")
        return extend_chain(head, raw, seal_is_good=is_good_seal)
    head = leap_chain(head, number, raw, seal_is_good=is_good_seal)
    if number < first_block and head.last_config != number:
        raise ChainBroken(number, "is no configuration and older than the snapshot")
    return head


def _compare_sums(
    stored: StoredLedger, head: ChainHead, block: ReadBlock, findings: Findings
) -> None:
    """What is stored is what the newest block leads to, and the savepoint says the same."""
    digest = StateDigest()
    marked = frozenset(stored.marked_namespaces())
    for state_key, held in stored.states():
        check_mark(*state_key, held, marked)
        digest.add_value(state_key, held)
        findings.states += 1
    for tx_id, place in stored.transactions():
        digest.add_transaction(tx_id, place)
    computed = commit_hash(
        genesis_hash=findings.genesis_hash,
        previous=block.previous_commit_hash,
        codes=block.codes,
        outcome=outcome_hash(block.number, block.entries, block.codes),
        state_hash=digest.hash(),
    )
    if computed != head.commit_hash:
        raise ChainBroken(head.number, "does not lead to the values and transactions stored")
    savepoint = Savepoint(
        height=head.number + 1,
        last_config=head.last_config,
        tip_hash=head.block_hash,
        commit_hash=head.commit_hash,
        state_digest=digest.raw(),
    )
    if stored.savepoint() != savepoint:
        raise ChainBroken(head.number, "is not the block that the savepoint names")
    findings.tip_hash, findings.commit_hash = head.block_hash, head.commit_hash
