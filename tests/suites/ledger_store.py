"""What the ledger does on any key-value store; a test class inherits it and gives `world`."""

import pytest

from ledger.crypto.hashing import block_hash
from ledger.errors import NodeFault
from ledger.model.codec_block import decode_block, decode_commit_hash
from ledger.model.codes import ValidationCode
from ledger.model.rwset import MetadataWrite, Version
from ledger.model.state import VALIDATION_PARAMETER
from tests.support.identities import CHANNEL_ID, make_consortium
from tests.support.ledger_world import CHAINCODE, delete, market, put

VALID, MVCC = ValidationCode.VALID, ValidationCode.MVCC_READ_CONFLICT


class LedgerStoreSuite:
    def test_begins_with_the_genesis_block(self, world):
        assert world.store.height() == 1
        assert world.store.tip().number == 0
        assert world.store.last_config_number() == 0
        genesis = world.store.block(0)
        assert genesis.header == world.consortium.genesis.header
        assert genesis.metadata[2] == b"\x00"

    def test_a_block_is_found_by_number_and_hash(self, world):
        entry = world.transaction(market(writes=[put("a")]))
        world.commit(entry)
        block = world.store.block(1)
        assert block.entries == (entry,)
        assert world.store.block_by_hash(block_hash(block.header)) == block
        assert decode_block(world.store.block_raw(1)) == block
        assert world.store.block(2) is None
        assert world.store.block(-1) is None
        assert world.store.block_by_hash(bytes(32)) is None

    def test_flags_and_commit_hash_are_in_the_stored_block(self, world):
        stale = world.transaction(market(reads=[world.read("a")], writes=[put("b")]))
        assert world.commit(world.transaction(market(writes=[put("a")])), stale) == (VALID, MVCC)
        metadata = world.store.block(1).metadata
        assert metadata[2] == bytes([VALID, MVCC])
        assert decode_commit_hash(metadata[4]) == world.store.tip().commit_hash

    def test_every_transaction_is_located_with_its_code(self, world):
        good = world.transaction(market(writes=[put("a")]))
        stale = world.transaction(market(reads=[world.read("a")]))
        world.commit(good, stale)
        block = world.validate(good, stale)
        first, second = (world.store.transaction_location(tx_id) for tx_id in block.tx_ids)
        assert (first.block_number, first.tx_index, first.code) == (1, 0, VALID)
        assert (second.block_number, second.tx_index, second.code) == (1, 1, MVCC)
        assert world.store.transaction_location("00" * 32) is None

    def test_the_first_location_stays(self, world):
        entry = world.transaction(market(writes=[put("a")]))
        tx_id = world.validate(entry).tx_ids[0]
        world.commit(entry)
        assert world.commit(entry) == (ValidationCode.DUPLICATE_TXID,)
        assert world.store.transaction_location(tx_id).block_number == 1

    def test_values_have_the_version_of_their_transaction(self, world):
        world.commit(world.transaction(), world.transaction(market(writes=[put("a", b"1")])))
        found = world.store.get_state(CHAINCODE, "a")
        assert (found.value, found.version) == (b"1", Version(1, 1))
        assert world.store.get_state(CHAINCODE, "b") is None
        assert world.store.get_state("other", "a") is None

    def test_a_deleted_key_is_gone_and_may_come_back(self, world):
        world.commit(world.transaction(market(writes=[put("a")])))
        world.commit(world.transaction(market(writes=[delete("a")])))
        assert world.store.get_state(CHAINCODE, "a") is None
        world.commit(world.transaction(market(writes=[put("a", b"back")])))
        assert world.store.get_state(CHAINCODE, "a").version == Version(3, 0)

    def test_history_is_newest_first_and_knows_deletes(self, world):
        world.commit(world.transaction(market(writes=[put("a", b"1"), put("ab", b"x")])))
        world.commit(
            world.transaction(market(writes=[put("a", b"2")])),
            world.transaction(market(writes=[delete("a")])),
        )
        entries = list(world.store.snapshot().history(CHAINCODE, "a"))
        assert [(e.version, e.value, e.is_delete) for e in entries] == [
            (Version(2, 1), b"", True),
            (Version(2, 0), b"2", False),
            (Version(1, 0), b"1", False),
        ]
        located = [world.store.transaction_location(entry.tx_id) for entry in entries]
        assert [(at.block_number, at.tx_index) for at in located] == [(2, 1), (2, 0), (1, 0)]

    def test_invalid_transactions_leave_no_state_and_no_history(self, world):
        world.commit(world.transaction(market(writes=[put("a", b"1")]), endorsers=world.nodes(1)))
        assert world.store.get_state(CHAINCODE, "a") is None
        assert list(world.store.snapshot().history(CHAINCODE, "a")) == []

    def test_ranges_are_ordered_and_stay_in_their_namespace(self, world):
        composite = "\x00order\x0042\x00"
        keys = ["b", "é", "a", composite, "a\x00", "\U0010ffff"]
        world.commit(world.transaction(market(writes=[put(key) for key in keys])))

        def scan(start: str, end: str) -> list[str]:
            return [key for key, _ in world.store.range_state(CHAINCODE, start, end)]

        assert scan("", "") == sorted(keys)
        assert scan("a", "b") == ["a", "a\x00"]
        assert scan("\x00order\x00", "\x00order\x00\U0010ffff") == [composite]
        assert list(world.store.range_state("marke", "", "")) == []
        assert list(world.store.range_state("market2", "", "")) == []

    def test_metadata_stays_with_the_key_until_it_is_deleted(self, world):
        entries = ((VALIDATION_PARAMETER, b""), ("note", b"1"))
        assert not world.store.has_metadata(CHAINCODE)
        world.commit(
            world.transaction(
                market(writes=[put("a", b"1")], metadata=[MetadataWrite("a", entries)])
            )
        )
        assert world.store.has_metadata(CHAINCODE)
        world.commit(world.transaction(market(writes=[put("a", b"2")])))
        assert world.store.get_state(CHAINCODE, "a").metadata == entries
        world.commit(world.transaction(market(writes=[delete("a")])))
        world.commit(world.transaction(market(writes=[put("a", b"3")])))
        assert world.store.get_state(CHAINCODE, "a").metadata == ()

    def test_metadata_alone_moves_the_version_and_keeps_the_value(self, world):
        world.commit(world.transaction(market(writes=[put("a", b"1")])))
        noted = [MetadataWrite("a", (("note", b"1"),)), MetadataWrite("none", (("note", b"1"),))]
        world.commit(world.transaction(market(metadata=noted)))
        found = world.store.get_state(CHAINCODE, "a")
        assert (found.value, found.version) == (b"1", Version(2, 0))
        assert world.store.get_state(CHAINCODE, "none") is None

    def test_a_snapshot_stays_at_its_height(self, world):
        world.commit(world.transaction(market(writes=[put("a", b"1"), put("b", b"1")])))
        before = world.store.snapshot()
        assert before.get_state(CHAINCODE, "a").value == b"1"
        world.commit(world.transaction(market(writes=[put("a", b"2"), delete("b"), put("c")])))
        assert before.height == 2
        assert before.get_state(CHAINCODE, "a").value == b"1"
        assert before.get_state(CHAINCODE, "b").value == b"1"
        assert before.get_state(CHAINCODE, "c") is None
        assert [key for key, _ in before.range_state(CHAINCODE, "", "")] == ["a", "b"]
        assert len(list(before.history(CHAINCODE, "a"))) == 1
        now = world.store.snapshot()
        assert [key for key, _ in now.range_state(CHAINCODE, "", "")] == ["a", "c"]
        assert now.get_state(CHAINCODE, "b") is None

    def test_reopening_finds_everything(self, world):
        world.commit(world.transaction(market(writes=[put("a", b"1")])))
        tip = world.store.tip()
        again = world.open()
        assert again.tip() == tip
        assert again.height() == 2
        assert again.get_state(CHAINCODE, "a").value == b"1"
        assert world.commit(world.transaction(market(reads=[world.read("a")]))) == (VALID,)

    def test_refuses_a_block_that_does_not_follow(self, world):
        validation = world.validate(world.transaction())
        block = world.sealed_block([world.transaction()])
        world.commit(world.transaction())
        with pytest.raises(NodeFault, match="does not follow"):
            world.store.commit(block, validation, world.store.tip().commitment)

    def test_refuses_another_channel_and_another_genesis(self, world):
        world.commit(world.transaction())
        ours, other = world.consortium, make_consortium(world.consortium.created)
        open_ledger = world.open_as
        with pytest.raises(NodeFault, match="another channel"):
            open_ledger(channel_id="elsewhere", genesis=ours.genesis)
        with pytest.raises(NodeFault, match="another genesis block"):
            open_ledger(channel_id=CHANNEL_ID, genesis=other.genesis)
