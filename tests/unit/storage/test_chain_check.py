"""Tampering with a stored ledger is found, and the height is named."""

from dataclasses import replace

import pytest

from ledger.crypto.hashing import block_data_hash, block_hash
from ledger.crypto.set_digest import EMPTY_SET
from ledger.model.codec import decode_entry, decode_envelope
from ledger.model.codec_block import (
    decode_commit_hash,
    encode_block,
    encode_commit_hash,
)
from ledger.model.codes import ValidationCode
from ledger.model.rwset import Version
from ledger.model.state import StateUpdates
from ledger.storage import keyspace
from ledger.storage.chain_check import ChainBroken
from ledger.storage.leveldb import LevelDbStore
from ledger.validation.commit_hash import StateCommitment, commitment_after
from ledger.validation.outcome import outcome_hash
from ledger.validation.state_digest import state_hash
from ledger.validation.transaction_index import RecordedTransaction
from tests.support.ledger_world import CHAINCODE, LedgerWorld, market, put

BLOCKS = 4


@pytest.fixture
def world():
    world = LedgerWorld()
    for number in range(1, BLOCKS):
        stale = world.transaction(market(reads=[world.read("shared")]))
        world.commit(
            world.transaction(market(writes=[put("shared", b"%d" % number), put(f"own{number}")])),
            stale,
        )
    return world


def broken_at(world: LedgerWorld) -> int:
    with pytest.raises(ChainBroken) as caught:
        world.verify_chain()
    assert f"block {caught.value.block_number}:" in str(caught.value)
    return caught.value.block_number


def rewrite(world: LedgerWorld, number: int, change) -> None:
    """Replace a stored block as someone with write access to the disk would."""
    block = change(world.store.block(number))
    world.kv.write([(keyspace.block_key(number), encode_block(block))], sync=True)
    world.reopened()


def slot(block, index: int, content: bytes):
    metadata = list(block.metadata)
    metadata[index] = content
    return replace(block, metadata=tuple(metadata))


def test_an_honest_ledger_passes(world):
    assert world.verify_chain() == BLOCKS


@pytest.mark.row("E110")
def test_a_flipped_byte_anywhere_in_a_stored_block_names_its_height(world):
    for number in range(BLOCKS):
        key = keyspace.block_key(number)
        stored = world.kv.get(key)
        for position in range(0, len(stored), 97):
            damaged = bytearray(stored)
            damaged[position] ^= 0x04
            world.kv.write([(key, bytes(damaged))], sync=True)
            world.reopened()
            found = broken_at(world)
            # The genesis block has no seals: its header is vouched for by the block after it.
            named = (0, 1) if number == 0 else (number,)
            assert found in named, f"byte {position} of block {number}: {found}"
        world.kv.write([(key, stored)], sync=True)
        world.reopened()
    assert world.verify_chain() == BLOCKS


@pytest.mark.row("E110")
def test_a_flipped_byte_in_a_database_file_names_the_height(tmp_path):
    kv = LevelDbStore(tmp_path)
    world = LedgerWorld(kv)
    entry = world.transaction(market(writes=[put("a")]))
    world.commit(world.transaction())
    world.commit(entry)
    kv.close()
    LevelDbStore(tmp_path).close()  # opening moves the log into a table file
    table = next(path for path in tmp_path.iterdir() if path.suffix == ".ldb")
    content = bytearray(table.read_bytes())
    content[content.index(decode_envelope(entry).signature[-16:])] ^= 1
    table.write_bytes(bytes(content))
    world.kv = LevelDbStore(tmp_path)
    world.reopened()
    assert broken_at(world) == 2
    world.kv.close()


def test_a_replaced_transaction_with_a_new_data_hash_breaks_the_link(world):
    forged = world.transaction(market(writes=[put("shared", b"forged")]))

    def forge(block):
        entries = (forged, block.entries[1])
        header = replace(block.header, data_hash=block_data_hash(entries))
        return replace(block, header=header, entries=entries)

    rewrite(world, 2, forge)
    assert broken_at(world) == 2  # the seals do not cover the new header


def test_a_changed_flag_is_found(world):
    flags = bytes([ValidationCode.VALID, ValidationCode.VALID])
    rewrite(world, 1, lambda block: slot(block, 2, flags))
    assert broken_at(world) == 1


def test_a_changed_flag_with_a_matching_commit_hash_is_found_by_the_next_seals(world):
    flags = bytes([ValidationCode.MVCC_READ_CONFLICT, ValidationCode.MVCC_READ_CONFLICT])
    genesis_hash = decode_commit_hash(world.store.block(0).metadata[4])
    codes = [ValidationCode(flag) for flag in flags]
    entries = world.store.block(1).entries
    recorded = [
        RecordedTransaction(decode_envelope(raw).tx_id, index, code)
        for index, (raw, code) in enumerate(zip(entries, codes, strict=True))
    ]
    after = commitment_after(
        StateCommitment(genesis_hash, EMPTY_SET),
        genesis_hash=world.store.genesis_hash,
        block_number=1,
        codes=codes,
        outcome=outcome_hash(1, entries, [decode_entry(raw) for raw in entries], codes),
        updates=StateUpdates(),
        recorded=recorded,
        state=world.store,
    )
    slots = {
        2: flags,
        3: encode_commit_hash(state_hash(after.digest)),
        4: encode_commit_hash(after.commit_hash),
    }

    def forge(block):
        for number, content in slots.items():
            block = slot(block, number, content)
        return block

    rewrite(world, 1, forge)
    assert broken_at(world) == 2


def test_a_missing_seal_is_found(world):
    def strip(block):
        return slot(block, 0, b"")

    rewrite(world, 3, strip)
    assert broken_at(world) == 3


def test_a_missing_block_is_found(world):
    world.kv.write([(keyspace.block_key(2), None)], sync=True)
    world.reopened()
    assert broken_at(world) == 2


def test_swapped_blocks_are_found(world):
    raw = world.kv.get(keyspace.block_key(3))
    world.kv.write([(keyspace.block_key(2), raw)], sync=True)
    world.reopened()
    assert broken_at(world) == 2


def test_a_savepoint_of_another_tip_is_found(world):
    savepoint = keyspace.decode_savepoint(world.kv.get(keyspace.SAVEPOINT_KEY))
    wrong = replace(savepoint, tip_hash=block_hash(world.store.block(1).header))
    world.kv.write([(keyspace.SAVEPOINT_KEY, keyspace.encode_savepoint(wrong))], sync=True)
    world.reopened()
    assert broken_at(world) == BLOCKS - 1


@pytest.mark.parametrize(
    ("key", "record"),
    [
        ("shared", keyspace.encode_state(b"99", Version(3, 0), ())),
        ("own1", keyspace.encode_state(b"v", Version(2, 0), ())),
        ("own2", keyspace.encode_state(b"v", Version(2, 0), (("note", b""),))),
        ("invented", keyspace.encode_state(b"1", Version(1, 0), ())),
        ("own3", None),
    ],
)
def test_a_changed_invented_or_missing_state_value_is_found(world, key, record):
    world.kv.write([(keyspace.state_key(CHAINCODE, key), record)], sync=True)
    world.reopened()
    broken_at(world)
