"""What a validator owes to its journal after a restart."""

import pytest

from ledger.consensus.effects import (
    CommitBlock,
    CommitIntent,
    PrepareIntent,
    ProposalIntent,
    RoundChangeIntent,
    SetTimer,
    SignAndSend,
)
from ledger.consensus.events import BlockBuilt, TransactionsWaiting
from ledger.consensus.records import CommitVoted, PrepareVoted, RoundAnnounced
from ledger.consensus.recovery import recover
from ledger.errors import NodeFault
from tests.unit.consensus.scene import Scene, intents, only


@pytest.fixture
def scene():
    return Scene()


def test_an_empty_journal_owes_nothing(scene):
    assert recover([]) is None
    assert scene.restart() == []


def test_a_prepare_is_repeated_and_never_given_to_another_block(scene):
    block = scene.block("a")
    scene.receive(scene.proposal(block))
    [prepare] = intents(scene.restart(), PrepareIntent)
    assert prepare.payload.digest == block.digest
    assert intents(scene.receive(scene.proposal(scene.block("b"))), PrepareIntent) == []


def test_a_commit_is_repeated_with_its_prepare(scene):
    block = scene.block()
    scene.receive(scene.proposal(block), *scene.prepares(block))
    effects = scene.restart()
    assert [type(e.intent) for e in only(effects, SignAndSend)] == [PrepareIntent, CommitIntent]
    assert only(effects, SetTimer)
    assert only(scene.receive(*scene.commits(block)), CommitBlock)


def test_a_round_change_is_repeated_and_the_round_is_kept(scene):
    block = scene.block()
    scene.tell(TransactionsWaiting())
    scene.timeout()
    assert [i.payload.round for i in intents(scene.restart(), RoundChangeIntent)] == [1]
    assert scene.receive(scene.proposal(block)) == []


def test_a_proposal_is_repeated_and_no_other_one_is_made():
    scene = Scene(own=2)
    scene.tell(TransactionsWaiting())
    block = scene.block("a")
    scene.tell(BlockBuilt(1, 0, block))
    effects = scene.restart()
    assert [i.block for i in intents(effects, ProposalIntent)] == [block]
    scene.tell(TransactionsWaiting())
    assert scene.tell(BlockBuilt(1, 0, scene.block("b"))) == []


def test_a_death_between_the_record_of_a_proposal_and_its_signature_binds_all_the_same():
    scene = Scene(own=2)
    scene.tell(TransactionsWaiting())
    block = scene.block("a")
    scene.tell(BlockBuilt(1, 0, block))
    del scene.journal[1:]  # only `ProposalMade` reached the disk
    effects = scene.restart()
    assert [i.block for i in intents(effects, ProposalIntent)] == [block]
    assert [i.payload.digest for i in intents(effects, PrepareIntent)] == [block.digest]


def test_a_justified_proposal_is_repeated_with_its_justification():
    scene = Scene(own=3)
    scene.receive(*(scene.round_change(v, 1) for v in (1, 2, 4)))
    scene.tell(BlockBuilt(1, 1, scene.block(author=3)))
    [before] = intents(scene.seen, ProposalIntent)
    [after] = intents(scene.restart(), ProposalIntent)
    assert after == before


def test_a_journal_of_a_committed_height_owes_nothing(scene):
    block = scene.block()
    scene.receive(scene.proposal(block))
    scene.commit_durable(block)
    assert only(scene.restart(), SignAndSend) == []


def test_a_journal_ahead_of_the_chain_silences_the_node_until_the_chain_is_back(scene):
    first = scene.block()
    genesis = scene.tip
    scene.commit_durable(first)
    second = scene.block("second")
    scene.receive(scene.proposal(second))
    scene.tip = genesis  # the block store was restored from a backup
    scene.restart()
    scene.tell(TransactionsWaiting())
    scene.receive(scene.proposal(first), *scene.prepares(first))
    scene.timeout()
    assert scene.state.may_vote is False
    effects = scene.commit_durable(first)
    assert [i.payload.digest for i in intents(effects, PrepareIntent)] == [second.digest]


def test_in_quarantine_a_node_follows_without_voting(scene):
    scene.restart(vote_from_height=2)
    first = scene.block()
    effects = scene.receive(scene.proposal(first), *scene.prepares(first))
    assert only(effects, SignAndSend) == []
    assert only(scene.receive(*scene.commits(first, count=4)), CommitBlock)
    scene.commit_durable(first)
    assert intents(scene.receive(scene.proposal(scene.block("next"))), PrepareIntent)


def test_a_journal_that_goes_back_in_rounds_is_a_fault(scene):
    with pytest.raises(NodeFault, match="goes back from round 3 to 2"):
        recover([RoundAnnounced(1, 3), RoundAnnounced(1, 2)])


def test_a_journal_that_goes_back_in_heights_is_a_fault():
    with pytest.raises(NodeFault, match="goes back from height 2 to 1"):
        recover([RoundAnnounced(2, 1), RoundAnnounced(1, 2)])


def test_a_journal_that_accepts_two_blocks_in_a_round_is_a_fault(scene):
    records = [PrepareVoted(1, 0, scene.block(name)) for name in ("a", "b")]
    with pytest.raises(NodeFault, match="accepts two blocks"):
        recover(records)


def test_a_journal_that_seals_an_unknown_block_is_a_fault():
    with pytest.raises(NodeFault, match="seals an unknown block"):
        recover([CommitVoted(1, 0, b"d" * 32, ())])
