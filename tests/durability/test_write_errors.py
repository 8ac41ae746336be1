"""Every operation of the disk fails once: a clean stop, and a safe start on what is left."""

import os
import random
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from ledger.errors import NodeFault
from ledger.node.consensus.evidence_log import EVIDENCE_BYTES_MAX, KEPT_PER_AUTHOR_MAX, EvidenceLog
from tests.durability.crash_stage import CrashStage, play_to_the_end, require_sound
from tests.durability.crashing_disk import Left
from tests.durability.failing_disk import FailingDisk
from tests.durability.real_stage import transactions
from tests.support.validator_world import ValidatorWorld

ROOT = Path(__file__).resolve().parents[2]


def stage_in(folder: Path) -> CrashStage:
    return CrashStage(folder, transactions(), disk=FailingDisk())


@lru_cache(maxsize=1)
def undisturbed(folder: Path) -> tuple[tuple[str, ...], bytes]:
    """Every operation after the birth of the journal, and the state at the end."""
    stage = stage_in(folder)
    begun = stage.disk.faults.count
    play_to_the_end(stage)
    return tuple(stage.disk.faults.names[begun:]), stage.committer.tip.commit_hash


def fails_and_goes_on(
    folder: Path, nth: int, left: Left, *, keeps_failed_batch: bool = False
) -> CrashStage:
    stage = stage_in(folder)
    faults = stage.disk.faults
    stage.disk.kv.keeps_failed_batch = keeps_failed_batch
    faults.fails_at = faults.count + nth
    with pytest.raises(NodeFault, match="cannot"):
        play_to_the_end(stage)
    stage.crash(left, random.Random(nth))
    faults.fails_at = 0
    play_to_the_end(stage)
    return stage


def test_the_run_has_every_kind_of_operation(tmp_path):
    kinds = {name.split()[0] for name in undisturbed(tmp_path)[0]}
    assert kinds >= {"open", "read", "append", "sync", "cut", "rename", "overwrite", "write"}


@pytest.mark.parametrize("left", [Left.EVERYTHING, Left.TORN])
@pytest.mark.parametrize("keeps_failed_batch", [False, True])
def test_each_failed_operation_is_a_clean_stop_and_a_safe_resume(
    tmp_path, left, keeps_failed_batch
):
    names, state = undisturbed(tmp_path)
    step = 1 if left is Left.EVERYTHING else 3
    for nth in range(1, len(names) + 1, step):
        if keeps_failed_batch and not names[nth - 1].startswith("write"):
            continue
        stage = fails_and_goes_on(tmp_path, nth, left, keeps_failed_batch=keeps_failed_batch)
        require_sound(stage)
        assert stage.committer.tip.commit_hash == state, names[nth - 1]
        assert stage.news == []


# -- really no space left -------------------------------------------------------------------------


def can_mount() -> bool:
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=64k", "t", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not can_mount(), reason="this user may not mount a tmpfs (unshare -rm)")
def test_a_disk_that_is_really_full_at_many_sizes(tmp_path):
    """A small tmpfs: journal, LevelDB and rotation meet ENOSPC wherever it happens to fall."""
    command = ["unshare", "-rm", sys.executable, "-m", "tests.durability.full_disk", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    stopped, finished = map(int, done.stdout.split()[-2:])
    assert stopped >= 8
    assert finished >= 1


# -- evidence -------------------------------------------------------------------------------------


def vote(author: int):
    world = ValidatorWorld()
    return world.prepare(author, world.block()).signed


def test_evidence_that_cannot_be_written_stops_the_node():
    with pytest.raises(NodeFault, match="cannot write evidence"):
        EvidenceLog(Path("/dev/full")).record(3, vote(3), vote(3))


def test_evidence_after_a_torn_line_stands_on_a_line_of_its_own(tmp_path):
    path = tmp_path / "evidence.jsonl"
    path.write_bytes(b'{"author": 1')
    EvidenceLog(path).record(3, vote(3), vote(3))
    EvidenceLog(path).record(4, vote(4), vote(4))
    lines = path.read_text().splitlines()
    assert [line[:12] for line in lines] == ['{"author": 1', '{"author": 3', '{"author": 4']


def test_whoever_equivocates_again_and_again_costs_no_more_syncs(tmp_path, monkeypatch):
    path = tmp_path / "evidence.jsonl"
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    log = EvidenceLog(path)
    for _ in range(3 * KEPT_PER_AUTHOR_MAX):
        log.record(3, vote(3), vote(3))
    log.record(4, vote(4), vote(4))
    assert len(synced) == len(path.read_text().splitlines()) == KEPT_PER_AUTHOR_MAX + 1
    assert log.findings == {3: 3 * KEPT_PER_AUTHOR_MAX, 4: 1}


def test_evidence_is_bounded(tmp_path):
    path = tmp_path / "evidence.jsonl"
    path.write_bytes(b"\n" * EVIDENCE_BYTES_MAX)
    EvidenceLog(path).record(3, vote(3), vote(3))
    assert path.stat().st_size == EVIDENCE_BYTES_MAX
