"""A fork: a validator's own seal is counted before it is locked, and a late timer is obeyed.

Two mistakes that are harmless alone. With the first a validator decides a block it holds no lock
on; with the second it still sends a round change for that height, while the block is being
written to disk, and says truthfully that it is not locked. Hyperledger Besu #1734 (IBFT 2.0).

Four validators, 4 lies. Proposers of rounds 0 and 1 are 2 and 3. A is the block of round 0.

* 2: sees a quorum of prepares for A, locks it and seals it.
* 1: accepted A and has heard no prepare. The seals of 2 and 4 arrive; with its own, which it
  may not count yet, they would be three.
* 1: its round timer fires while it waits for the disk.
* 3 and 4: never saw A. With a round change of 1 that tells of no lock they are a quorum for a
  fresh block B, which 2 accepts too: it is justified.
"""

import pytest

from ledger.consensus import events as ev
from ledger.consensus.messages import (
    CommitMessage,
    PrepareMessage,
    ProposalMessage,
    RoundChangeMessage,
)
from tests.mutations.catalogue import mutation
from tests.mutations.planting import planted
from tests.scenarios.consortium import Consortium
from tests.scenarios.watch import Violation
from tests.support.unsigned_votes import commit, prepare, round_change


def story() -> Consortium:
    """What the network and 4 do; everyone else only follows its own code."""
    stage = Consortium(4, byzantine=[4], stops_at=["I1"])
    stage.slow_disks.add(1)
    stage.transactions_wait(1, 2, 3)

    # Round 0: 2 locks and seals A. 1 has A and two seals, and knows of no prepare but its own.
    [a] = stage.of(ProposalMessage, 2)
    stage.deliver([a], [1])
    stage.deliver([*stage.of(PrepareMessage, 1), prepare(a.block, 0, 4)], [2])
    stage.deliver([*stage.of(CommitMessage, 2), commit(a.block, 0, 4)], [1])

    # The round timer of 1 fires. If it has decided A, that block is on its way to the disk.
    stage.tell(1, ev.TimerExpired(ev.TimerKind.ROUND, 1, 0))
    if stage.committed[1]:
        stage.finish_import(1)

    # Round 1: with the word of 1, if it gives it, 3 may propose a fresh B.
    stage.timeout(3)
    stage.deliver([*stage.of(RoundChangeMessage, 1, 1), round_change(1, 4)], [3])
    fresh = stage.of(ProposalMessage, 3, 1)
    stage.deliver(fresh, [2])
    for message in fresh:
        stage.deliver([*stage.of(PrepareMessage, 3, 1), prepare(message.block, 1, 4)], [2])
        stage.deliver([*stage.of(PrepareMessage, 2, 1), prepare(message.block, 1, 4)], [3])
        stage.deliver([*stage.of(CommitMessage, 3, 1), commit(message.block, 1, 4)], [2])
    return stage


def test_two_seals_and_an_unlocked_self_decide_nothing():
    stage = story()
    assert stage.committed[1] == []
    assert stage.of(CommitMessage, 1) == []
    [b] = stage.of(ProposalMessage, 3, 1)
    assert [d.block for d in stage.committed[2]] == [b.block], "nobody decided A, so B may be"


@pytest.mark.parametrize("half", ["upon_vote:decide", "upon_timer:upon_timer"])
def test_either_mistake_alone_does_not_fork_this_story(half):
    with planted(edit for edit in mutation("M23").edits if edit.where.endswith(half)):
        story()


def test_with_both_mistakes_it_forks():
    with planted(mutation("M23").edits), pytest.raises(Violation, match="I1"):
        story()
