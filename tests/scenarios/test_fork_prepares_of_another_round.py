"""A fork: the prepares that prove a lock are not checked to be of the round it claims.

Real prepares of an old round, kept by a liar, then pass for a lock of any later round, and the
highest lock decides what is proposed. (With the digest unchecked instead of the round, prepares
for one block pass for a lock on another: the same story ends the same way.)

Four validators, 4 lies. Proposers of rounds 0 to 3 are 2, 3, 4, 1.

* Round 0: 1 and 2 prepare A, but only 4 hears it: with its own it now holds a true proof that
  A was prepared in round 0, and nobody is locked.
* Round 1: everyone gave up on round 0 unlocked, so 3 proposes a fresh block C. 1 and 3 prepare
  it and seal it, 3 gets the seal of 4 too: C is decided and 3 has it.
* Round 2: its proposer 4 is silent.
* Round 3: 1 tells of its lock on C in round 1, 2 has none. 4 claims a lock on A in round 2,
  with the prepares of round 0 as proof. If that passes, A outranks C.
"""

import pytest

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
from tests.support.unsigned_votes import commit, locked_round_change, prepare, round_change


def story() -> Consortium:
    """What the network and 4 do; everyone else only follows its own code."""
    stage = Consortium(4, byzantine=[4], stops_at=["I1"])
    stage.transactions_wait(1, 2, 3)

    # Round 0: A is prepared by 1, 2 and 4, and only 4 knows.
    [a] = stage.of(ProposalMessage, 2)
    stage.deliver([a], [1])
    hoard = tuple(
        message.signed
        for message in (
            *stage.of(PrepareMessage, 1),
            *stage.of(PrepareMessage, 2),
            prepare(a.block, 0, 4),
        )
    )
    assert stage.cores[1].state.now.prepared is None

    # Round 1: C is prepared by 1, 2, 3, locked by 1 and 3, sealed by 1, 3, 4, decided at 3.
    stage.timeout(1, 2, 3)
    changes = [m for v in (1, 2) for m in stage.of(RoundChangeMessage, v, 1)]
    stage.deliver([*changes, round_change(1, 4)], [3])
    [c] = stage.of(ProposalMessage, 3, 1)
    stage.deliver([c], [1, 2])
    prepares = [m for v in (1, 2, 3) for m in stage.of(PrepareMessage, v, 1)]
    stage.deliver(prepares, [1, 3])
    stage.deliver([*stage.of(CommitMessage, 1, 1), commit(c.block, 1, 4)], [3])
    assert [d.block for d in stage.committed[3]] == [c.block]

    # Rounds 2 and 3: 3 is not heard any more. 1 proposes by what 2, 4 and it itself say.
    stage.timeout(1, 2)
    moved = [m for v in (1, 2) for m in stage.of(RoundChangeMessage, v, 2)]
    stage.deliver([*moved, round_change(2, 4)], [1, 2])
    stage.timeout(1, 2)
    claim = locked_round_change(3, 4, a.block, 2, hoard)
    stage.deliver([claim, *stage.of(RoundChangeMessage, 2, 3)], [1])
    stage.deliver(stage.of(ProposalMessage, 1, 3), [2])

    # If A is proposed again, 1, 2 and 4 prepare and seal it.
    stage.deliver([*stage.of(PrepareMessage, 2, 3), prepare(a.block, 3, 4)], [1])
    stage.deliver([*stage.of(PrepareMessage, 1, 3), prepare(a.block, 3, 4)], [2])
    stage.deliver([*stage.of(CommitMessage, 2, 3), commit(a.block, 3, 4)], [1])
    return stage


def test_a_proof_of_another_round_is_refused_and_the_decided_block_is_proposed_again():
    stage = story()
    [refusal] = stage.rejected[1]
    assert (refusal.author, refusal.error.reason) == (4, "NOT_JUSTIFIED")
    assert stage.of(ProposalMessage, 1, 3) == [], "two round changes are no quorum"

    stage.deliver([round_change(3, 4)], [1])  # 4 tries again, honestly this time
    [again] = stage.of(ProposalMessage, 1, 3)
    assert again.block == stage.committed[3][0].block


@pytest.mark.parametrize("number", ["M11", "M22"])
def test_with_the_proof_unchecked_it_forks(number):
    with planted(mutation(number).edits), pytest.raises(Violation, match="I1"):
        story()
