"""The page on snapshots names every problem."""

import re
from pathlib import Path

from ledger.storage.snapshot_errors import SnapshotProblem

PAGE = Path(__file__).parents[4] / "docs" / "snapshots.md"


def test_every_problem_is_explained():
    section = PAGE.read_text(encoding="utf-8").split("## When a snapshot is refused\n", 1)[1]
    named = set(re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE))
    assert named == {problem.value for problem in SnapshotProblem}
