"""The driver with the real core, journal and ledger: what is durable before what is sent."""

import os
from dataclasses import replace

import pytest

from ledger.consensus.limits import BASE_TIMEOUT_MS
from ledger.consensus.messages import (
    CommitMessage,
    PrepareMessage,
    ProposalMessage,
    RoundChangeMessage,
)
from ledger.consensus.records import CommitVoted, PrepareVoted, ProposalMade, RoundAnnounced
from ledger.errors import NodeFault, Reason
from ledger.model.codes import ValidationCode
from ledger.node.consensus.intents import IntentSigner
from ledger.ordering.block_building import build_block
from ledger.ordering.seals import check_certificate
from tests.unit.node.validator_stage import ValidatorStage

PROPOSER_OF_1 = 2
CENTURY_MS = 100 * 366 * 24 * 3600 * 1000


@pytest.fixture
def stage(tmp_path):
    """Validator 1 at height 1, whose proposer is validator 2."""
    return ValidatorStage(tmp_path)


@pytest.fixture
def proposing(tmp_path):
    """Validator 2, which proposes at height 1."""
    return ValidatorStage(tmp_path, own=PROPOSER_OF_1)


def quorum_of_prepares(stage, block, round_=0):
    return [stage.world.prepare(i, block, round_) for i in stage.others()[:2]]


def quorum_of_commits(stage, block, round_=0):
    return [stage.world.commit_vote(i, block, round_) for i in stage.others()[:2]]


def reasons(stage):
    return [error.reason for _, error in stage.outbox.refused]


def test_a_block_from_proposal_to_commit(stage):
    block = stage.world.block()
    stage.receive(stage.world.proposal(block))
    stage.receive(*quorum_of_prepares(stage, block), *quorum_of_commits(stage, block))
    stage.play()
    assert [b.block.number for b in stage.outbox.blocks] == [1]
    assert stage.outbox.blocks[0].validation.codes == (ValidationCode.VALID,)
    stored = stage.world.store.block(1)
    assert check_certificate(stored, stage.world.validators).round == 0
    assert stage.outbox.refused == []


def test_every_vote_is_on_disk_before_it_leaves(stage):
    block = stage.world.block()
    stage.receive(stage.world.proposal(block), *quorum_of_prepares(stage, block))
    stage.play()
    prepare, commit = stage.outbox.sent
    assert isinstance(prepare.message, PrepareMessage)
    assert prepare.records == [PrepareVoted(1, 0, block)]
    assert prepare.message.signed.payload_raw in prepare.votes[0]
    assert isinstance(commit.message, CommitMessage)
    assert [type(r) for r in commit.records] == [PrepareVoted, CommitVoted]
    assert commit.message.signed.payload_raw in commit.votes[1]


def test_a_proposal_is_on_disk_before_it_leaves(proposing):
    proposing.submit(proposing.world.transaction())
    proposing.play()
    proposal, prepare = proposing.outbox.sent
    assert isinstance(proposal.message, ProposalMessage)
    assert proposal.records == [ProposalMade(1, 0, proposal.message.block, (), ())]
    assert isinstance(prepare.message, PrepareMessage)


def test_a_record_is_durable_before_its_vote_is_signed_and_the_vote_before_it_is_sent(
    stage, monkeypatch
):
    order = []
    sync, sign = os.fdatasync, IntentSigner.sign
    monkeypatch.setattr(os, "fdatasync", lambda file: (order.append("sync"), sync(file))[1])

    def signing(signer, intent):
        order.append("sign")
        return sign(signer, intent)

    monkeypatch.setattr(IntentSigner, "sign", signing)
    monkeypatch.setattr(stage.outbox, "broadcast", lambda _message: order.append("send"))
    stage.receive(stage.world.proposal(stage.world.block()))
    stage.play()
    assert order == ["sync", "sign", "sync", "send"]


def test_an_expired_transaction_does_not_come_back_in_every_block(proposing):
    """It is recorded without its id, because its creator is nobody any more at block time."""
    late = proposing.world.transaction()
    proposing.submit(late)
    proposing.now_ms += CENTURY_MS
    proposing.play()
    block = proposing.outbox.messages(ProposalMessage)[0].block
    assert block.entries == (late,)
    proposing.receive(*quorum_of_prepares(proposing, block), *quorum_of_commits(proposing, block))
    proposing.play()
    (committed,) = proposing.outbox.blocks
    assert committed.validation.codes == (ValidationCode.BAD_CREATOR_SIGNATURE,)
    assert len(proposing.pool) == 0


def test_a_restart_sends_the_same_vote_and_no_other(stage):
    block = stage.world.block()
    stage.receive(stage.world.proposal(block), *quorum_of_prepares(stage, block))
    stage.play()
    before = [sent.message for sent in stage.outbox.sent]
    stage.start()
    stage.play()
    assert [sent.message for sent in stage.outbox.sent] == before
    rival = stage.world.block()
    stage.receive(stage.world.proposal(rival), *quorum_of_prepares(stage, rival))
    stage.play()
    assert [sent.message for sent in stage.outbox.sent] == before, "one vote for each round"


def test_a_restart_finishes_the_block_it_was_locked_on(stage):
    block = stage.world.block()
    stage.receive(stage.world.proposal(block), *quorum_of_prepares(stage, block))
    stage.play()
    stage.start()
    stage.receive(*quorum_of_commits(stage, block))
    stage.play()
    assert stage.committer.tip.height == 1


def test_a_restart_after_the_commit_forgets_the_old_votes(stage):
    block = stage.world.block()
    stage.receive(stage.world.proposal(block))
    stage.receive(*quorum_of_prepares(stage, block), *quorum_of_commits(stage, block))
    stage.play()
    stage.start()
    stage.play()
    assert stage.outbox.sent == []
    assert stage.committer.tip.height == 1


def test_the_guard_stops_a_node_that_would_contradict_itself(stage):
    """Below the core: even a core that forgot its vote cannot get a second one signed."""
    block, rival = stage.world.block(), stage.world.block()
    stage.receive(stage.world.proposal(block))
    stage.play()
    forgetful = stage.core.state.now
    forgetful.accepted = forgetful.proposal_made = None
    forgetful.votes = type(forgetful.votes)(validators=4)
    stage.receive(stage.world.proposal(rival))
    with pytest.raises(NodeFault, match="second Prepare for height 1, round 0"):
        stage.play()
    assert len(stage.outbox.sent) == 1


def test_a_journal_ahead_of_its_ledger_is_no_fault_and_keeps_its_votes(stage):
    """An older copy of the ledger came back, or a damaged one was set aside: it catches up."""
    stage.fetch(stage.world.certified())
    stage.play()
    stage.journal.restart(3)
    stage.journal.sync()
    stage.start()
    stage.receive(stage.world.proposal(stage.world.block()))
    stage.play()
    assert stage.outbox.sent == []  # height 2 is below its journal
    stage.fetch(stage.world.certified())
    stage.play()
    stage.receive(stage.world.proposal(stage.world.block()))
    stage.play()
    assert [sent.message.signed.payload.height for sent in stage.outbox.sent] == [3]
    assert stage.news == []


def test_transactions_leave_the_pool_with_their_block(proposing):
    mine, other = proposing.world.transaction(), proposing.world.transaction()
    proposing.submit(mine)
    proposing.play()
    block = proposing.outbox.messages(ProposalMessage)[0].block
    assert block.entries == (mine,)
    proposing.submit(other)
    proposing.receive(*quorum_of_prepares(proposing, block), *quorum_of_commits(proposing, block))
    proposing.play()
    assert [e.raw for e in proposing.pool.all()] == [other]


def test_nothing_is_proposed_while_nothing_waits(proposing):
    proposing.play()
    proposing.wait(10 * BASE_TIMEOUT_MS)
    assert proposing.outbox.sent == []


def test_a_late_transaction_is_proposed_at_once(proposing):
    proposing.play()
    proposing.submit(proposing.world.transaction())
    proposing.play()
    assert len(proposing.outbox.messages(ProposalMessage)) == 1


def test_the_block_interval_is_kept(tmp_path):
    stage = ValidatorStage(tmp_path, own=3, block_interval_ms=5_000)  # proposes at height 2
    stage.fetch(stage.world.certified(signers=(1, 2, 4)))
    stage.play()
    stage.submit(stage.world.transaction())
    stage.play()
    assert stage.outbox.sent == []
    stage.wait(4_999)
    assert stage.outbox.messages(ProposalMessage) == []
    stage.wait(1)
    assert len(stage.outbox.messages(ProposalMessage)) == 1


def test_a_round_that_takes_too_long_is_given_up_durably(stage):
    stage.submit(stage.world.transaction())
    stage.play()
    stage.wait(BASE_TIMEOUT_MS)
    (change,) = [s for s in stage.outbox.sent if isinstance(s.message, RoundChangeMessage)]
    assert change.records == [RoundAnnounced(1, 1)]


def test_what_waits_is_sent_again_while_nothing_is_decided(stage):
    """The others may never have got it: the proposer would wait for ever."""
    stage.play()
    stage.wait(BASE_TIMEOUT_MS)
    assert stage.outbox.stuck_times == 0, "nothing waits"
    stage.submit(stage.world.transaction())
    stage.play()
    stage.wait(BASE_TIMEOUT_MS // 2)
    assert stage.outbox.stuck_times == 1


def test_seals_that_came_before_their_block_count(stage):
    block = stage.world.block()
    stage.receive(*quorum_of_commits(stage, block))
    stage.receive(*quorum_of_prepares(stage, block))
    stage.receive(stage.world.proposal(block))
    stage.play()
    assert stage.committer.tip.height == 1


def test_an_early_seal_that_is_bad_counts_against_its_author(stage):
    block, rival = stage.world.block(), stage.world.block()
    good = stage.world.commit_vote(3, block)
    payload = good.signed.payload
    wrong_seal = stage.world.commit_vote(3, rival).signed.payload.seal
    bad = type(payload)(payload.height, 0, payload.digest, wrong_seal)
    stage.receive(CommitMessage(stage.world.signed(bad, 3), seal_verified=False))
    stage.receive(stage.world.proposal(block))
    stage.play()
    assert [(a, e.reason) for a, e in stage.outbox.refused] == [(3, Reason.BAD_SIGNATURE)]


@pytest.mark.parametrize("raw", [b"", b"\xff\xff", bytes(100)])
def test_nonsense_counts_against_whoever_sent_it(stage, raw):
    stage.queue.receive(4, raw)
    stage.play()
    assert [author for author, _ in stage.outbox.refused] == [4]
    assert stage.outbox.sent == []


def test_a_known_block_with_other_entries_is_refused(stage):
    """The id of a block covers hashes of its entries: whoever brings it again may swap them."""
    world = stage.world
    block = world.block()
    stage.receive(world.proposal(block))
    stage.play()
    swapped = type(block)(
        block.header, (world.transaction(),), block.last_config, block.metadata, block.digest
    )
    stage.receive(world.round_change(3, 1, swapped), sender=3)
    stage.play()
    assert [(a, e.reason) for a, e in stage.outbox.refused] == [(3, Reason.MALFORMED)]
    kept = stage.core.state.now.blocks[block.digest]
    assert kept.entries == block.entries


def test_a_block_that_names_another_configuration_is_refused(stage):
    block = build_block(
        tip=stage.world.tip,
        proposer=PROPOSER_OF_1,
        entries=(stage.world.transaction(),),
        last_config=7,
        now_ms=stage.now_ms,
    )
    stage.receive(stage.world.proposal(block))
    stage.play()
    assert reasons(stage) == [Reason.MALFORMED]
    assert stage.outbox.sent == []


def test_equivocation_is_kept_as_evidence(stage):
    one, two = stage.world.block(), stage.world.block()
    stage.receive(stage.world.prepare(3, one), stage.world.prepare(3, two))
    stage.play()
    assert '"author": 3' in (stage.folder / "evidence.jsonl").read_text()


def test_fetched_blocks_are_committed_in_order(stage):
    first = stage.world.certified()
    stage.fetch(first)
    stage.play()
    second = stage.world.certified()
    stage.fetch(first, second, second)
    stage.play()
    assert [b.block.number for b in stage.outbox.blocks] == [1, 2]


def test_a_fetched_block_replaces_the_vote_under_way(stage):
    block = stage.world.block()
    stage.receive(stage.world.proposal(block))
    stage.play()
    stage.fetch(stage.world.certified(block=block))
    stage.play()
    assert stage.committer.tip.height == 1
    assert stage.core.state.now.height == 2


def test_a_fetched_block_comes_before_a_timer_that_expired_meanwhile(stage):
    """A process that stood still finds both at once; the timer is of a height that is over."""
    block = stage.world.block()
    stage.receive(stage.world.proposal(block))
    stage.play()
    stage.now_ms += 2 * BASE_TIMEOUT_MS
    stage.steady_ms += 2 * BASE_TIMEOUT_MS
    stage.fetch(stage.world.certified(block=block))
    stage.play()
    assert stage.core.state.now.height == 2
    assert stage.outbox.messages(RoundChangeMessage) == []


def test_a_fetched_block_with_too_few_seals_counts_against_its_source(stage):
    stage.fetch(stage.world.certified(signers=(1, 2)), source=4)
    stage.play()
    assert [(a, e.reason) for a, e in stage.outbox.refused] == [(4, Reason.POLICY_NOT_SATISFIED)]
    assert stage.committer.tip.height == 0


def test_a_quorum_that_sealed_another_state_stops_the_node(stage):
    """This peer computed something else: going on would only spread it."""
    elsewhere = build_block(
        tip=replace(stage.world.tip, commit_hash=b"x" * 32),
        proposer=PROPOSER_OF_1,
        entries=(stage.world.transaction(),),
        last_config=0,
        now_ms=stage.now_ms,
    )
    stage.receive(stage.world.proposal(elsewhere))
    stage.receive(*[stage.world.commit_vote(i, elsewhere) for i in (2, 3, 4)])
    with pytest.raises(NodeFault, match="safety stop"):
        stage.play()
    assert stage.outbox.sent == []
    assert stage.outbox.blocks == []


def test_messages_far_ahead_ask_for_blocks(stage):
    payload = replace(stage.world.prepare(3, stage.world.block()).signed.payload, height=9)
    stage.receive(PrepareMessage(stage.world.signed(payload, 3)))
    stage.play()
    assert stage.outbox.asked == [(1, 3)]


def test_who_is_behind_is_told(stage):
    straggler = stage.world.round_change(4, 1)
    stage.fetch(stage.world.certified())
    stage.play()
    stage.receive(straggler)
    stage.play()
    assert stage.outbox.told == [4]
