"""Old batches go into files, out of the database, and stay provable; what was edited stays."""

import csv
import stat
from pathlib import Path

import pytest

from gateway.hems.anchored_rows import READINGS
from gateway.hems.anchoring import AnchorBook, compare
from gateway.hems.retention import MS_PER_DAY, Retention, export_and_remove, proof_from, roots_in
from ledger.crypto.merkle import verify_merkle_path
from ledger.errors import InvalidMessage
from tests.unit.gateway.metering.data_service import QUARTER_MS
from tests.unit.gateway.metering.test_tampering import EDIT, MEND, Watched

FIRST = "readings-00000001.csv"


@pytest.fixture
def it() -> Watched:
    return Watched()


def old_ones(it: Watched, folder: Path) -> list[str]:
    """Export all but the newest batch of readings."""
    before_ms = it.scene.now_ms - QUARTER_MS // 2
    return [path.name for path in export_and_remove(it.book, folder, before_ms)]


def test_old_batches_are_exported_before_they_are_removed(it, tmp_path):
    assert old_ones(it, tmp_path / "old") == [FIRST, "readings-00000002.csv"]
    path = tmp_path / "old" / FIRST
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with path.open(encoding="utf-8", newline="") as file:
        assert [row["meter_id"] for row in csv.DictReader(file)] == ["m-0", "m-1", "m-2"]
    assert it.scene.stores.series.count() == 3
    assert it.compare().is_as_anchored
    assert old_ones(it, tmp_path / "old") == []
    it.quarter()
    assert it.compare().batches == 5, "new batches go on after the removed ones"


def test_a_row_of_an_export_is_proven_against_the_ledger(it, tmp_path):
    old_ones(it, tmp_path)
    proof = proof_from(tmp_path / "readings-00000002.csv", 5)
    anchored = it.ledger.anchors(READINGS)[1]
    assert (proof.batch.root, proof.batch.number) == (anchored["root"], anchored["number"])
    place = {
        "index": proof.index,
        "leaf_count": anchored["last_row"] - anchored["first_row"] + 1,
        "path": [bytes.fromhex(node) for node in proof.path],
        "root": bytes.fromhex(anchored["root"]),
    }
    assert proof.line.startswith("5|m-1|2|")
    verify_merkle_path(leaf=proof.line.encode(), **place)
    with pytest.raises(InvalidMessage):
        verify_merkle_path(leaf=proof.line.replace("m-1", "m-2").encode(), **place)
    with pytest.raises(ValueError, match="rows 4 to 6"):
        proof_from(tmp_path / "readings-00000002.csv", 7)


@pytest.mark.parametrize("harm", ["edited", "gone", "empty"])
def test_an_export_that_is_not_what_was_anchored_is_found(it, tmp_path, harm):
    old_ones(it, tmp_path)
    path, anchors = tmp_path / FIRST, it.ledger.anchors(READINGS)
    assert compare(it.book, READINGS, anchors, roots_in(tmp_path)) == []
    if harm == "gone":
        path.unlink()
    else:
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("m-1", "m-2") if harm == "edited" else "", encoding="utf-8")
    (found,) = compare(it.book, READINGS, anchors, roots_in(tmp_path))
    assert (found.series, found.number) == (READINGS, 1)
    assert "export" in found.reason


def test_an_edited_batch_is_not_removed(it, tmp_path):
    it.run(EDIT)
    assert old_ones(it, tmp_path) == [FIRST]
    assert it.scene.stores.series.count() == 6
    it.run(MEND)
    assert old_ones(it, tmp_path) == ["readings-00000002.csv"]


def test_what_is_not_anchored_yet_stays_however_old_it_is(it, tmp_path):
    it.scene.now_ms += QUARTER_MS
    it.scene.hear(*[(f"{m.meter_id}/reading", it.scene.read(m)) for m in it.meters])
    assert len(export_and_remove(it.book, tmp_path, it.scene.now_ms * 2)) == 4
    assert it.scene.stores.series.count() == 3


def test_the_setting_counts_days(it, tmp_path):
    retention = Retention(keep_days=2, folder=tmp_path)
    book = AnchorBook(it.scene.database)
    assert retention.apply(book, it.scene.now_ms + 2 * MS_PER_DAY - 2 * QUARTER_MS) == []
    assert len(retention.apply(book, it.scene.now_ms + 2 * MS_PER_DAY + 1)) == 4
    with pytest.raises(ValueError, match="one day"):
        Retention(keep_days=0, folder=tmp_path)
