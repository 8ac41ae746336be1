"""A fork: a validator that is locked on a block is carried to a later round and forgets its lock.

The mistake is easy to make: the lock is saved when a round timer fires, and forgotten when a
justified proposal of a later round comes first.

Four validators, 4 lies. Proposers of rounds 0, 1, 2 are 2, 3, 4. A is the block of round 0.

* Round 0: 1, 2 and 4 prepare and seal A; the seals stay on the way. 3 hears nothing.
* Round 1: 2 and 3 give up on round 0, 4 plays along. 2 told of its lock, so 3 proposes A
  again; this proposal carries 1, still in round 0 and locked on A, to round 1.
* Round 2: everyone gives up on round 1. 1 must say "I am locked on A". If it forgot, 1, 3 and
  4 look as if nothing had ever been prepared, and 4 may propose a fresh block B.
* End: 1, 3 and 4 seal B. The seals of round 0 arrive: 1, 2 and 4 sealed A. Two certificates.
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
from tests.support.unsigned_votes import commit, prepare, proposal, round_change


def story() -> Consortium:
    """What the network and 4 do; everyone else only follows its own code."""
    stage = Consortium(4, byzantine=[4], stops_at=["I1"])
    stage.transactions_wait(1, 2, 3)

    # Round 0: 1 and 2 see a quorum of prepares for A and seal it. Nobody hears the seals.
    [a] = stage.of(ProposalMessage, 2)
    stage.deliver([a], [1])
    stage.deliver([*stage.of(PrepareMessage, 1), prepare(a.block, 0, 4)], [2])
    stage.deliver([*stage.of(PrepareMessage, 2), prepare(a.block, 0, 4)], [1])
    assert [len(stage.of(CommitMessage, v)) for v in (1, 2, 3)] == [1, 1, 0]

    # Round 1: 3 must propose A again, because 2 is locked on it. The proposal carries 1 along.
    stage.timeout(2, 3)
    stage.deliver([*stage.of(RoundChangeMessage, 2, 1), round_change(1, 4)], [3])
    [again] = stage.of(ProposalMessage, 3, 1)
    assert again.block == a.block
    stage.deliver([again], [1])
    assert stage.round_of(1) == 1

    # Round 2: 4 shows what 1, 3 and it itself said about their locks, and proposes a fresh B.
    stage.timeout(1, 3)
    told = [m for v in (1, 3) for m in stage.of(RoundChangeMessage, v, 2)]
    certificate = tuple(m.signed for m in (*told, round_change(2, 4)))
    b = stage.block(4, "B")
    stage.deliver([proposal(b, 2, 4, certificate)], [1, 3])

    # If 1 and 3 accept it, they and 4 prepare and seal it.
    stage.deliver([*stage.of(PrepareMessage, 3, 2), prepare(b, 2, 4)], [1])
    stage.deliver([*stage.of(PrepareMessage, 1, 2), prepare(b, 2, 4)], [3])
    stage.deliver([*stage.of(CommitMessage, 1, 2), commit(b, 2, 4)], [3])

    # At last the seals of round 0 reach 2.
    stage.deliver([*stage.of(CommitMessage, 1, 0), commit(a.block, 0, 4)], [2])
    return stage


def test_the_lock_travels_with_the_validator_and_the_fresh_block_is_refused():
    stage = story()
    [change] = stage.of(RoundChangeMessage, 1, 2)
    assert (change.signed.payload.prepared_round, change.block.entries) == (0, (b"by 2",))
    for validator in (1, 3):
        assert "another block was prepared" in str(stage.rejected[validator][-1].error)
    assert [len(stage.committed[v]) for v in (1, 2, 3)] == [0, 1, 0], "A, and nothing else"


@pytest.mark.parametrize("number", ["M03", "M03b"])
def test_with_the_lock_lost_it_forks(number):
    with planted(mutation(number).edits), pytest.raises(Violation, match="I1"):
        story()
