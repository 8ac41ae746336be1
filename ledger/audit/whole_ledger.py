"""A whole stored ledger against what its blocks make.

Pure: whoever stores the ledger hands in what it holds. Nothing stored is believed but block 0, and
that one can be compared with a genesis block from elsewhere.
"""

from collections.abc import Callable

from ledger.audit.block_reading import read_block
from ledger.audit.chain import ChainBroken, ChainHead
from ledger.audit.findings import Findings
from ledger.audit.from_snapshot import verify_from_snapshot
from ledger.audit.metadata_marks import check_mark
from ledger.audit.replay import Replay
from ledger.audit.storage_port import Savepoint, StoredLedger
from ledger.audit.wire_fields import BrokenBytes


def verify_ledger(
    stored: StoredLedger,
    *,
    genesis_raw: bytes | None = None,
    on_block: Callable[[int, int], None] | None = None,
) -> Findings:
    """Check everything; raises ChainBroken at the first thing that is wrong, block by block.

    `genesis_raw` is the genesis block as it was agreed on; without it the stored one is believed.
    Memory grows with the world state and the number of transactions. A ledger that began with a
    snapshot is checked from there on. `on_block` is told how many blocks are read, of how many.
    """
    first = stored.block(0)
    if first is None:
        raise ChainBroken(0, "is missing")
    replay = Replay(first)
    if genesis_raw is not None:
        agreed = _genesis_hash(genesis_raw)
        _require(agreed == replay.head.block_hash, 0, "is not the genesis block agreed on")
    _check_named_ledger(stored, replay)
    first_block = stored.first_block()
    if first_block:
        return verify_from_snapshot(stored, replay.head, first_block)
    savepoint = stored.savepoint()
    for number in range(1, savepoint.height):
        raw = stored.block(number)
        if raw is None:
            raise ChainBroken(number, "is missing")
        replay.add(raw)
        if on_block is not None:
            on_block(number + 1, savepoint.height)
    head = replay.head
    computed = Savepoint(
        height=head.number + 1,
        last_config=head.last_config,
        tip_hash=head.block_hash,
        commit_hash=head.commit_hash,
        state_digest=replay.digest.raw(),
    )
    _require(savepoint == computed, head.number, "is not the block that the savepoint names")
    _check_no_more_blocks(stored, savepoint.height)
    _compare_with_replay(stored, replay)
    return _finished(replay, head)


def _genesis_hash(raw: bytes) -> bytes:
    try:
        return read_block(raw).block_hash
    except BrokenBytes as error:
        raise ChainBroken(None, f"the genesis block agreed on cannot be read: {error}") from error


def _check_named_ledger(stored: StoredLedger, replay: Replay) -> None:
    """What a peer compares before it opens the ledger is that of block 0."""
    channel_id, genesis_hash = stored.named_ledger()
    held = "is gone" if channel_id is None else f"says {channel_id!r}"
    is_same = channel_id == replay.channel_id.encode()
    _require(is_same, 0, f"is of channel {replay.channel_id!r}, and the record of that {held}")
    held = "is gone" if genesis_hash is None else f"says {genesis_hash.hex()}"
    is_same = genesis_hash == replay.findings.genesis_hash
    _require(is_same, 0, f"is the genesis block, and the record of its hash {held}")


def _finished(replay: Replay, head: ChainHead) -> Findings:
    replay.findings.states = len(replay.state)
    replay.findings.tip_hash, replay.findings.commit_hash = head.block_hash, head.commit_hash
    return replay.findings


def _check_no_more_blocks(stored: StoredLedger, height: int) -> None:
    for number in stored.block_numbers():
        _require(number < height, number, "is stored above the savepoint")


def _compare_with_replay(stored: StoredLedger, replay: Replay) -> None:
    """What was derived from the blocks, key by key; each finding names the block it is of."""
    _compare_states(stored, replay)
    tip = replay.head.number
    places = dict(stored.transactions())
    for tx_id, place in replay.places.items():
        found = places.pop(tx_id, None)
        _require(found == place, place[0], f"holds transaction {tx_id}, which the index has wrong")
    for tx_id, place in places.items():
        _require(False, place[0], f"does not hold transaction {tx_id} of the index")  # noqa: FBT003
    hashes = dict(stored.block_hashes())
    for block_hash, number in replay.block_numbers.items():
        _require(hashes.pop(block_hash, None) == number, number, "is not in the index of hashes")
    _require(not hashes, tip, "is the tip, and the index of hashes names other blocks")
    history = set(stored.history())
    for namespace, key, number, _ in replay.written ^ history:
        wrong = f"and the history of {key!r} in {namespace!r} differ"
        _require(False, min(number, tip), wrong)  # noqa: FBT003


def _compare_states(stored: StoredLedger, replay: Replay) -> None:
    found = 0
    marked = frozenset(stored.marked_namespaces())
    for (namespace, key), held in stored.states():
        expected = replay.state.get(namespace, key)
        if expected != held:
            number = held.position[0] if expected is None else expected.position[0]
            raise ChainBroken(number, f"did not give {key!r} in {namespace!r} this value")
        check_mark(namespace, key, held, marked)
        found += 1
    if found == len(replay.state):
        return
    held_keys = {state_key for state_key, _ in stored.states()}
    for state_key, value in replay.state.items():
        if state_key not in held_keys:
            namespace, key = state_key
            raise ChainBroken(
                value.position[0], f"wrote {key!r} in {namespace!r}, which is missing"
            )


def _require(holds: bool, number: int, what: str) -> None:  # noqa: FBT001
    if not holds:
        raise ChainBroken(number, what)
