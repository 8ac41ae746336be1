"""Multi-version concurrency control: what a transaction read must still hold at its turn."""

from ledger.errors import TransactionInvalid
from ledger.model.codes import ValidationCode
from ledger.model.rwset import (
    CollectionReadWriteSet,
    KeyRead,
    RangeQuery,
    ReadWriteSet,
    Version,
)
from ledger.model.state import StateReader, hashed_key, hashed_namespace
from ledger.validation.range_summary import summarize_range
from ledger.validation.updates import BlockUpdates


def check_reads(results: ReadWriteSet, state: StateReader, earlier: BlockUpdates) -> None:
    """Raise TransactionInvalid when a version read or a scanned range has changed.

    `state` is the state before the block, `earlier` what valid transactions before this one in
    the same block change.
    """
    for rwset in results.namespaces:
        for read in rwset.reads:
            _check_read(rwset.namespace, read.key, read.version, state, earlier)
        for query in rwset.range_queries:
            _check_range(rwset.namespace, query, state, earlier)
        for collection in rwset.collections:
            _check_hashed_reads(rwset.namespace, collection, state, earlier)


def _check_read(
    namespace: str, key: str, version: Version | None, state: StateReader, earlier: BlockUpdates
) -> None:
    if (namespace, key) in earlier:
        raise TransactionInvalid(
            ValidationCode.MVCC_READ_CONFLICT,
            f"{key!r} of {namespace!r} was written earlier in this block",
        )
    committed = state.get_state(namespace, key)
    current = None if committed is None else committed.version
    if current != version:
        raise TransactionInvalid(
            ValidationCode.MVCC_READ_CONFLICT,
            f"{key!r} of {namespace!r} was read at {version}, is at {current}",
        )


def _check_hashed_reads(
    namespace: str, collection: CollectionReadWriteSet, state: StateReader, earlier: BlockUpdates
) -> None:
    hashes = hashed_namespace(namespace, collection.collection)
    for read in collection.hashed_reads:
        _check_read(hashes, hashed_key(read.key_hash), read.version, state, earlier)


def _check_range(
    namespace: str, query: RangeQuery, state: StateReader, earlier: BlockUpdates
) -> None:
    end_key = _observed_end(query)
    if end_key is None:
        return
    changed = earlier.changed_between(namespace, query.start_key, end_key)
    gone = {key for key, update in changed if update.value is None}
    now = tuple(
        KeyRead(key, found.version)
        for key, found in state.range_state(namespace, query.start_key, end_key)
        if key not in gone
    )
    if query.summary is None:
        unchanged = now == query.reads
    else:
        unchanged = summarize_range(now, query.summary.max_degree) == query.summary
    if not unchanged or len(gone) < len(changed):
        raise TransactionInvalid(
            ValidationCode.PHANTOM_READ_CONFLICT,
            f"range [{query.start_key!r}, {end_key!r}) of {namespace!r} has other keys now",
        )


def _observed_end(query: RangeQuery) -> str | None:
    """Exclusive end of what the contract saw; None when it saw nothing.

    A contract that stopped early saw everything up to the last key it read, and that key:
    `key + U+0000` is the first text after it. A summary has no reads, so its `end_key` is the
    last key read.
    """
    if query.exhausted:
        return query.end_key
    if query.reads:
        return query.reads[-1].key + "\0"
    return query.end_key + "\0" if query.summary is not None else None
