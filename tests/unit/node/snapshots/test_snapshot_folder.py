"""From a stopped ledger to a file to a new data folder, and nothing half done when it fails."""

import asyncio
from pathlib import Path

import pytest

from ledger.audit.stored_ledger import open_stored_ledger
from ledger.audit.whole_ledger import verify_ledger
from ledger.crypto.hashing import block_hash
from ledger.errors import NodeFault
from ledger.model.codec_block import encode_block
from ledger.model.codes import ValidationCode
from ledger.model.rwset import Version
from ledger.node.membership.channel import open_channel
from ledger.node.snapshots.folder import (
    create_snapshot,
    read_genesis,
    restore_snapshot,
    verify_snapshot,
)
from ledger.rpc.block_source import BlockBeforeSnapshot, BlockSource
from ledger.rpc.commit_notifier import CommitNotifier
from ledger.storage import keyspace
from ledger.storage.chain_check import ChainBroken, verify_chain
from ledger.storage.leveldb import LevelDbStore
from ledger.storage.opening import DATABASE_FOLDER
from ledger.storage.snapshot_errors import SnapshotProblem, SnapshotRefused
from tests.support.ledger_world import CHAINCODE, LedgerWorld, market, put
from tests.support.snapshot_world import filled, read, reconfigured, snapshot_of

VALID, DUPLICATE = ValidationCode.VALID, ValidationCode.DUPLICATE_TXID


class Joined(LedgerWorld):
    """A ledger that a snapshot began, in a folder of its own."""

    def __init__(self, folder: Path, source: LedgerWorld) -> None:
        file = folder.with_suffix(".snapshot")
        file.write_bytes(snapshot_of(source))
        restore_snapshot(file, folder, source.consortium.genesis)
        super().__init__(LevelDbStore(folder / DATABASE_FOLDER))
        self._nonces = 10_000

    def catch_up(self, source: LedgerWorld) -> None:
        """Commit what the other ledger has and this one lacks."""
        for number in range(self.store.height(), source.store.height()):
            self.commit(*source.store.block(number).entries)


@pytest.fixture
def source() -> LedgerWorld:
    return filled(LedgerWorld())


@pytest.fixture
def joined(source, tmp_path):
    world = Joined(tmp_path / "joined", source)
    yield world
    world.kv.close()


@pytest.fixture
def stopped(tmp_path) -> Path:
    """The data folder of a stopped validator."""
    folder = tmp_path / "stopped"
    world = filled(LedgerWorld(LevelDbStore(folder / DATABASE_FOLDER)))
    world.kv.close()
    return folder


# -- a ledger that began with a snapshot ----------------------------------------------------------


def test_it_goes_on_to_the_same_state(source, joined):
    assert joined.store.height() == source.store.height() - 1
    assert joined.store.first_block == source.store.tip().number - 1
    joined.catch_up(source)
    assert joined.store.tip().commitment == source.store.tip().commitment
    for world in (source, joined):
        assert world.store.get_state(CHAINCODE, "shared").value == b"3"


def test_used_transaction_ids_are_known(source, joined):
    old = source.store.block(1).entries[0]
    assert joined.commit(old) == (DUPLICATE,)


def test_blocks_before_it_are_not_there(source, joined):
    first = joined.store.first_block
    genesis = joined.store.block(0)
    assert block_hash(genesis.header) == block_hash(source.store.block(0).header)
    assert [joined.store.block_raw(number) for number in range(1, first)] == [None] * (first - 1)
    assert joined.store.block(first).entries == source.store.block(first).entries
    assert joined.store.block_by_hash(block_hash(source.store.block(1).header)) is None


def test_history_begins_with_it(source, joined):
    joined.catch_up(source)
    history = joined.store.snapshot().history(CHAINCODE, "shared")
    assert [entry.value for entry in history] == [b"3"]


def test_streams_of_older_blocks_end_with_not_found(joined):
    source = BlockSource(joined.store, CommitNotifier(joined.store.height()))

    async def first_of(start: int) -> bytes:
        return await anext(source.follow_raw(start))

    with pytest.raises(BlockBeforeSnapshot, match="snapshot"):
        asyncio.run(first_of(1))
    assert asyncio.run(first_of(joined.store.first_block))


def test_it_gives_snapshots_itself_after_a_block(source, joined):
    with pytest.raises(NodeFault, match="began with a snapshot"):
        snapshot_of(joined)
    joined.catch_up(source)
    again = read(snapshot_of(joined), source.consortium.genesis)
    assert again.head.block_number == source.store.tip().number - 1


def test_the_whole_check_goes_from_the_snapshot_on(source, joined):
    joined.catch_up(source)
    assert joined.verify_chain() == source.store.height() - joined.store.first_block


@pytest.mark.parametrize(
    "change",
    [
        (keyspace.state_key(CHAINCODE, "own3"), keyspace.encode_state(b"x", Version(4, 1), ())),
        (keyspace.state_key(CHAINCODE, "shared"), None),
        (keyspace.transaction_key("aa" * 32), bytes(13)),
    ],
)
def test_a_changed_record_is_found(source, joined, change):
    joined.catch_up(source)
    joined.kv.write([change], sync=True)
    joined.reopened()
    with pytest.raises(ChainBroken, match="does not lead to"):
        joined.verify_chain()


def test_changed_blocks_are_found(source, joined):
    joined.catch_up(source)
    joined.commit(joined.transaction(market(writes=[put("z")])))
    first = joined.store.first_block
    for number, other in ((first, first + 1), (first + 1, first)):
        good = joined.store.block_raw(number)
        bad = encode_block(joined.store.block(other))
        joined.kv.write([(keyspace.block_key(number), bad)], sync=True)
        joined.reopened()
        with pytest.raises(ChainBroken):
            joined.verify_chain()
        joined.kv.write([(keyspace.block_key(number), good)], sync=True)
        joined.reopened()
    assert joined.verify_chain() == 3


def test_the_newest_configuration_comes_along(tmp_path):
    world = reconfigured()
    folder = tmp_path / "joined"
    file = tmp_path / "file"
    file.write_bytes(snapshot_of(world))
    restore_snapshot(file, folder, world.consortium.genesis)
    joined = LedgerWorld(LevelDbStore(folder / DATABASE_FOLDER))
    channel = open_channel(joined.store, world.consortium.genesis)
    assert channel.state.validators.set_hash == world.channel.state.validators.set_hash
    assert joined.store.last_config_number() == 4
    joined.kv.close()
    with open_stored_ledger(folder) as stored:
        genesis_raw = encode_block(world.consortium.genesis)
        assert verify_ledger(stored, genesis_raw=genesis_raw).first_block == 5
    joined = LedgerWorld(LevelDbStore(folder / DATABASE_FOLDER))
    checked = []
    verify_chain(joined.store, lambda block: checked.append(block.number))
    assert checked == [2, 4, 5], "configurations before it say who sealed it"
    joined.kv.close()


# -- files and folders ----------------------------------------------------------------------------


def test_created_from_a_folder_and_restored_into_another(stopped, tmp_path):
    file = tmp_path / "file"
    created = create_snapshot(stopped, file)
    genesis = LedgerWorld().consortium.genesis
    assert verify_snapshot(file, genesis) == created
    assert file.stat().st_mode & 0o777 == 0o600
    assert restore_snapshot(file, tmp_path / "new", genesis) == created
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "new", "stopped"]


def test_a_ledger_in_use_or_missing_gives_none(stopped, tmp_path):
    file = tmp_path / "file"
    with pytest.raises(NodeFault, match="holds no ledger"):
        create_snapshot(tmp_path / "nowhere", file)
    running = LevelDbStore(stopped / DATABASE_FOLDER)
    with pytest.raises(NodeFault, match="another process"):
        create_snapshot(stopped, file)
    running.close()
    file.write_bytes(b"precious")
    with pytest.raises(NodeFault, match="never overwritten"):
        create_snapshot(stopped, file)
    assert file.read_bytes() == b"precious"


def test_a_damaged_ledger_leaves_no_file(stopped, tmp_path):
    kv = LevelDbStore(stopped / DATABASE_FOLDER)
    lie = keyspace.encode_state(b"lie", Version(1, 0), ())
    kv.write([(keyspace.state_key(CHAINCODE, "lie"), lie)], sync=True)
    kv.close()
    with pytest.raises(SnapshotRefused) as refused:
        create_snapshot(stopped, tmp_path / "file")
    assert refused.value.problem is SnapshotProblem.OTHER_STATE
    assert [p.name for p in tmp_path.iterdir()] == ["stopped"]


def test_a_refused_snapshot_leaves_no_folder(source, tmp_path):
    good = snapshot_of(source)
    genesis = source.consortium.genesis
    file = tmp_path / "file"
    for bad in (b"", good[:-1], good[:2000], good[:-40] + bytes(40)):
        file.write_bytes(bad)
        with pytest.raises(SnapshotRefused):
            restore_snapshot(file, tmp_path / "new", genesis)
        assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_nothing_is_overwritten(source, stopped, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(snapshot_of(source))
    genesis = source.consortium.genesis
    with pytest.raises(NodeFault, match="never overwritten"):
        restore_snapshot(file, stopped, genesis)
    with pytest.raises(NodeFault, match="no folder"):
        restore_snapshot(file, file, genesis)


def test_a_journal_may_wait_in_the_folder(source, tmp_path):
    """A validator that lost its ledger and kept its votes keeps them."""
    file, folder = tmp_path / "file", tmp_path / "kept"
    file.write_bytes(snapshot_of(source))
    folder.mkdir()
    (folder / "journal").write_bytes(b"votes")
    restore_snapshot(file, folder, source.consortium.genesis)
    assert sorted(p.name for p in folder.iterdir()) == [DATABASE_FOLDER, "journal"]
    assert (folder / "journal").read_bytes() == b"votes"


def test_the_rest_of_an_interrupted_restore_is_cleared(source, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(snapshot_of(source))
    rest = tmp_path / "new.unfinished" / DATABASE_FOLDER
    rest.mkdir(parents=True)
    (rest / "CURRENT").write_bytes(b"half")
    restore_snapshot(file, tmp_path / "new", source.consortium.genesis)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "new"]


def test_a_genesis_file_must_be_one(tmp_path, source):
    path = tmp_path / "genesis.block"
    for wrong in (b"", b"\xff", encode_block(source.store.block(1))):
        path.write_bytes(wrong)
        with pytest.raises(NodeFault, match="no genesis block"):
            read_genesis(path)
    path.write_bytes(encode_block(source.consortium.genesis))
    assert read_genesis(path).number == 0
