"""What a journal's entries mean, and what a new file takes over from the old one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.storage.frame_log import LogDamaged
from ledger.storage.journal import Journal
from ledger.storage.journal_entries import (
    QUARANTINE_CAUSE_BYTES_MAX,
    Boot,
    EntryKind,
    JournalContent,
    QuarantineNote,
    birth_entry,
    boot_entry,
    decode_entries,
    encode_entries,
    height_entry,
    quarantine_entry,
)

ENTRIES = [
    birth_entry(b"g" * 32),
    boot_entry(Boot(3, (2**40, -5))),
    quarantine_entry(QuarantineNote("the disk is new", None)),
    height_entry(7),
    (EntryKind.RECORD, b"record"),
    (EntryKind.VOTE, b"vote"),
]


def content_of(entries) -> JournalContent:
    content = JournalContent()
    for entry in entries:
        content.note(entry)
    return content


def test_entries_come_back_and_fold_into_what_counts():
    assert decode_entries(encode_entries(ENTRIES)) == ENTRIES
    content = content_of(ENTRIES)
    assert content.genesis_hash == b"g" * 32
    assert content.boot == Boot(3, (2**40, -5))
    assert content.quarantine == QuarantineNote("the disk is new", None)
    assert (content.height, content.records, content.votes) == (7, [b"record"], [b"vote"])


def test_trust_begins_where_the_quarantine_ends():
    assert content_of([]).is_trusted_at(1)
    undecided = content_of([quarantine_entry(QuarantineNote("lost", None))])
    assert not undecided.is_trusted_at(10**9)
    decided = content_of([quarantine_entry(QuarantineNote("lost", 5))])
    assert [decided.is_trusted_at(height) for height in (4, 5, 6)] == [False, True, True]


def test_a_new_file_keeps_all_but_the_records_and_a_quarantine_that_is_over():
    for vote_from, is_kept in ((None, True), (9, True), (8, False)):
        note = QuarantineNote("lost", vote_from, b"s" * 32)
        content = content_of([*ENTRIES, quarantine_entry(note)])
        carried = content_of(content.carried_to((11, 12), 8))
        assert carried.genesis_hash == b"g" * 32
        assert carried.boot == Boot(3, (11, 12))
        assert carried.quarantine == (note if is_kept else None)
        assert (carried.height, carried.records, carried.votes) == (8, [], [])


def test_a_rotated_journal_knows_its_own_file(tmp_path):
    journal = Journal(tmp_path / "journal", rotation_bytes=1)
    journal.note_boot(1, genesis_hash=b"g", lost="a new disk")
    before = journal.identity()
    journal.restart(1)
    assert journal.identity() != before
    assert journal.content.boot.file == before  # of this process; the file says the new one
    journal.close()
    again = Journal(tmp_path / "journal")
    assert again.content.boot.file == again.identity()
    assert again.content.quarantine == QuarantineNote("a new disk", None)
    again.note_quarantine(4, set_hash=b"s")
    assert again.content.quarantine == QuarantineNote("a new disk", 4, b"s")
    again.close()


def test_a_long_cause_is_cut():
    content = content_of([quarantine_entry(QuarantineNote("é" * 5_000, None))])
    assert len(content.quarantine.cause.encode()) <= QUARANTINE_CAUSE_BYTES_MAX + 2


@pytest.mark.parametrize(
    "entry",
    [
        (EntryKind.HEIGHT, b"\x00"),
        (EntryKind.BOOT, b""),
        (EntryKind.BOOT, bytes(25)),
        (EntryKind.QUARANTINE, b"1234567"),
    ],
)
def test_an_entry_of_the_wrong_length_is_damage(entry):
    with pytest.raises(LogDamaged):
        content_of([entry])


@given(st.binary(max_size=60))
def test_any_bytes_are_entries_or_damage(payload):
    try:
        entries = decode_entries(payload)
    except LogDamaged:
        return
    assert encode_entries(entries) == payload
