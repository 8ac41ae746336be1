"""The ledger on both stores, and its behaviour when the machine stops at any point."""

from dataclasses import replace

import pytest

from ledger.errors import NodeFault
from ledger.model.codes import ValidationCode
from ledger.storage import keyspace
from ledger.storage.ledger_store import LedgerStore
from ledger.storage.leveldb import LevelDbStore
from ledger.storage.memory import MemoryStore
from ledger.storage.opening import open_ledger
from tests.suites.ledger_store import LedgerStoreSuite
from tests.support.identities import CHANNEL_ID
from tests.support.ledger_world import CHAINCODE, LedgerWorld, market, put

VALID = ValidationCode.VALID


class TestOnMemory(LedgerStoreSuite):
    @pytest.fixture
    def world(self):
        return LedgerWorld()


class TestOnLevelDb(LedgerStoreSuite):
    @pytest.fixture
    def world(self, tmp_path):
        kv = LevelDbStore(tmp_path)
        yield LedgerWorld(kv)
        kv.close()


class PowerLossError(Exception):
    """The machine stops."""


class RecordingStore(MemoryStore):
    """Remembers each write, and can lose power just before one."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[tuple[int, bool]] = []
        self.powered = True

    def write(self, batch, *, sync) -> None:
        if not self.powered:
            raise PowerLossError
        self.writes.append((len(batch), sync))
        super().write(batch, sync=sync)


def test_a_block_is_one_synced_write():
    kv = RecordingStore()
    world = LedgerWorld(kv)
    kv.writes.clear()
    world.commit(*(world.transaction(market(writes=[put(f"k{n}")])) for n in range(5)))
    assert len(kv.writes) == 1
    size, sync = kv.writes[0]
    assert sync
    # Block and its hash; id, state, history of each; savepoint; what it replaced.
    assert size == 2 + 5 * 3 + 2


def test_a_failed_write_leaves_the_ledger_as_it_was():
    kv = RecordingStore()
    world = LedgerWorld(kv)
    world.commit(world.transaction(market(writes=[put("a", b"1")])))
    tip = world.store.tip()
    kv.powered = False
    with pytest.raises(PowerLossError):
        world.commit(world.transaction(market(writes=[put("a", b"2")])))
    kv.powered = True
    assert world.store.tip() == tip
    assert world.store.get_state(CHAINCODE, "a").value == b"1"
    assert world.open().tip() == tip
    assert world.commit(world.transaction(market(writes=[put("a", b"2")]))) == (VALID,)
    assert world.verify_chain() == 3


def test_leveldb_cut_anywhere_in_its_log_opens_at_a_whole_block(tmp_path):
    """The log of a crashed process ends anywhere; recovery never shows part of a block."""
    kv = LevelDbStore(tmp_path / "data")
    world = LedgerWorld(kv)
    for number in range(4):
        world.commit(
            world.transaction(market(writes=[put("a", b"%d" % number), put(f"b{number}")]))
        )
    kv.close()
    log = next(path for path in (tmp_path / "data").iterdir() if path.suffix == ".log")
    content = log.read_bytes()
    heights = set()
    for cut in range(len(content), 0, -max(1, len(content) // 40)):
        log.write_bytes(content[:cut])
        copy = tmp_path / f"copy{cut}"
        copy.mkdir()
        for path in (tmp_path / "data").iterdir():
            if path.name != "LOCK":
                (copy / path.name).write_bytes(path.read_bytes())
        recovered_kv = LevelDbStore(copy)
        recovered = open_ledger(
            recovered_kv, channel_id=CHANNEL_ID, genesis=world.consortium.genesis
        )
        world.store = recovered
        assert world.verify_chain() == recovered.height()
        heights.add(recovered.height())
        recovered_kv.close()
    assert {1, 2, 3, 4, 5} <= heights | {1}
    assert max(heights) == 5


def test_a_savepoint_that_disagrees_with_the_blocks_is_refused():
    world = LedgerWorld()
    world.commit(world.transaction())
    savepoint = keyspace.decode_savepoint(world.kv.get(keyspace.SAVEPOINT_KEY))
    lower = replace(savepoint, height=1)
    world.kv.write([(keyspace.SAVEPOINT_KEY, keyspace.encode_savepoint(lower))], sync=True)
    with pytest.raises(NodeFault, match="savepoint"):
        world.open()
    genesis_tip = replace(lower, tip_hash=world.store.block(1).header.previous_hash)
    world.kv.write([(keyspace.SAVEPOINT_KEY, keyspace.encode_savepoint(genesis_tip))], sync=True)
    with pytest.raises(NodeFault, match="above the savepoint"):
        world.open()


def test_another_format_is_refused():
    world = LedgerWorld()
    world.kv.write([(keyspace.FORMAT_KEY, keyspace.encode_number(99))], sync=True)
    with pytest.raises(NodeFault, match="another format"):
        world.open()


def test_damaged_records_are_faults_not_values():
    world = LedgerWorld()
    world.commit(world.transaction(market(writes=[put("a")])))
    world.kv.write([(keyspace.state_key(CHAINCODE, "a"), b"\x00")], sync=True)
    with pytest.raises(NodeFault, match="state record"):
        world.open().get_state(CHAINCODE, "a")
    world.kv.write([(keyspace.SAVEPOINT_KEY, b"\x00")], sync=True)
    with pytest.raises(NodeFault, match="savepoint"):
        LedgerStore(world.kv)


def test_an_empty_store_has_no_tip():
    with pytest.raises(NodeFault, match="empty"):
        LedgerStore(MemoryStore()).tip()
