"""A fork: seals of one block from different rounds are added up to one certificate.

A seal says "in this round a quorum prepared it". Between two rounds another block may have been
prepared, so seals that belong to different rounds prove nothing together.

Four validators, 4 lies. Proposers of rounds 0 to 3 are 2, 3, 4, 1. In every round a block is
prepared by a quorum, but only one honest validator ever hears of it, so no certificate exists.

| round | prepared | honest seal | why it may be proposed |
|---|---|---|---|
| 0 | A | 1 | the first proposal |
| 1 | B | 2 | 2, 3 and 4 are not locked |
| 2 | A again | 3 | 1 is locked on A in round 0; 3 and 4 are not locked |
| 3 | B again | 1 | 2 is locked on B in round 1, which is higher than round 0 of 1 |

4 seals everything. Added up over rounds, A has the seals of 1, 3, 4 and B those of 2, 1, 4.
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

    # Round 0: only 1 hears that A is prepared.
    [first] = stage.of(ProposalMessage, 2)
    a = first.block
    stage.deliver([first], [1])
    stage.deliver([*stage.of(PrepareMessage, 2), prepare(a, 0, 4)], [1])

    # Round 1: 3 proposes B; only 2 hears that it is prepared.
    stage.timeout(2, 3)
    stage.deliver([*stage.of(RoundChangeMessage, 2, 1), round_change(1, 4)], [3])
    [second] = stage.of(ProposalMessage, 3, 1)
    b = second.block
    stage.deliver([second], [2])
    stage.deliver([*stage.of(PrepareMessage, 3, 1), prepare(b, 1, 4)], [2])

    # Round 2: 4 has to propose A again, since 1 is locked on it; only 3 hears that it is prepared.
    stage.timeout(2, 3)
    stage.deliver([*stage.of(RoundChangeMessage, 3, 2), round_change(2, 4)], [1])
    [locked] = stage.of(RoundChangeMessage, 1, 2)
    certificate = (locked, *stage.of(RoundChangeMessage, 3, 2), round_change(2, 4))
    signed = tuple(m.signed for m in certificate)
    stage.deliver([proposal(a, 2, 4, signed, locked.prepares)], [1, 3])
    stage.deliver([*stage.of(PrepareMessage, 1, 2), prepare(a, 2, 4)], [3])

    # Round 3: 1 has to propose B again, since 2 is locked on it; only 1 hears that it is prepared.
    stage.timeout(1)
    stage.deliver([*stage.of(RoundChangeMessage, 1, 3), round_change(3, 4)], [2])
    stage.deliver([*stage.of(RoundChangeMessage, 2, 3), round_change(3, 4)], [1])
    [fourth] = stage.of(ProposalMessage, 1, 3)
    assert fourth.block == b
    stage.deliver([fourth], [2])
    stage.deliver([*stage.of(PrepareMessage, 2, 3), prepare(b, 3, 4)], [1])

    # Every seal reaches everyone who has not sealed that block itself.
    seals = [m for v, r in ((1, 0), (3, 2), (2, 1), (1, 3)) for m in stage.of(CommitMessage, v, r)]
    assert len(seals) == 4
    stage.deliver([m for m in seals if m.signed.payload.digest == a.digest], [3])
    stage.deliver([commit(a, 2, 4)], [3])
    stage.deliver([m for m in seals if m.signed.payload.digest == b.digest], [2])
    stage.deliver([commit(b, 1, 4)], [2])
    return stage


def test_three_seals_of_two_rounds_decide_nothing():
    stage = story()
    assert stage.committed == {}
    # Once a quorum seals one block in one round, that one is decided: here B, in round 3.
    b = stage.of(ProposalMessage, 1, 3)[0].block
    stage.deliver([*stage.of(PrepareMessage, 1, 3), prepare(b, 3, 4)], [2])
    stage.deliver([*stage.of(CommitMessage, 1, 3), commit(b, 3, 4)], [2])
    assert [(d.block, d.round) for d in stage.committed[2]] == [(b, 3)]


def test_with_seals_added_up_over_rounds_it_forks():
    with planted(mutation("M21").edits), pytest.raises(Violation, match="I1"):
        story()
