"""Whether what a transaction read still holds when its turn comes (multi-version concurrency)."""

from ledger.audit.range_summaries import summarize
from ledger.audit.read_write_sets import NamespaceSet, ReadScan
from ledger.audit.transaction_reading import Action
from ledger.audit.transaction_rules import VALID
from ledger.audit.world_state import BlockChanges, WorldState

MVCC_READ_CONFLICT = 11
PHANTOM_READ_CONFLICT = 12


def code_of_reads(action: Action, before: WorldState, earlier: BlockChanges) -> int:
    """The code, from the state before the block and the valid transactions before this one."""
    for one in action.sets:
        if not _keys_hold(one.own, before, earlier):
            return MVCC_READ_CONFLICT
        if not all(
            _scan_holds(one.own.namespace, scan, before, earlier) for scan in one.own.scans
        ):
            return PHANTOM_READ_CONFLICT
        if not all(_keys_hold(hashed, before, earlier) for _, hashed in one.collections):
            return MVCC_READ_CONFLICT
    return VALID


def _keys_hold(part: NamespaceSet, before: WorldState, earlier: BlockChanges) -> bool:
    for key, position in part.reads:
        held = before.get(part.namespace, key)
        now = None if held is None else held.position
        if now != position or (part.namespace, key) in earlier.changes:
            return False
    return True


def _scan_holds(namespace: str, scan: ReadScan, before: WorldState, earlier: BlockChanges) -> bool:
    end = _seen_end(scan)
    if end is None:
        return True
    changed = {
        key: one.value
        for (name, key), one in earlier.changes.items()
        if name == namespace and scan.start_key <= key and (not end or key < end)
    }
    keys = before.keys_between(namespace, scan.start_key, end)
    held = ((key, before.get(namespace, key)) for key in keys if key not in changed)
    now = [(key, one.position) for key, one in held if one is not None]
    if any(value is not None for value in changed.values()):
        return False
    if scan.summary is None:
        return now == list(scan.rows)
    return summarize(now, degree=scan.summary[0]) == scan.summary


def _seen_end(scan: ReadScan) -> str | None:
    """Where what the contract saw ends (exclusive); None when it saw nothing."""
    if scan.is_exhausted:
        return scan.end_key
    if scan.rows:
        return scan.rows[-1][0] + "\0"
    return None if scan.summary is None else scan.end_key + "\0"
