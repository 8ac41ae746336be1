"""Known forks and stalls of BFT implementations, played move by move on the shipped core."""

import pytest

from ledger.consensus.messages import (
    CommitMessage,
    PrepareMessage,
    ProposalMessage,
    RoundChange,
    RoundChangeMessage,
)
from tests.scenarios.consortium import Consortium
from tests.support.unsigned_votes import (
    commit,
    header_hash,
    prepare,
    proposal,
    signed,
)
from tests.support.unsigned_votes import round_change as lockless


@pytest.mark.row("E105")
@pytest.mark.parametrize(("validators", "needed"), [(4, 3), (5, 4), (7, 5)])
def test_a_block_lists_the_seals_of_a_quorum_of_distinct_validators(validators, needed):
    consortium = Consortium(validators)
    consortium.transactions_wait()
    consortium.deliver_everything()
    for validator in consortium.honest:
        [decision] = consortium.committed[validator]
        authors = [c.signed.author for c in decision.commits]
        assert len(set(authors)) == len(authors) >= needed


@pytest.mark.row("E108")
def test_a_proposer_that_signs_two_blocks_is_evidenced_and_one_block_commits():
    consortium = Consortium(4, byzantine=[2])
    a, b = (consortium.block(2, name) for name in ("to most", "to one"))
    consortium.deliver([proposal(a, 0, 2)], [1, 3])
    consortium.deliver([proposal(b, 0, 2)], [4])
    for block in (a, b):  # and it votes for both of them, to everyone
        consortium.deliver([prepare(block, 0, 2), commit(block, 0, 2)], [1, 3, 4])
    consortium.deliver_everything()
    for validator in (1, 3, 4):
        [evidence, *_] = consortium.evidence[validator]
        assert evidence.author == 2
        digests = {evidence.first.payload.digest, evidence.second.payload.digest}
        assert digests == {a.digest, b.digest}
    assert {v: [d.block for d in consortium.committed[v]] for v in (1, 3)} == {1: [a], 3: [a]}
    assert consortium.committed[4] == [], "it never saw the block, and seals nothing else"

    consortium.fetch_block(4, source=1)
    consortium.deliver([proposal(b, 0, 2), prepare(b, 0, 2), commit(b, 0, 2)], consortium.honest)
    consortium.deliver_everything()
    tips = [consortium.cores[v].state.tip for v in consortium.honest]
    assert {(tip.height, tip.block_hash) for tip in tips} == {(1, header_hash(a.header))}
    assert [len(consortium.committed[v]) for v in consortium.honest] == [1, 1, 0]


def test_a_lock_made_before_a_jump_by_proposal_stops_the_fork():
    """Losing the lock here ends in two certificates at one height.

    1 seals A in round 0 unseen. A justified fresh proposal in round 1 takes 1 there. When round 2
    comes, 1's round change still tells of A, so whoever asks 1 cannot be made to forget it.
    """
    consortium = Consortium(4, byzantine=[3])
    consortium.transactions_wait(2)
    a = consortium.of(ProposalMessage, 2)[0].block
    consortium.deliver(consortium.of(ProposalMessage, 2), [1, 4])
    consortium.deliver([prepare(a, 0, 3), *consortium.of(PrepareMessage, 2)], [1])
    assert len(consortium.of(CommitMessage, 1)) == 1, "1 is locked on A"

    # 3, proposer of round 1, justifies a fresh block with 2 and 4, who are not locked.
    consortium.timeout(2, 4)
    certificate = [
        *(m.signed for v in (2, 4) for m in consortium.of(RoundChangeMessage, v, 1)),
        lockless(1, 3).signed,
    ]
    fresh = consortium.block(3)
    consortium.deliver([proposal(fresh, 1, 3, certificate)], [1])
    assert consortium.round_of(1) == 1

    consortium.timeout(1)
    [change] = consortium.of(RoundChangeMessage, 1, 2)
    assert change.signed.payload.prepared_digest == a.digest
    assert change.block == a


def test_a_lock_reaches_the_next_block_through_a_quorum_jump():
    """4 is carried to round 2, its own, by a quorum of round changes, and proposes A again."""
    consortium = Consortium(4)
    consortium.transactions_wait()
    a = consortium.of(ProposalMessage, 2)[0].block
    consortium.deliver(consortium.of(ProposalMessage, 2), [1, 3, 4])
    consortium.deliver([m for v in (1, 2, 3) for m in consortium.of(PrepareMessage, v)], [4])
    assert consortium.of(CommitMessage, 4), "4 is locked on A"
    consortium.timeout(1, 2, 3)
    consortium.deliver(
        [m for v in (1, 2, 3) for m in consortium.of(RoundChangeMessage, v, 1)], [1, 2, 3]
    )
    consortium.timeout(1, 2, 3)
    consortium.deliver(
        [m for v in (1, 2, 3) for m in consortium.of(RoundChangeMessage, v, 2)], [4]
    )
    [again] = consortium.of(ProposalMessage, 4, 2)
    assert again.block == a
    assert again.block.metadata.proposer == 2


def test_seals_of_two_rounds_do_not_make_a_certificate():
    """Counted together, the two seals of round 0 and the one of round 1 would commit A at 1."""
    consortium = Consortium(4, byzantine=[4])
    consortium.transactions_wait(2)
    [message] = consortium.of(ProposalMessage, 2)
    consortium.deliver([message], [1, 3])
    consortium.deliver([prepare(message.block, 0, v) for v in (4,)], [1, 2, 3])
    consortium.deliver(consortium.of(PrepareMessage, 2), [1])
    consortium.deliver([commit(message.block, 0, 4), commit(message.block, 1, 4)], [1, 3])
    consortium.deliver([commit(message.block, 1, 2)], [1])
    assert consortium.committed[1] == []


def test_a_prepare_certificate_of_another_round_is_no_certificate():
    """Prepares of round 0 offered as a lock of round 1 would outrank a true lock of round 0."""
    consortium = Consortium(4, byzantine=[4])
    a, b = consortium.block(2, "a"), consortium.block(2, "b")
    prepares = tuple(prepare(b, 0, v).signed for v in (2, 3, 4))
    claim = RoundChangeMessage(signed(RoundChange(1, 2, 1, b.digest), 4), b, prepares)
    consortium.deliver([claim], [1, 2, 3])
    assert all(consortium.rejected[v] for v in (1, 2, 3))
    certificate = [claim.signed, lockless(2, 2).signed, lockless(2, 3).signed]
    consortium.deliver([proposal(b, 2, 4, certificate, prepares)], [1])
    assert consortium.round_of(1) == 0
    assert a.digest != b.digest


def test_an_own_seal_that_comes_late_cannot_commit_alongside_a_round_change():
    """A seal counted before the prepares, and a timer handled after the decision, made a fork."""
    consortium = Consortium(4)
    consortium.transactions_wait()
    [message] = consortium.of(ProposalMessage, 2)
    consortium.deliver([message], [1, 3, 4])
    others = [commit(message.block, 0, v) for v in (3, 4)]
    consortium.deliver(others, [1])
    assert consortium.committed[1] == [], "two seals and an unprepared self are no quorum"
    consortium.timeout(1)
    consortium.deliver([m for v in (2, 3, 4) for m in consortium.of(PrepareMessage, v)], [1])
    assert consortium.of(CommitMessage, 1) == [], "no seal for a round it has left"
    consortium.deliver([commit(message.block, 0, 2)], [1])
    [decision] = consortium.committed[1]
    assert decision.round == 0, "three seals of others are a certificate, whatever the round"
    consortium.timeout(1)
    assert consortium.of(RoundChangeMessage, 1, 2) == [], "the timer of a decided height is void"


def test_validators_whose_rounds_drifted_apart_meet_again():
    """Without the jump after f + 1, capped timeouts would keep them apart for ever."""
    consortium = Consortium(4)
    consortium.transactions_wait()
    for validator, rounds in ((1, 2), (3, 5), (4, 9)):
        for _ in range(rounds):
            consortium.timeout(validator)
    last = [consortium.of(RoundChangeMessage, v, r) for v, r in ((1, 2), (3, 5), (4, 9))]
    consortium.deliver([m for messages in last for m in messages], consortium.honest)
    consortium.deliver_everything()
    for _ in range(9):
        undecided = [v for v in consortium.honest if not consortium.committed[v]]
        consortium.timeout(*(undecided if 1 in undecided else ()))
        consortium.deliver_everything()
    decisions = [consortium.committed[v][0] for v in consortium.honest if consortium.committed[v]]
    assert len(decisions) >= 3, "a fourth may have to fetch the block"
    assert len({d.block.digest for d in decisions}) == 1
    assert decisions[0].round <= 9 + 4


def test_all_validators_restart_in_the_middle_and_agree():
    consortium = Consortium(4)
    consortium.transactions_wait()
    consortium.deliver(consortium.of(ProposalMessage, 2), [1, 3, 4])
    consortium.deliver([m for v in (1, 2, 3) for m in consortium.of(PrepareMessage, v)], [1, 3])
    a = consortium.of(ProposalMessage, 2)[0].block
    for validator in consortium.honest:
        consortium.restart(validator)
    consortium.deliver_everything()
    assert [consortium.committed[v][0].block for v in consortium.honest] == [a] * 4


@pytest.mark.parametrize("dead", [1, 2, 3, 4])
def test_one_dead_validator_of_four_stops_nothing(dead):
    consortium = Consortium(4, byzantine=[dead])
    consortium.transactions_wait()
    consortium.deliver_everything()
    for _ in range(2):
        consortium.timeout(*(v for v in consortium.honest if not consortium.committed[v]))
        consortium.deliver_everything()
    assert len({consortium.committed[v][0].block.digest for v in consortium.honest}) == 1


def test_two_dead_validators_of_four_stop_everything_and_nothing_forks():
    consortium = Consortium(4, byzantine=[2, 3])
    consortium.transactions_wait()
    for _ in range(20):
        consortium.deliver_everything()
        consortium.timeout(1, 4)
    consortium.deliver_everything()
    assert consortium.committed == {}
    rounds = {consortium.round_of(v) for v in (1, 4)}
    assert rounds == {1}, "without a quorum in a round nobody runs ahead"
