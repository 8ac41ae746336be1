"""A fork: of several locks the proposer, and whoever checks it, takes any but the highest.

A lower lock may be of a block that a later round has overruled. 0xPolygon go-ibft had such a
mistake (audit finding, pull request 52).

Four validators, 4 lies. Proposers of rounds 0, 1, 2 are 2, 3, 4.

* 0: only 1 hears that A is prepared, and locks it.
* 1: 2, 3 and 4 are not locked, so 3 proposes a fresh C; 2, 3 and 4 prepare and seal it, 2 has
  the certificate.
* 2: 1 tells of A (round 0), 3 of C (round 1): C is the one to propose again. 4 proposes A.
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

    # Round 0: 1 is locked on A.
    [first] = stage.of(ProposalMessage, 2)
    a = first.block
    stage.deliver([first], [1])
    stage.deliver([*stage.of(PrepareMessage, 2), prepare(a, 0, 4)], [1])

    # Round 1: C is decided; 2 has it, 3 is locked on it.
    stage.timeout(1, 2, 3)
    stage.deliver([*stage.of(RoundChangeMessage, 2, 1), round_change(1, 4)], [3])
    [second] = stage.of(ProposalMessage, 3, 1)
    c = second.block
    stage.deliver([second], [2])
    stage.deliver([*stage.of(PrepareMessage, 3, 1), prepare(c, 1, 4)], [2])
    stage.deliver([*stage.of(PrepareMessage, 2, 1), prepare(c, 1, 4)], [3])
    stage.deliver([*stage.of(CommitMessage, 3, 1), commit(c, 1, 4)], [2])
    assert [d.block for d in stage.committed[2]] == [c]

    # Round 2: 4 shows both locks and proposes the lower one.
    stage.timeout(3)
    stage.deliver([*stage.of(RoundChangeMessage, 3, 2), round_change(2, 4)], [1])
    [lower] = stage.of(RoundChangeMessage, 1, 2)
    [higher] = stage.of(RoundChangeMessage, 3, 2)
    certificate = tuple(m.signed for m in (lower, higher, round_change(2, 4)))
    stage.deliver([proposal(a, 2, 4, certificate, lower.prepares)], [1, 3])
    stage.deliver([*stage.of(PrepareMessage, 3, 2), prepare(a, 2, 4)], [1])
    stage.deliver([*stage.of(PrepareMessage, 1, 2), prepare(a, 2, 4)], [3])
    stage.deliver([*stage.of(CommitMessage, 3, 2), commit(a, 2, 4)], [1])
    return stage


def test_the_lower_lock_is_refused():
    stage = story()
    for validator in (1, 3):
        assert "another block was prepared in round 1" in str(stage.rejected[validator][-1].error)
    assert stage.committed[1] == []


def test_with_the_lowest_lock_chosen_it_forks():
    with planted(mutation("M14").edits), pytest.raises(Violation, match="I1"):
        story()
