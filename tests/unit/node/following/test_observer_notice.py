"""What the operator reads about a validator that does not vote."""

from pathlib import Path

import pytest

from ledger.errors import NodeFault
from ledger.node.following.observer_notice import NOTICE_FILE, ObserverNotice
from ledger.storage.journal import Journal


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "journal")
    yield made
    made.close()


def test_nothing_stands_there_while_the_memory_is_whole(tmp_path, journal):
    (tmp_path / NOTICE_FILE).write_text("of an earlier run")
    notice = ObserverNotice(tmp_path, journal, next_height=5)
    assert not notice.is_observing
    assert not (tmp_path / NOTICE_FILE).exists()


def test_the_state_and_its_cause_stand_there_until_it_is_over(tmp_path, journal, caplog):
    journal.note_boot(1, genesis_hash=b"g", lost="a new disk")
    notice = ObserverNotice(tmp_path, journal, next_height=5)
    assert notice.is_observing
    assert (tmp_path / NOTICE_FILE).read_text().endswith("why: a new disk\n")
    notice.tell("observer: votes again from height 9")
    assert "from height 9; why: a new disk" in (tmp_path / NOTICE_FILE).read_text()
    notice.tell("")
    assert not notice.is_observing
    assert not (tmp_path / NOTICE_FILE).exists()
    assert "votes again" in caplog.text


def test_a_notice_that_cannot_be_written_is_a_fault(journal):
    journal.note_boot(1, genesis_hash=b"g", lost="a new disk")
    with pytest.raises(NodeFault, match="cannot write"):
        ObserverNotice(Path("/no/such/folder"), journal, next_height=1)
