"""The consensus journal and the sign guard under crashes and damage at every byte."""

import resource
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import NodeFault
from ledger.storage.frame_log import LogDamaged
from ledger.storage.journal import RECORD_BYTES_MAX, Journal
from ledger.storage.sign_guard import VOTES_PER_HEIGHT_MAX, SignedVote, SignGuard

RECORDS = [b"first", b"", b"\x00" * 40, b"x" * 700, b"last\x00"]


def write_journal(path: Path, records: list[bytes]) -> list[int]:
    """A journal at height 7 with one record per frame; returns the file's length after each."""
    journal = Journal(path)
    journal.restart(7)
    lengths = []
    for record in records:
        journal.append_all([record])
        lengths.append(path.stat().st_size)
    journal.close()
    return lengths


def put(path: Path, content: bytes, *, mark: bytes = b"") -> None:
    """Other bytes in the journal, and in the mark that tells how much was acknowledged."""
    path.write_bytes(content)
    mark_of(path).write_bytes(mark)


def mark_of(path: Path) -> Path:
    return path.with_name("journal.mark")


def recovered(path: Path) -> list[bytes]:
    journal = Journal(path)
    records = journal.read_all()
    journal.close()
    return records


def test_records_come_back_in_order(tmp_path):
    write_journal(tmp_path / "journal", RECORDS)
    assert recovered(tmp_path / "journal") == RECORDS


def test_a_new_journal_says_so_until_something_is_durable(tmp_path):
    path = tmp_path / "journal"
    journal = Journal(path)
    assert journal.content.is_empty
    assert journal.read_all() == []
    journal.close()
    write_journal(path, [b"vote"])
    again = Journal(path)
    assert not again.content.is_empty
    assert again.height == 7
    again.close()


def test_cut_at_every_byte_loses_at_most_the_last_record(tmp_path):
    path = tmp_path / "journal"
    lengths = write_journal(path, RECORDS)
    content = path.read_bytes()
    for cut in range(len(content)):
        put(path, content[:cut])
        whole = sum(length <= cut for length in lengths)
        assert recovered(path) == RECORDS[:whole], f"cut at {cut}"
        assert path.stat().st_size == (lengths[whole - 1] if whole else 0)


def test_after_a_torn_end_the_journal_goes_on(tmp_path):
    path = tmp_path / "journal"
    lengths = write_journal(path, RECORDS)
    put(path, path.read_bytes()[: lengths[-1] - 3])
    journal = Journal(path)
    journal.append_all([b"again"])
    journal.close()
    assert recovered(path) == [*RECORDS[:-1], b"again"]


def test_flipping_any_bit_is_damage_and_named(tmp_path):
    path = tmp_path / "journal"
    lengths = write_journal(path, RECORDS)
    content = path.read_bytes()
    starts = [0, *lengths[:-1]]
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << (position % 8)
        put(path, bytes(damaged))
        frame = max(start for start in starts if start <= position)
        with pytest.raises(NodeFault, match=f"{path} is damaged at byte {frame} "):
            Journal(path)


def test_a_tail_that_was_never_written_reads_as_zeros_and_is_dropped(tmp_path):
    path = tmp_path / "journal"
    lengths = write_journal(path, [b"kept", b"y" * 2_000])
    content = path.read_bytes()
    for lost_from in (lengths[0], 512, 1_024, 1_536):
        put(path, content[:lost_from] + bytes(len(content) - lost_from))
        assert recovered(path) == [b"kept"]


def test_what_was_acknowledged_is_no_torn_end_wherever_it_is_cut(tmp_path):
    """The mark beside the journal tells; only what came after it can be torn."""
    path = tmp_path / "journal"
    write_journal(path, RECORDS[:-1])
    acknowledged, mark = path.stat().st_size, mark_of(path).read_bytes()
    first_frame_bytes = write_journal(tmp_path / "other", [b""])[0]
    journal = Journal(path)
    journal.append_all([RECORDS[-1]])
    journal.close()
    content = path.read_bytes()
    for cut in range(acknowledged, len(content)):
        put(path, content[:cut], mark=mark)
        assert recovered(path) == RECORDS[:-1]
    for cut in range(first_frame_bytes + 10, acknowledged, 7):
        put(path, content[:cut], mark=mark)
        with pytest.raises(LogDamaged, match=f"{acknowledged} bytes of it were durable"):
            Journal(path)
    put(path, content[:512] + bytes(acknowledged - 512), mark=mark)
    with pytest.raises(LogDamaged, match="were durable"):
        Journal(path)


def test_a_damaged_mark_or_that_of_another_journal_says_nothing(tmp_path):
    path = tmp_path / "journal"
    lengths = write_journal(path, RECORDS)
    content, mark = path.read_bytes(), mark_of(path).read_bytes()
    torn = content[: lengths[-1] - 1]
    damaged_marks = [mark[:n] for n in range(len(mark))]
    damaged_marks += [mark[:n] + bytes([mark[n] ^ 1]) + mark[n + 1 :] for n in range(len(mark))]
    for damaged in damaged_marks:
        put(path, torn, mark=damaged)
        assert recovered(path) == RECORDS[:-1]
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / "elsewhere" / "journal"
    write_journal(other, [b"o" * 5_000, b"o" * 5_000])
    put(path, torn, mark=mark_of(other).read_bytes())
    assert recovered(path) == RECORDS[:-1]


def test_a_record_dropped_in_the_middle_is_damage(tmp_path):
    path = tmp_path / "journal"
    lengths = write_journal(path, RECORDS)
    content = path.read_bytes()
    path.write_bytes(content[: lengths[0]] + content[lengths[1] :])
    with pytest.raises(NodeFault, match="damaged"):
        Journal(path)


def test_records_without_sync_are_durable_with_the_next_synced_write(tmp_path):
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.restart(1)
    size = path.stat().st_size
    journal.append_all([b"a", b"b"], sync=False)
    assert path.stat().st_size == size
    assert journal.read_all() == [b"a", b"b"]
    journal.append_vote(b"vote")
    journal.append_all([b"forgotten"], sync=False)
    journal.close()
    again = Journal(path)
    assert again.read_all() == [b"a", b"b"]
    assert again.read_votes() == [b"vote"]
    again.close()


def test_entries_written_together_are_found_together_or_not_at_all(tmp_path):
    path = tmp_path / "journal"
    (before,) = write_journal(path, [b"before"])
    journal = Journal(path)
    journal.append_all([b"a" * 50, b"b" * 50])
    journal.close()
    content = path.read_bytes()
    for cut in range(before, len(content)):
        put(path, content[:cut])
        assert recovered(path) == [b"before"]


def test_restart_forgets_lower_heights_and_only_those(tmp_path):
    path = tmp_path / "journal"
    write_journal(path, [b"of height 7"])
    journal = Journal(path)
    journal.restart(7)
    assert journal.read_all() == [b"of height 7"]
    journal.restart(8)
    assert journal.read_all() == []
    journal.append_all([b"of height 8"])
    journal.close()
    assert recovered(path) == [b"of height 8"]


def test_a_ledger_that_is_behind_takes_no_votes_away(tmp_path):
    write_journal(tmp_path / "journal", [b"vote"])
    journal = Journal(tmp_path / "journal")
    journal.restart(6)
    assert (journal.height, journal.read_all()) == (7, [b"vote"])
    journal.close()


def test_a_long_journal_is_replaced_at_the_next_height(tmp_path):
    path = tmp_path / "journal"
    journal = Journal(path, rotation_bytes=1_000)
    for height in range(1, 30):
        journal.restart(height)
        journal.append_all([b"r" * 300])
        assert path.stat().st_size < 1_000 + 2 * 400
    journal.close()
    again = Journal(path)
    assert (again.height, again.read_all()) == (29, [b"r" * 300])
    again.close()


def test_a_crash_while_rotating_leaves_the_old_journal(tmp_path):
    path = tmp_path / "journal"
    write_journal(path, [b"kept"])
    path.with_suffix(".fresh").write_bytes(b"half a new file")
    assert recovered(path) == [b"kept"]
    journal = Journal(path, rotation_bytes=1)
    journal.restart(8)
    journal.append_all([b"new"])
    journal.close()
    assert recovered(path) == [b"new"]


def test_two_processes_cannot_share_a_journal(tmp_path):
    journal = Journal(tmp_path / "journal")
    with pytest.raises(NodeFault, match="cannot open the journal"):
        Journal(tmp_path / "journal")
    journal.close()


def test_after_a_failed_write_the_journal_refuses_and_keeps_what_was_durable(tmp_path):
    path = tmp_path / "journal"
    (length,) = write_journal(path, [b"kept"])
    journal = Journal(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length + 30, hard))  # the disk is full there
    try:
        with pytest.raises(NodeFault, match="cannot append"):
            journal.append_all([b"x" * 100])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with pytest.raises(NodeFault, match="failed before"):
        journal.append_all([b"small"])
    assert path.stat().st_size == length + 30
    journal.close()
    assert recovered(path) == [b"kept"]


def test_an_oversized_record_is_refused(tmp_path):
    journal = Journal(tmp_path / "journal")
    with pytest.raises(NodeFault, match="too long"):
        journal.append_all([bytes(RECORD_BYTES_MAX + 1)])
    journal.close()


# -- sign guard -----------------------------------------------------------------------------------


class Key:
    """Signs differently every time, as ECDSA does."""

    def __init__(self) -> None:
        self.signed: list[bytes] = []

    def __call__(self, payload: bytes) -> bytes:
        self.signed.append(payload)
        return b"signature %d" % len(self.signed)


def ask(guard: SignGuard, key: Key, height=7, round_=0, kind="Prepare", digest=b"A") -> SignedVote:
    return guard.sign_once(
        height=height,
        round_=round_,
        kind=kind,
        digest=digest,
        payload=b"payload %d" % len(key.signed),
        sign=key,
    )


def test_the_same_vote_is_given_again_byte_for_byte_even_after_a_restart(tmp_path):
    key = Key()
    journal = Journal(tmp_path / "journal")
    first = ask(SignGuard(journal), key)
    journal.close()
    journal = Journal(tmp_path / "journal")
    again = ask(SignGuard(journal), key)
    assert again == first
    assert key.signed == [first.payload]
    journal.close()


def test_a_second_vote_for_a_slot_is_refused_even_after_a_restart(tmp_path):
    key = Key()
    journal = Journal(tmp_path / "journal")
    guard = SignGuard(journal)
    ask(guard, key, digest=b"A")
    with pytest.raises(NodeFault, match="second Prepare"):
        ask(guard, key, digest=b"B")
    journal.close()
    journal = Journal(tmp_path / "journal")
    with pytest.raises(NodeFault, match="second Prepare"):
        ask(SignGuard(journal), key, digest=b"B")
    assert len(key.signed) == 1
    journal.close()


def test_kinds_and_later_rounds_and_heights_are_slots_of_their_own(tmp_path):
    key = Key()
    journal = Journal(tmp_path / "journal")
    guard = SignGuard(journal)
    for height, round_, kind in [(7, 0, "Prepare"), (7, 0, "Commit"), (7, 2, "RoundChange")]:
        ask(guard, key, height, round_, kind, digest=kind.encode())
    ask(guard, key, 8, 0, "Prepare")
    assert len(key.signed) == 4
    journal.close()


@pytest.mark.parametrize(("height", "round_"), [(7, 1), (6, 9)])
def test_going_back_is_refused(tmp_path, height, round_):
    key = Key()
    journal = Journal(tmp_path / "journal")
    guard = SignGuard(journal)
    ask(guard, key, 7, 2)
    with pytest.raises(NodeFault, match="already at height 7, round 2"):
        ask(guard, key, height, round_)
    journal.close()
    journal = Journal(tmp_path / "journal")
    with pytest.raises(NodeFault, match="already at height 7, round 2"):
        ask(SignGuard(journal), key, height, round_)
    journal.close()


def test_a_finished_height_is_closed(tmp_path):
    journal = Journal(tmp_path / "journal")
    guard = SignGuard(journal)
    journal.restart(9)
    with pytest.raises(NodeFault, match="already at height 9"):
        ask(guard, Key(), height=8)
    journal.close()


def test_a_vote_is_durable_before_its_signature_is_given_out(tmp_path):
    path = tmp_path / "journal"
    journal = Journal(path)
    key = Key()
    vote = ask(SignGuard(journal), key)
    # The process dies here: nothing is closed, and only the file remains.
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())
    survivor = Journal(copy)
    assert ask(SignGuard(survivor), key) == vote
    survivor.close()
    journal.close()


def test_a_vote_whose_writing_fails_is_never_given_out(tmp_path):
    journal = Journal(tmp_path / "journal")
    guard = SignGuard(journal)
    journal.close()
    with pytest.raises(NodeFault):
        ask(guard, Key())


def test_memory_of_a_long_dispute_is_bounded(tmp_path):
    journal = Journal(tmp_path / "journal")
    guard, key = SignGuard(journal), Key()
    for round_ in range(VOTES_PER_HEIGHT_MAX + 10):
        guard.sign_once(
            height=1,
            round_=round_,
            kind="RoundChange",
            digest=b"",
            payload=b"",
            sign=key,
            sync=False,
        )
    with pytest.raises(NodeFault, match="already at"):
        ask(guard, key, height=1, round_=0, kind="RoundChange", digest=b"")
    journal.close()


ASKS = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(0, 2),
        st.sampled_from(["Prepare", "Commit"]),
        st.sampled_from([b"A", b"B"]),
        st.booleans(),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(asks=ASKS)
def test_whatever_is_asked_with_crashes_between_no_slot_is_signed_twice(tmp_path_factory, asks):
    path = tmp_path_factory.mktemp("guard") / "journal"
    key, given_out = Key(), {}
    journal = Journal(path)
    guard = SignGuard(journal)
    for height, round_, kind, digest, crash in asks:
        if crash:
            journal.close()
            journal = Journal(path)
            guard = SignGuard(journal)
        try:
            vote = ask(guard, key, height, round_, kind, digest)
        except NodeFault:
            continue
        assert vote.digest == digest
        assert given_out.setdefault((height, round_, kind), vote) == vote
    journal.close()
