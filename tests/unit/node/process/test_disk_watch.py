"""Free space: refusals first, then no votes, and both again when there is room."""

import asyncio
import os
from pathlib import Path

import pytest

from ledger.consensus.events import VotingPaused
from ledger.consensus.messages import PrepareMessage
from ledger.errors import InvalidMessage, NodeFault, Reason
from ledger.node.process import disk_watch
from ledger.node.process.disk_watch import (
    NOTICE_FILE,
    DiskNotice,
    DiskWatch,
    Space,
    SpaceLimits,
    space_of,
)
from tests.unit.node.validator_stage import ValidatorStage

MIB = 1024 * 1024
LIMITS = SpaceLimits(transactions_bytes=100 * MIB, votes_bytes=10 * MIB)


class Disk:
    def __init__(self, free_mib: int) -> None:
        self.free_mib = free_mib
        self.paused: list[bool] = []
        self.watch = DiskWatch(self.space, LIMITS, self.paused.append)

    def space(self) -> Space:
        return Space(self.free_mib * MIB, 1_000 * MIB)

    def now_has(self, free_mib: int) -> None:
        self.free_mib = free_mib
        self.watch.check()

    @property
    def refuses(self) -> bool:
        try:
            self.watch.require_space()
        except InvalidMessage as error:
            return error.reason is Reason.NO_SPACE
        return False


def test_transactions_are_refused_before_votes_stop():
    disk = Disk(free_mib=100)
    assert (disk.refuses, disk.paused) == (False, [])
    disk.now_has(99)
    assert (disk.refuses, disk.paused) == (True, [])
    disk.now_has(10)
    assert disk.paused == []
    disk.now_has(9)
    assert disk.paused == [True]


def test_both_go_on_when_there_is_a_little_more_than_the_limit():
    disk = Disk(free_mib=9)
    assert (disk.refuses, disk.paused) == (True, [True])
    disk.now_has(10)
    assert disk.paused == [True]
    disk.now_has(11)
    assert (disk.refuses, disk.paused) == (True, [True, False])
    disk.now_has(109)
    assert disk.refuses
    disk.now_has(110)
    assert not disk.refuses


def test_the_pause_stands_in_a_file_while_it_lasts(tmp_path):
    (tmp_path / NOTICE_FILE).write_text("of an earlier run")
    notice = DiskNotice(tmp_path)
    assert not (tmp_path / NOTICE_FILE).exists()
    notice.tell(paused=True)
    assert (tmp_path / NOTICE_FILE).read_text() == "not voting: disk short\n"
    notice.tell(paused=False)
    assert not (tmp_path / NOTICE_FILE).exists()


def test_a_disk_too_full_for_the_notice_is_no_fault(tmp_path, caplog):
    notice = DiskNotice(tmp_path / "no folder")
    notice.tell(paused=True)
    assert "cannot write" in caplog.text


@pytest.mark.parametrize(
    ("total", "transactions", "votes"),
    [
        (10 * 1024 * MIB, 512 * MIB, 1024 * MIB // 10),
        (10_000 * 1024 * MIB, 1024 * MIB, 256 * MIB),
    ],
)
def test_the_limits_are_a_share_of_a_small_disk_and_a_size_on_a_large_one(
    total, transactions, votes
):
    limits = SpaceLimits()
    assert limits.transactions(total) == transactions
    assert limits.votes(total) == pytest.approx(votes, rel=0.01)


def test_the_space_of_a_folder_is_the_systems(tmp_path):
    stat = os.statvfs(tmp_path)
    assert space_of(tmp_path).total == stat.f_blocks * stat.f_frsize
    with pytest.raises(NodeFault, match="cannot tell the free space"):
        space_of(Path("/no/such/folder"))


@pytest.mark.anyio
async def test_it_looks_again_and_again(monkeypatch):
    monkeypatch.setattr(disk_watch, "CHECK_INTERVAL_MS", 0)
    changed = asyncio.Event()
    disk = Disk(free_mib=500)
    disk.watch = DiskWatch(disk.space, LIMITS, lambda _paused: changed.set())
    running = asyncio.create_task(disk.watch.run())
    for free_mib in (1, 500):
        disk.free_mib = free_mib
        await asyncio.wait_for(changed.wait(), 10)
        changed.clear()
    running.cancel()


def test_a_validator_that_ran_short_follows_and_votes_again_later(tmp_path):
    stage = ValidatorStage(tmp_path)
    disk = Disk(free_mib=5)
    disk.watch = DiskWatch(
        disk.space, LIMITS, lambda paused: stage.queue.post(VotingPaused(paused))
    )
    block = stage.world.block()
    stage.receive(stage.world.proposal(block))
    stage.play()
    assert stage.outbox.sent == []
    disk.now_has(500)
    stage.play()
    assert [type(sent.message) for sent in stage.outbox.sent] == [PrepareMessage]
    disk.now_has(5)
    stage.fetch(stage.world.certified(block=block))
    stage.play()
    assert stage.committer.tip.height == 1
