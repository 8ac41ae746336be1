"""Whatever is changed in a stored ledger, the audit names the block it belongs to."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ledger.audit.block_reading import read_block
from ledger.audit.chain import ChainBroken
from ledger.crypto.hashing import block_data_hash, block_hash
from ledger.model.block import Block
from ledger.model.codec_block import (
    decode_block,
    decode_block_signatures,
    encode_block,
    encode_block_signatures,
    encode_commit_hash,
)
from ledger.model.codes import ValidationCode
from ledger.model.rwset import MetadataWrite, Version
from ledger.storage import keyspace
from ledger.storage.keyspace import TxLocation
from tests.support.ledger_world import CHAINCODE, market, put
from tests.unit.audit.ledgers import DefinedWorld, Records, audit

BLOCKS = 6
TAMPERED = 3
FLIPPED_EVERY = 89
SLOT_SEALS, SLOT_CODES, SLOT_STATE_HASH, SLOT_COMMIT_HASH = 0, 2, 3, 4

Change = Callable[[Block], Block]


@pytest.fixture(scope="module")
def world():
    world = DefinedWorld()
    for number in range(2, BLOCKS):
        stale = world.transaction(market(reads=[world.read("shared")]))
        first = world.transaction(
            market(writes=[put("shared", b"%d" % number), put(f"own{number}")])
        )
        codes = world.commit(first, stale)
        assert codes == (ValidationCode.VALID, ValidationCode.MVCC_READ_CONFLICT)
    return world


@pytest.fixture
def records(world):
    return world.records()


def broken_at(records: Records) -> int | None:
    with pytest.raises(ChainBroken) as caught:
        audit(records)
    return caught.value.block_number


def rewrite(records: Records, change: Change, number: int = TAMPERED) -> None:
    key = keyspace.block_key(number)
    records[key] = encode_block(change(decode_block(records[key])))


def slot(block: Block, index: int, content: bytes) -> Block:
    metadata = list(block.metadata)
    metadata[index] = content
    return replace(block, metadata=tuple(metadata))


def with_seals(change: Callable[[tuple], tuple]) -> Change:
    def changed(block: Block) -> Block:
        signed = decode_block_signatures(block.metadata[SLOT_SEALS])
        signed = replace(signed, signatures=change(signed.signatures))
        return slot(block, SLOT_SEALS, encode_block_signatures(signed))

    return changed


def test_an_honest_ledger_is_good_and_counted(world, records):
    findings = audit(records, genesis_raw=encode_block(world.consortium.genesis))
    assert findings.blocks == BLOCKS
    assert findings.codes == {0: 2 + (BLOCKS - 2), 11: BLOCKS - 2}
    assert findings.tip_hash == world.store.tip().block_hash
    assert findings.commit_hash == world.store.tip().commit_hash


def header(**fields: object) -> Change:
    return lambda block: replace(block, header=replace(block.header, **fields))


CHANGES: dict[str, Change] = {
    "number": header(number=TAMPERED + 1),
    "previous hash": header(previous_hash=bytes(32)),
    "data hash": header(data_hash=bytes(32)),
    "an entry missing": lambda block: replace(block, entries=block.entries[:1]),
    "entries in another order": lambda block: replace(block, entries=block.entries[::-1]),
    "an entry twice": lambda block: replace(block, entries=(*block.entries, block.entries[0])),
    "no entries": lambda block: replace(block, entries=()),
    "a seal removed": with_seals(lambda seals: seals[1:]),
    "a seal in place of another": with_seals(lambda seals: (seals[0], seals[1], seals[1])),
    "no seals": with_seals(lambda _seals: ()),
    "a valid code": lambda block: slot(block, SLOT_CODES, bytes((0, 0))),
    "a refusing code": lambda block: slot(block, SLOT_CODES, bytes((11, 11))),
    "another refusal": lambda block: slot(block, SLOT_CODES, bytes((0, 10))),
    "a code missing": lambda block: slot(block, SLOT_CODES, bytes((0,))),
    "commit hash": lambda block: slot(block, SLOT_COMMIT_HASH, encode_commit_hash(bytes(32))),
    "state hash": lambda block: slot(block, SLOT_STATE_HASH, encode_commit_hash(bytes(32))),
    "no commit hash": lambda block: slot(block, SLOT_COMMIT_HASH, b""),
}


@pytest.mark.row("E110")
@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_block_is_named(records, what):
    rewrite(records, CHANGES[what])
    assert broken_at(records) == TAMPERED


def test_a_seal_of_another_block_does_not_count(records):
    other = decode_block(records[keyspace.block_key(TAMPERED + 1)])
    rewrite(records, lambda block: slot(block, SLOT_SEALS, other.metadata[SLOT_SEALS]))
    assert broken_at(records) == TAMPERED


def test_a_block_made_anew_around_another_entry_lacks_seals(world, records):
    forged = world.transaction(market(writes=[put("shared", b"forged")]))

    def forge(block: Block) -> Block:
        entries = (forged, *block.entries[1:])
        return replace(block, header=replace(block.header, data_hash=block_data_hash(entries)))

    rewrite(records, forge)
    assert broken_at(records) == TAMPERED


@pytest.mark.parametrize("what", ["a valid code", "a refusing code", "another refusal"])
def test_a_changed_code_of_the_newest_block_is_found_without_later_seals(records, what):
    """No seal covers it yet: it is worked out from the transactions alone."""
    newest = BLOCKS - 1
    rewrite(records, CHANGES[what], newest)
    assert broken_at(records) == newest


@pytest.mark.row("E110")
@pytest.mark.parametrize("number", range(1, BLOCKS))
def test_a_missing_block_is_named(records, number):
    del records[keyspace.block_key(number)]
    assert broken_at(records) == number


def test_a_block_above_the_savepoint_is_named(records):
    records[keyspace.block_key(BLOCKS)] = records[keyspace.block_key(BLOCKS - 1)]
    assert broken_at(records) == BLOCKS


def test_a_ledger_cut_short_consistently_is_shorter_and_its_savepoint_gives_it_away(records):
    key = keyspace.SAVEPOINT_KEY
    records[key] = (BLOCKS - 1).to_bytes(8, "big") + records[key][8:]
    assert broken_at(records) == BLOCKS - 2


@pytest.mark.row("E110")
def test_any_flipped_byte_of_a_block_names_it(records):
    key = keyspace.block_key(TAMPERED)
    stored = records[key]
    for position in range(0, len(stored), FLIPPED_EVERY):
        damaged = bytearray(stored)
        damaged[position] ^= 0x04
        records[key] = bytes(damaged)
        assert broken_at(records) == TAMPERED, f"byte {position}"


STATE = keyspace.state_key(CHAINCODE, "shared")
VERSION = Version(BLOCKS - 1, 0)


@pytest.mark.row("E110")
@pytest.mark.parametrize(
    ("key", "record", "block"),
    [
        (STATE, keyspace.encode_state(b"edited", VERSION, ()), BLOCKS - 1),
        (STATE, keyspace.encode_state(b"5", Version(2, 0), ()), BLOCKS - 1),
        (STATE, keyspace.encode_state(b"5", VERSION, (("a", b"b"),)), BLOCKS - 1),
        (STATE, None, BLOCKS - 1),
        (
            keyspace.state_key(CHAINCODE, "smuggled"),
            keyspace.encode_state(b"1", Version(2, 0), ()),
            2,
        ),
        (keyspace.state_key(CHAINCODE, "own3"), None, 3),
        (keyspace.history_key(CHAINCODE, "own3", Version(3, 0)), None, 3),
        (keyspace.history_key(CHAINCODE, "own3", Version(4, 1)), b"", 4),
        (STATE, b"x", None),
    ],
    ids=[
        "value edited",
        "version edited",
        "metadata added",
        "newest value deleted",
        "value smuggled in",
        "value deleted",
        "history deleted",
        "history added",
        "record damaged",
    ],
)
def test_a_changed_record_is_named_by_the_block_it_is_of(records, key, record, block):
    if record is None:
        del records[key]
    else:
        records[key] = record
    assert broken_at(records) == block


def test_the_indexes_are_checked(world, records):
    block = decode_block(records[keyspace.block_key(TAMPERED)])
    tx_id = read_tx_id(world, TAMPERED)
    place = keyspace.transaction_key(tx_id)

    moved = Records(records)
    moved[place] = keyspace.encode_location(TxLocation(TAMPERED + 1, 0, ValidationCode.VALID))
    assert broken_at(moved) == TAMPERED
    lost = Records(records)
    del lost[place]
    assert broken_at(lost) == TAMPERED
    invented = Records(records)
    location = TxLocation(2, 7, ValidationCode.VALID)
    invented[keyspace.transaction_key("ab" * 32)] = keyspace.encode_location(location)
    assert broken_at(invented) == 2
    by_hash = Records(records)
    by_hash[keyspace.block_by_hash_key(block_hash(block.header))] = keyspace.encode_number(1)
    assert broken_at(by_hash) == TAMPERED


@pytest.mark.row("E110")
@pytest.mark.parametrize("key", [keyspace.CHANNEL_KEY, keyspace.GENESIS_HASH_KEY])
def test_what_the_ledger_says_it_is_of_is_that_of_block_0(records, key):
    records[key] = b"x" + records[key][1:]
    with pytest.raises(ChainBroken, match=r"the record of (that|its hash) says") as caught:
        audit(records)
    assert caught.value.block_number == 0
    del records[key]
    with pytest.raises(ChainBroken, match="is gone") as caught:
        audit(records)
    assert caught.value.block_number == 0


def test_a_history_record_with_a_value_is_no_one_of_ours(records):
    records[keyspace.history_key(CHAINCODE, "own3", Version(3, 0))] = b"smuggled"
    with pytest.raises(ChainBroken, match="has a value"):
        audit(records)


def test_metadata_that_no_mark_leads_to_is_named_by_the_block_that_gave_it():
    """Without the mark a peer would not ask for a key's own policy."""
    world = DefinedWorld()
    world.commit(
        world.transaction(
            market(writes=[put("own")], metadata=[MetadataWrite("own", (("note", b"1"),))])
        )
    )
    records = world.records()
    assert audit(records).blocks == 3
    del records[keyspace.has_metadata_key(CHAINCODE)]
    assert broken_at(records) == 2


def read_tx_id(world: DefinedWorld, number: int) -> str:
    [tx_id, *_] = [
        key[1:].decode()
        for key, value in world.kv.iterate(b"T", b"U")
        if keyspace.decode_location(value).block_number == number
    ]
    return tx_id


def test_another_genesis_block_than_agreed_is_block_0s_fault(world, records):
    agreed = world.consortium.genesis
    other = replace(agreed, header=replace(agreed.header, data_hash=bytes(32)))
    with pytest.raises(ChainBroken, match="not the genesis block") as caught:
        audit(records, genesis_raw=encode_block(other))
    assert caught.value.block_number == 0
    with pytest.raises(ChainBroken, match="cannot be read"):
        audit(records, genesis_raw=b"\xff")


def test_reading_gives_what_was_written(records):
    raw = records[keyspace.block_key(TAMPERED)]
    block = read_block(raw)
    assert block.number == TAMPERED
    assert block.block_hash == block_hash(decode_block(raw).header)
