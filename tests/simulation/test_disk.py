"""The simulated disk keeps what real ones keep and loses what they may lose."""

import random

import pytest

from ledger.errors import NodeFault
from ledger.storage.kv import StoreDamaged
from ledger.storage.memory import MemoryView
from tests.simulation.disk import (
    FOLDER,
    PAGE_BYTES,
    DiskFaults,
    SimulatedDisk,
    SimulatedFiles,
    SimulatedStore,
)
from tests.suites.key_value_store import KeyValueStoreSuite

JOURNAL = FOLDER / "journal"


def new_disk(seed: int = 1, **faults: float) -> SimulatedDisk:
    disk = SimulatedDisk(random.Random(seed), MemoryView({}, []))
    disk.faults = DiskFaults(**faults)
    return disk


class TestSimulatedStore(KeyValueStoreSuite):
    @pytest.fixture
    def store(self):
        return SimulatedStore(new_disk())


def written(disk: SimulatedDisk, *contents: bytes) -> None:
    files = SimulatedFiles(disk)
    file = files.open(JOURNAL)
    files.sync_folder(FOLDER)
    for content in contents:
        file.append(content)
        file.sync()
    file.close()


def read(disk: SimulatedDisk) -> bytes:
    file = SimulatedFiles(disk).open(JOURNAL)
    content = file.read_all()
    file.close()
    return content


@pytest.mark.parametrize("seed", range(20))
def test_a_power_cut_keeps_what_was_synced_and_a_part_of_the_rest(seed):
    disk = new_disk(seed)
    written(disk, b"synced")
    SimulatedFiles(disk).open(JOURNAL).append(b"unsynced")
    disk.power_cut()
    left = read(disk)
    assert left.startswith(b"synced")
    assert b"syncedunsynced".startswith(left.rstrip(b"\0"))


def test_a_killed_process_loses_nothing_it_wrote():
    disk = new_disk()
    written(disk, b"synced")
    SimulatedFiles(disk).open(JOURNAL).append(b"unsynced")
    disk.process_ends()
    assert read(disk) == b"syncedunsynced"


def test_a_name_that_was_not_synced_goes_with_the_power():
    disk = new_disk()
    files = SimulatedFiles(disk)
    files.open(JOURNAL).append(b"x")
    disk.power_cut()
    assert not files.exists(JOURNAL)


def test_a_failed_sync_may_show_pages_that_the_disk_never_got():
    seen = set()
    for seed in range(20):
        disk = new_disk(seed)
        written(disk, b"a" * PAGE_BYTES)
        file = SimulatedFiles(disk).open(JOURNAL)
        disk.faults = DiskFaults(sync_fails=1)
        file.append(b"b" * PAGE_BYTES)
        with pytest.raises(OSError, match="fsync"):
            file.sync()
        disk.faults = DiskFaults()
        assert file.read_all().endswith(b"b")
        file.sync()
        disk.power_cut()
        seen.add(read(disk).endswith(b"b"))
    assert seen == {True, False}


def test_bytes_written_again_are_durable_after_the_next_sync():
    for seed in range(20):
        disk = new_disk(seed)
        written(disk, b"a")
        file = SimulatedFiles(disk).open(JOURNAL)
        disk.faults = DiskFaults(sync_fails=1)
        file.append(b"b" * PAGE_BYTES)
        with pytest.raises(OSError, match="fsync"):
            file.sync()
        disk.faults = DiskFaults()
        file.overwrite(file.read_all())
        file.sync()
        disk.power_cut()
        assert read(disk) == b"a" + b"b" * PAGE_BYTES


def test_two_processes_cannot_hold_one_file_or_one_database():
    disk = new_disk()
    SimulatedFiles(disk).open(JOURNAL)
    with pytest.raises(BlockingIOError):
        SimulatedFiles(disk).open(JOURNAL)
    SimulatedStore(disk)
    with pytest.raises(NodeFault, match="another process"):
        SimulatedStore(disk)


def test_a_copy_of_a_file_has_another_identity_and_an_image_has_the_same():
    disk = new_disk()
    written(disk, b"x")
    identity = SimulatedFiles(disk).open(JOURNAL).identity()
    disk.process_ends()
    disk.keep_image()
    disk.restore(disk.copy())
    assert SimulatedFiles(disk).open(JOURNAL).identity() != identity
    disk.go_back()
    assert SimulatedFiles(disk).open(JOURNAL).identity() == identity


def test_damage_in_the_database_is_noticed_when_it_is_read():
    disk = new_disk()
    store = SimulatedStore(disk)
    store.write([(bytes([byte]), b"") for byte in range(5)], sync=True)
    disk.damage_database()
    with pytest.raises(StoreDamaged):
        list(store.iterate(b"", b"\xff"))


def test_a_full_disk_refuses_writes_of_both_kinds():
    disk = new_disk()
    written(disk, b"x")
    disk.faults = DiskFaults(write_fails=1)
    with pytest.raises(OSError, match="no space"):
        SimulatedFiles(disk).open(JOURNAL).append(b"y")
    with pytest.raises(NodeFault, match="no space"):
        SimulatedStore(disk).write([(b"a", b"1")], sync=True)
