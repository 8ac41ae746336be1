"""Proof that a stored ledger is what was agreed: every block, every link, every state value.

Nothing stored is believed. Hashes and links are computed again, the seals are checked by the
caller's rule, and the world state is rebuilt from the transactions and compared with the stored
one; the commit hash, on which the seals of the next block vote, ties flags and state to the chain.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from ledger.crypto.hashing import block_data_hash, block_hash
from ledger.crypto.set_digest import EMPTY_SET, SetDigest
from ledger.errors import InvalidMessage, NodeFault
from ledger.model.block import (
    SLOT_COMMIT_HASH,
    SLOT_SIGNATURES,
    SLOT_STATE_HASH,
    SLOT_TRANSACTIONS_FILTER,
    Block,
    ConsenterMetadata,
)
from ledger.model.codec import decode_entry
from ledger.model.codec_block import (
    decode_block_signatures,
    decode_commit_hash,
    decode_consenter_metadata,
    encode_commit_hash,
)
from ledger.model.codes import ValidationCode
from ledger.model.state import StateKey, StateUpdates, VersionedValue
from ledger.storage.config_blocks import config_blocks, last_config_before
from ledger.storage.ledger_store import LedgerStore
from ledger.validation.block import updates_of
from ledger.validation.commit_hash import (
    BEFORE_GENESIS,
    StateCommitment,
    commit_hash,
    commitment_after,
)
from ledger.validation.outcome import outcome_hash
from ledger.validation.state_digest import state_hash, transaction_element, value_element
from ledger.validation.transaction_index import RecordedTransaction, recorded_transactions

CheckSeals = Callable[[Block], None]
"""Raises InvalidMessage unless a quorum sealed the block; not asked about the genesis block."""


class ChainBroken(NodeFault):
    """A stored block or value is not what was agreed; `block_number` is the first one found."""

    def __init__(self, block_number: int, detail: str) -> None:
        super().__init__(f"block {block_number}: {detail}")
        self.block_number = block_number


def verify_chain(store: LedgerStore, check_seals: CheckSeals) -> int:
    """Check the whole ledger; returns the number of blocks found good.

    Raises ChainBroken at the first block that does not fit. Memory grows with the world state.
    A ledger that began with a snapshot is checked from there on (`_verify_from_snapshot`).
    """
    if store.first_block > 0:
        return _verify_from_snapshot(store, check_seals)
    state = _RebuiltState()
    previous_hash, commitment = b"", BEFORE_GENESIS
    height = store.height()
    for number in range(height):
        block = _read(store, number)
        _check_links(block, number, previous_hash)
        if number > 0:
            _check_seals(block, commitment.commit_hash, check_seals)
        commitment = _check_commit_hash(store.genesis_hash, block, commitment, state)
        previous_hash = block_hash(block.header)
    if height and (previous_hash, commitment) != _stored_tip(store):
        raise ChainBroken(height - 1, "is not the block that the savepoint names")
    _compare_state(store, state, height)
    return height


def _verify_from_snapshot(store: LedgerStore, check_seals: CheckSeals) -> int:
    """Blocks from the snapshot's on, and that the state is the one they lead to.

    The configurations before come first, in order: they say who seals. Which transaction wrote
    what before the snapshot cannot be told any more; the digest of all that is stored must be what
    the newest block leads to, and that must follow from sealed blocks.
    """
    height = store.height()
    for block in _configurations_before(store):
        _sealed(block, check_seals)
    before, after, previous_hash = b"", b"", b""
    for number in range(store.first_block, height):
        block = _read(store, number)
        is_first = number == store.first_block
        _check_links(block, number, block.header.previous_hash if is_first else previous_hash)
        sealed = _sealed(block, check_seals)
        if not is_first and sealed.previous_commit_hash != after:
            raise ChainBroken(number, "its seals vote for another state than is stored")
        before, after = sealed.previous_commit_hash, _stored_commit_hash(block)
        previous_hash = block_hash(block.header)
    digest = _stored_digest(store)
    codes = _codes(block)
    computed = commit_hash(
        genesis_hash=store.genesis_hash,
        previous=before,
        codes=bytes(codes),
        outcome=_outcome(block, codes),
        state=state_hash(digest),
    )
    if computed != after:
        raise ChainBroken(height - 1, "does not lead to the values and transactions stored")
    if (previous_hash, StateCommitment(after, digest)) != _stored_tip(store):
        raise ChainBroken(height - 1, "is not the block that the savepoint names")
    return height - store.first_block


def _configurations_before(store: LedgerStore) -> list[Block]:
    """Who seals the snapshot's block is known from these."""
    first = store.first_block
    try:
        return config_blocks(store, last_config_before(_read(store, first)))
    except (NodeFault, InvalidMessage) as error:
        raise ChainBroken(first, f"its configurations cannot be read: {error}") from error


def _stored_digest(store: LedgerStore) -> SetDigest:
    """Summed up over everything that is stored."""
    view = store.snapshot()
    values = (
        value_element((namespace, key), value) for namespace, key, value in view.all_states()
    )
    transactions = (
        transaction_element(
            found.block_number, RecordedTransaction(tx_id, found.tx_index, found.code)
        )
        for tx_id, found in view.all_transactions()
    )
    return EMPTY_SET.changed(added=chain(values, transactions), removed=())


class _RebuiltState:
    """World state as the transactions of the checked blocks left it (a StateReader)."""

    def __init__(self) -> None:
        self.values: dict[StateKey, VersionedValue] = {}
        self._keys: dict[str, set[str]] = {}
        self.transactions: set[str] = set()

    def get_state(self, namespace: str, key: str) -> VersionedValue | None:
        return self.values.get((namespace, key))

    def range_state(
        self, namespace: str, start_key: str, end_key: str
    ) -> Iterator[tuple[str, VersionedValue]]:
        keys = sorted(
            key
            for key in self._keys.get(namespace, ())
            if start_key <= key and (not end_key or key < end_key)
        )
        return ((key, self.values[namespace, key]) for key in keys)

    def has_metadata(self, namespace: str) -> bool:
        return True

    def apply(self, updates: StateUpdates, recorded: Sequence[RecordedTransaction]) -> None:
        self.transactions.update(one.tx_id for one in recorded)
        for state_key, update in updates.keys.items():
            keys = self._keys.setdefault(state_key[0], set())
            if update.value is None:
                self.values.pop(state_key, None)
                keys.discard(state_key[1])
            else:
                keys.add(state_key[1])
                value = VersionedValue(update.value, update.version, update.metadata)
                self.values[state_key] = value


def _stored_tip(store: LedgerStore) -> tuple[bytes, StateCommitment]:
    tip = store.tip()
    return tip.block_hash, tip.commitment


def _read(store: LedgerStore, number: int) -> Block:
    try:
        block = store.block(number)
    except (NodeFault, InvalidMessage) as error:
        raise ChainBroken(number, f"cannot be read: {error}") from error
    if block is None:
        raise ChainBroken(number, "is missing")
    return block


def _check_links(block: Block, number: int, previous_hash: bytes) -> None:
    if block.number != number:
        raise ChainBroken(number, f"is stored with number {block.number}")
    if block.header.previous_hash != previous_hash:
        raise ChainBroken(number, "does not follow the block before it")
    if block.header.data_hash != block_data_hash(block.entries):
        raise ChainBroken(number, "the transactions do not match the data hash")


def _check_seals(block: Block, previous_commit_hash: bytes, check_seals: CheckSeals) -> None:
    if _sealed(block, check_seals).previous_commit_hash != previous_commit_hash:
        raise ChainBroken(
            block.number, "its seals vote for another state than the blocks before it give"
        )


def _sealed(block: Block, check_seals: CheckSeals) -> ConsenterMetadata:
    try:
        check_seals(block)
        signed = decode_block_signatures(block.metadata[SLOT_SIGNATURES])
        return decode_consenter_metadata(signed.consenter_metadata_raw)
    except InvalidMessage as error:
        raise ChainBroken(block.number, f"the seals do not hold: {error}") from error


def _stored_commit_hash(block: Block) -> bytes:
    try:
        return decode_commit_hash(block.metadata[SLOT_COMMIT_HASH])
    except InvalidMessage as error:
        raise ChainBroken(block.number, f"the commit hash is damaged: {error}") from error


def _codes(block: Block) -> list[ValidationCode]:
    try:
        codes = [ValidationCode(flag) for flag in block.metadata[SLOT_TRANSACTIONS_FILTER]]
    except ValueError as error:
        raise ChainBroken(block.number, f"the flags are damaged: {error}") from error
    if len(codes) != len(block.entries):
        raise ChainBroken(block.number, f"{len(codes)} flags for {len(block.entries)} entries")
    return codes


def _outcome(block: Block, codes: Sequence[ValidationCode]) -> bytes:
    return outcome_hash(block.number, block.entries, list(map(decode_entry, block.entries)), codes)


def _check_commit_hash(
    genesis_hash: bytes, block: Block, before: StateCommitment, state: _RebuiltState
) -> StateCommitment:
    """The commitment after the block, computed again from its transactions and flags."""
    stored = _stored_commit_hash(block)
    codes = _codes(block)
    entries = [decode_entry(raw) for raw in block.entries]
    updates = updates_of(block.number, entries, codes, state)
    recorded: tuple[RecordedTransaction, ...] = ()
    if block.number > 0:  # nobody signs the genesis block, its transaction uses up no id
        recorded = recorded_transactions(entries, codes, state.transactions.__contains__)
    after = commitment_after(
        before,
        genesis_hash=genesis_hash,
        block_number=block.number,
        codes=codes,
        outcome=outcome_hash(block.number, block.entries, entries, codes),
        updates=updates,
        recorded=recorded,
        state=state,
    )
    if after.commit_hash != stored:
        raise ChainBroken(block.number, "flags and changes do not give the stored commit hash")
    if block.metadata[SLOT_STATE_HASH] != encode_commit_hash(state_hash(after.digest)):
        raise ChainBroken(block.number, "is stored with another state hash")
    state.apply(updates, recorded)
    return after


def _compare_state(store: LedgerStore, state: _RebuiltState, height: int) -> None:
    """Every stored value was written by a transaction of the chain, and none is missing."""
    found = 0
    for namespace, key, value in store.snapshot().all_states():
        if state.values.get((namespace, key)) != value:
            raise ChainBroken(
                value.version.block_number,
                f"the stored value of {key!r} in {namespace!r} is not what was written",
            )
        found += 1
    if found != len(state.values):
        raise ChainBroken(
            height - 1, f"{len(state.values) - found} values of the world state are missing"
        )
