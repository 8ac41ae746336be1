"""Killed or without power at every boundary: no second vote, nothing lost, the same state."""

import random
import tempfile
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest

from ledger.storage.fail_points import FailPoint
from tests.durability.crash_stage import Crashed, CrashStage, play_to_the_end, require_sound
from tests.durability.crashing_disk import CrashingStore, Left, OpenFile
from tests.support.validator_world import ValidatorWorld

ONLY_WITH_DAMAGE = {
    FailPoint.JOURNAL_TAIL_FOUND,  # test_torn_ends_are_cut_off_again_after_a_second_crash
    FailPoint.JOURNAL_TAIL_CUT,
    FailPoint.JOURNAL_SET_ASIDE,  # test_quarantine
    FailPoint.LEDGER_SET_ASIDE,  # test_damaged_ledger
    FailPoint.QUARANTINE_NOTED,  # test_quarantine
}
"""Points that a healthy disk never gets to."""

VARIANTS = tuple(Left)


@lru_cache(maxsize=1)
def transactions() -> tuple[bytes, ...]:
    world = ValidatorWorld()
    return tuple(world.transaction() for _ in range(4))


def stage_in(folder: Path) -> CrashStage:
    return CrashStage(folder, transactions())


@lru_cache(maxsize=1)
def undisturbed() -> tuple[tuple[FailPoint, ...], bytes]:
    """Every point a run without a crash reaches, and its state hash."""
    with tempfile.TemporaryDirectory() as folder:
        stage = stage_in(Path(folder))
        play_to_the_end(stage)
    require_sound(stage)
    return tuple(stage.points.reached), stage.committer.tip.commit_hash


def occurrences(points: tuple[FailPoint, ...]) -> list[tuple[FailPoint, int]]:
    """(point, n-th time it is reached) for every step of the run."""
    seen: Counter[FailPoint] = Counter()
    found = []
    for point in points:
        seen[point] += 1
        found.append((point, seen[point]))
    return found


def first_middle_last(points: tuple[FailPoint, ...]) -> list[tuple[FailPoint, int]]:
    count = Counter(points)
    return sorted((p, n) for p in count for n in {1, (count[p] + 1) // 2, count[p]})


def crash_and_go_on(
    folder: Path, at: tuple[FailPoint, int], left: Left, rng: random.Random
) -> CrashStage:
    """Play, die there, start again on what is left, and play to the end."""
    stage = stage_in(folder)
    stage.points.die_at = at
    with pytest.raises(Crashed):
        play_to_the_end(stage)
    stage.crash(left, rng)
    stage.points.die_at = None
    play_to_the_end(stage)
    return stage


def require_same_end(stage: CrashStage) -> None:
    require_sound(stage)
    assert stage.committer.tip.commit_hash == undisturbed()[1]
    assert stage.news == [], "its memory was never in doubt"


def test_at_least_twenty_points_are_passed_in_three_heights_and_no_name_is_unused():
    reached = set(undisturbed()[0])
    assert len(reached) >= 20
    assert reached | ONLY_WITH_DAMAGE == set(FailPoint)


@pytest.mark.parametrize("left", VARIANTS)
def test_a_crash_at_every_point_changes_nothing(tmp_path, left):
    for at in first_middle_last(undisturbed()[0]):
        stage = crash_and_go_on(tmp_path, at, left, random.Random(f"{at} {left}"))
        require_same_end(stage)


@pytest.mark.full
@pytest.mark.parametrize("left", VARIANTS)
def test_a_crash_at_every_occurrence_of_every_point_changes_nothing(tmp_path, left):
    for at in occurrences(undisturbed()[0]):
        for seed in range(1 if left is not Left.TORN else 5):
            stage = crash_and_go_on(tmp_path, at, left, random.Random(f"{at} {left} {seed}"))
            require_same_end(stage)


def play_with_two_crashes(folder: Path, seed: int) -> CrashStage:
    rng = random.Random(seed)
    stage = stage_in(folder)
    for _ in range(2):
        stage.points.die_at = rng.choice(occurrences(undisturbed()[0]))
        stage.points.reached.clear()
        try:
            play_to_the_end(stage)
        except Crashed:
            stage.crash(rng.choice(VARIANTS), rng)
        else:
            stage.crash(Left.EVERYTHING, rng)
    stage.points.die_at = None
    play_to_the_end(stage)
    return stage


def test_a_second_crash_while_recovering_changes_nothing(tmp_path):
    for seed in range(50):
        require_same_end(play_with_two_crashes(tmp_path, seed))


@pytest.mark.full
def test_a_second_crash_while_recovering_changes_nothing_in_many_more_cases(tmp_path):
    for seed in range(50, 2_000):
        require_same_end(play_with_two_crashes(tmp_path, seed))


@pytest.mark.parametrize("point", [FailPoint.JOURNAL_TAIL_FOUND, FailPoint.JOURNAL_TAIL_CUT])
@pytest.mark.parametrize("left", VARIANTS)
def test_torn_ends_are_cut_off_again_after_a_second_crash(tmp_path, point, left):
    """The recovery of a torn end may itself be interrupted."""
    found = 0
    for seed in range(16):
        rng = random.Random(seed)
        stage = stage_in(tmp_path)
        stage.points.die_at = (FailPoint.FRAME_WRITTEN, rng.randint(2, 18))
        with pytest.raises(Crashed):
            play_to_the_end(stage)
        stage.crash(Left.TORN, rng)
        stage.points.die_at = (point, 1)
        try:
            play_to_the_end(stage)
        except Crashed:
            found += 1
            stage.crash(left, rng)
            stage.points.die_at = None
            play_to_the_end(stage)
        require_same_end(stage)
    assert found >= 4


# -- these checks can fail ------------------------------------------------------------------------


def lost_something(folder: Path, at: FailPoint) -> bool:
    """Whether a power loss at some occurrence of a point is noticed."""
    count = Counter(undisturbed()[0])[at]
    for nth in range(1, count + 1):
        try:
            stage = crash_and_go_on(folder, (at, nth), Left.SYNCED, random.Random(nth))
            require_same_end(stage)
        except AssertionError:
            return True
    return False


def test_a_journal_that_is_not_synced_would_be_noticed(tmp_path, monkeypatch):
    assert not lost_something(tmp_path, FailPoint.SEND_AFTER)
    monkeypatch.setattr(OpenFile, "sync", lambda _file: None)
    assert lost_something(tmp_path, FailPoint.SEND_AFTER)


def test_a_block_that_is_not_synced_would_be_noticed(tmp_path, monkeypatch):
    assert not lost_something(tmp_path, FailPoint.COMMIT_ANNOUNCED)
    write = CrashingStore.write
    monkeypatch.setattr(
        CrashingStore, "write", lambda store, batch, *, sync: write(store, batch, sync=False)
    )
    assert lost_something(tmp_path, FailPoint.COMMIT_ANNOUNCED)
