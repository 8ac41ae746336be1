"""A validator that lost the memory of its votes observes, and says so; one that did not, votes."""

import shutil
import subprocess

import pytest

from ledger.consensus.messages import PrepareMessage, RoundChange, RoundChangeMessage
from ledger.consensus.quarantine import NEVER
from ledger.errors import NodeFault
from ledger.storage.fail_points import FailPoint
from ledger.storage.journal import Journal, begin_journal
from ledger.storage.leveldb import LevelDbStore
from ledger.storage.opening import DATABASE_FOLDER
from tests.durability.crash_stage import OTHERS, Crashed
from tests.durability.real_stage import RealStage


@pytest.fixture
def stage(tmp_path):
    made = RealStage(tmp_path)
    yield made
    made.stop()


def observes_until_it_cannot_matter(stage: RealStage, *, newest: int) -> None:
    """The whole way back: no vote, heads, M + 3, votes again. The others are at `newest`."""
    assert stage.is_observing
    sent = len(stage.sent)
    stage.others_decide(newest - stage.committer.tip.height)
    stage.claim(dict.fromkeys((1, 2, 4), newest))
    vote_from = newest + 3
    assert stage.journal.content.quarantine.vote_from == vote_from
    while stage.height < vote_from:
        if stage.height % 4 != 2:  # at those heights it would be the proposer itself
            assert not stage.is_asked_and_votes()
        stage.others_decide()
    assert not stage.is_observing
    assert stage.news[-1] == ""
    assert len(stage.sent) == sent
    if stage.height % 4 == 2:
        stage.others_decide()
    assert stage.is_asked_and_votes()


def overwrite(stage: RealStage, content: bytes, *, mark: bool = True) -> None:
    """The same file with other bytes, with or without the mark that tells its length."""
    if not mark:
        (stage.data / "journal.mark").unlink()
    with (stage.data / "journal").open("r+b") as file:
        file.truncate(0)
        file.write(content)


def locked_round_change(stage: RealStage, vote: PrepareMessage) -> RoundChangeMessage:
    """Another validator gives up round 0; among the prepares of its lock is our `vote`."""
    block = next(reversed(stage.blocks.values()))
    others = [stage.world.prepare(i, block).signed for i in OTHERS[:2]]
    claim = RoundChange(block.height, 1, 0, block.digest)
    return RoundChangeMessage(stage.world.signed(claim, OTHERS[0]), block, (vote.signed, *others))


def cause_of(stage: RealStage) -> str:
    return stage.journal.content.quarantine.cause


# -- memory that is whole -------------------------------------------------------------------------


def test_the_first_start_of_all_just_works(stage):
    assert not stage.is_observing
    assert stage.is_asked_and_votes()


def test_so_does_every_later_one(stage):
    stage.decide()
    for _ in range(3):
        stage.restart()
        assert not stage.is_observing
    stage.others_decide()
    assert stage.is_asked_and_votes()
    assert stage.journal.content.boot.epoch == 4


def test_a_rotated_journal_is_still_the_same(tmp_path):
    stage = RealStage(tmp_path, rotation_bytes=1)
    stage.decide()
    stage.others_decide()
    stage.restart()
    assert not stage.is_observing
    assert stage.is_asked_and_votes()
    stage.stop()


def test_moving_the_folder_and_changing_its_rights_is_no_copy(stage):
    stage.decide()
    stage.stop()
    stage.data.chmod(0o700)
    (stage.data / "journal").chmod(0o400)
    (stage.data / "journal").chmod(0o600)
    moved = stage.data.rename(stage.data.with_name("moved"))
    moved.rename(stage.data)
    stage.start()
    assert not stage.is_observing


def test_an_older_or_lost_ledger_beside_a_whole_journal_is_caught_up_without_doubt(stage):
    stage.decide()
    stage.others_decide(2)
    assert stage.is_asked_and_votes()  # height 4
    stage.stop()
    shutil.rmtree(stage.data / DATABASE_FOLDER)
    stage.start()
    assert not stage.is_observing
    assert stage.height == 1
    assert not stage.is_asked_and_votes()  # below what it has voted for
    sent = len(stage.sent)
    stage.others_decide(1, sealed_by=(1, 2, 3))  # an old block with its own seal is no surprise
    stage.others_decide(2)
    assert [m.signed.payload.height for m in stage.sent[sent:]] == [4]  # the same vote again
    assert not stage.is_observing


# -- memory that is not ---------------------------------------------------------------------------


def test_a_deleted_journal(stage):
    stage.decide()
    stage.stop()
    (stage.data / "journal").unlink()
    stage.start()
    assert "is missing" in cause_of(stage)
    observes_until_it_cannot_matter(stage, newest=1)


def test_a_deleted_journal_before_the_first_block(stage):
    assert stage.is_asked_and_votes()
    stage.stop()
    (stage.data / "journal").unlink()
    stage.start()
    observes_until_it_cannot_matter(stage, newest=1)


def test_a_deleted_data_folder(stage):
    stage.decide()
    stage.others_decide(2)
    assert stage.is_asked_and_votes()
    stage.stop()
    shutil.rmtree(stage.data)
    stage.start()
    assert "is missing" in cause_of(stage)
    observes_until_it_cannot_matter(stage, newest=3)


def test_a_folder_restored_from_an_older_copy(stage, tmp_path):
    stage.decide()
    stage.stop()
    stage.copy_to(tmp_path / "backup")
    stage.start()
    stage.others_decide(2)
    assert stage.is_asked_and_votes()  # at height 4, which the copy does not know
    stage.stop()
    stage.restore_from(tmp_path / "backup")
    stage.start()
    assert "is a copy" in cause_of(stage)
    observes_until_it_cannot_matter(stage, newest=4)


def test_a_journal_overwritten_in_place_by_an_older_copy(stage):
    """Same file, older content: the ledger remembers more starts than the journal."""
    stage.stop()
    old = (stage.data / "journal").read_bytes()
    stage.start()
    stage.decide()
    stage.stop()
    overwrite(stage, old, mark=False)
    stage.start()
    assert "is older than the ledger" in cause_of(stage)
    observes_until_it_cannot_matter(stage, newest=1)


def test_a_journal_older_than_a_seal_in_the_ledger(stage):
    """Put back in place within one run: the ledger holds a seal that the journal lacks."""
    old = (stage.data / "journal").read_bytes()
    stage.decide()
    stage.stop()
    overwrite(stage, old, mark=False)
    stage.start()
    assert stage.is_observing
    assert "carries a seal" in cause_of(stage)


def test_an_image_put_back_below_the_file_system_shows_when_a_forgotten_seal_comes(stage):
    """Ledger and journal fit each other; only what the others have shows that they are old."""
    stage.others_decide()
    stage.others_decide()
    assert not stage.is_observing
    stage.others_decide(1, sealed_by=(1, 2, 3))
    assert stage.is_observing
    assert "does not remember" in cause_of(stage)
    assert not stage.is_asked_and_votes()
    stage.restart()
    assert stage.is_observing
    observes_until_it_cannot_matter(stage, newest=4)


@pytest.mark.parametrize("what", ["the vote itself", "a justification that holds it"])
def test_a_copy_written_into_the_files_shows_when_a_forgotten_vote_comes(stage, tmp_path, what):
    """`cp` over them keeps inode and generation of the journal; ledger and mark fit it."""
    stage.stop()
    stage.copy_to(tmp_path / "backup")
    stage.start()
    assert stage.is_asked_and_votes()
    vote = stage.sent[-1]
    stage.stop()
    shutil.rmtree(stage.data / DATABASE_FOLDER)  # else LevelDB reads newer files on, and tells
    subprocess.run(["cp", "-a", f"{tmp_path / 'backup'}/.", str(stage.data)], check=True)
    stage.start()
    assert not stage.is_observing, "nothing on the disk can tell"
    if what == "the vote itself":
        stage.receive(vote)
    else:
        stage.receive(locked_round_change(stage, vote))
    assert stage.is_observing
    assert "Prepare for height 1, round 0 carries a signature of this validator" in cause_of(stage)
    stage.restart()
    observes_until_it_cannot_matter(stage, newest=3)


def test_what_it_signed_itself_comes_back_without_harm(stage):
    """Also after a restart, when its height is over, and in the justification of another."""
    assert stage.is_asked_and_votes()
    vote = stage.sent[-1]
    for _ in range(2):
        stage.receive(vote, locked_round_change(stage, vote))
        assert not stage.is_observing
        stage.restart()
    stage.others_decide()
    stage.receive(vote)
    assert not stage.is_observing


def test_of_two_instances_the_copy_observes_and_a_second_on_one_folder_is_refused(stage, tmp_path):
    stage.decide()
    with pytest.raises(NodeFault, match="another process"):
        LevelDbStore(stage.data / DATABASE_FOLDER)
    with pytest.raises(NodeFault, match="cannot open the journal"):
        Journal(stage.data / "journal")
    stage.stop()
    stage.copy_to(tmp_path / "copy")
    copy = RealStage.__new__(RealStage)
    copy.__dict__.update(stage.__dict__)
    copy.data = tmp_path / "copy"
    copy.journal_path = copy.data / "journal"
    copy.disk = type(stage.disk)(copy.data)
    copy.sent, copy.news = [], []
    stage.start()
    copy.start()
    assert (stage.is_observing, copy.is_observing) == (False, True)
    copy.others_decide()
    assert not copy.is_asked_and_votes()
    copy.stop()


def test_the_journal_of_another_ledger_is_refused(stage):
    stage.stop()
    (stage.data / "journal").unlink()
    begin_journal(stage.data / "journal", genesis_hash=b"another")
    with pytest.raises(NodeFault, match="another ledger's validator"):
        stage.start()
    (stage.data / "journal").unlink()
    stage.start()


def test_a_journal_begins_only_once(stage):
    with pytest.raises(NodeFault, match="begins only once"):
        begin_journal(stage.data / "journal", genesis_hash=b"")


# -- damage ---------------------------------------------------------------------------------------


def flip(stage: RealStage, position: int) -> bytes:
    content = bytearray((stage.data / "journal").read_bytes())
    content[position] ^= 0x10
    overwrite(stage, bytes(content))
    return bytes(content)


def test_damage_in_the_middle_is_named_and_set_aside_and_the_validator_observes(stage):
    stage.decide()
    stage.stop()
    damaged = flip(stage, 40)
    stage.start()
    assert "is damaged at byte" in cause_of(stage)
    assert "kept as journal.damaged-1" in cause_of(stage)
    assert (stage.data / "journal.damaged-1").read_bytes() == damaged
    stage.stop()
    again = flip(stage, 20)
    stage.start()
    assert (stage.data / "journal.damaged-1").read_bytes() == damaged
    assert (stage.data / "journal.damaged-2").read_bytes() == again
    observes_until_it_cannot_matter(stage, newest=1)


def test_an_acknowledged_last_record_that_is_damaged_is_no_torn_end(stage):
    stage.decide()
    stage.others_decide()
    assert stage.is_asked_and_votes()
    stage.stop()
    flip(stage, (stage.data / "journal").stat().st_size - 10)
    stage.start()
    assert "is damaged at byte" in cause_of(stage)
    assert stage.is_observing


@pytest.mark.parametrize("lost_bytes", [1, 30, 3_000])
def test_a_shorter_journal_than_was_acknowledged_is_damage(stage, lost_bytes):
    """Cut off by whatever: a torn end is what was never acknowledged, and nothing else."""
    stage.decide()
    stage.stop()
    content = (stage.data / "journal").read_bytes()
    overwrite(stage, content[:-lost_bytes])
    stage.start()
    assert f"{len(content)} bytes of it were durable" in cause_of(stage)
    observes_until_it_cannot_matter(stage, newest=1)


def test_records_that_no_validator_can_have_written_are_set_aside_too(stage):
    stage.others_decide()
    stage.journal.append_all([b"no record of ours"])
    stage.restart()
    assert "cannot be decoded" in cause_of(stage)
    assert stage.is_observing


# -- crashes while in quarantine ------------------------------------------------------------------


@pytest.mark.parametrize("point", [FailPoint.JOURNAL_SET_ASIDE, FailPoint.BOOT_NOTED])
def test_a_crash_while_entering_quarantine_does_not_lose_it(stage, point):
    stage.decide()
    stage.stop()
    flip(stage, 40)
    stage.points.die_at = (point, stage.points.reached.count(point) + 1)
    with pytest.raises(Crashed):
        stage.start()
    stage.start()
    observes_until_it_cannot_matter(stage, newest=1)


def test_a_crash_in_quarantine_does_not_lose_it(stage):
    stage.decide()
    stage.stop()
    (stage.data / "journal").unlink()
    stage.start()
    stage.claim({1: 1, 2: 1})
    stage.restart()
    assert stage.is_observing
    assert stage.core.state.vote_from_height == NEVER, "claims of an earlier run do not count"
    point = FailPoint.QUARANTINE_NOTED
    stage.points.die_at = (point, stage.points.reached.count(point) + 1)
    with pytest.raises(Crashed):
        stage.claim({1: 1, 2: 1, 4: 1})
    stage.restart()
    assert stage.core.state.vote_from_height == 4
    assert "votes again from height 4" in stage.news[-1]
    stage.others_decide(2)
    assert stage.is_asked_and_votes()


# -- others that lie, or are gone -----------------------------------------------------------------


def test_one_of_three_that_claims_a_mountain_keeps_it_observing_and_is_named(stage):
    stage.stop()
    (stage.data / "journal").unlink()
    stage.start()
    stage.claim({1: 0, 2: 0, 4: 10**9})
    stage.others_decide(3)
    assert stage.is_observing
    assert "consenter 4 claims block 1000000000" in stage.news[-1]
    stage.claim({4: 3})
    assert stage.journal.content.quarantine.vote_from == 6


def test_when_more_than_f_lost_their_memory_it_stays_and_says_so(stage):
    stage.stop()
    (stage.data / "journal").unlink()
    stage.start()
    stage.claim({1: 0}, observes=True)
    stage.claim({2: 0, 4: 0})
    assert stage.is_observing
    assert "an operator must decide" in stage.news[-1]


def test_inode_numbers_that_are_used_again_do_not_hide_a_copy(stage, tmp_path):
    stage.decide()
    stage.stop()
    stage.copy_to(tmp_path / "backup")
    for _ in range(20):
        stage.restore_from(tmp_path / "backup")
        stage.start()
        assert stage.is_observing
        stage.stop()
    stage.start()
