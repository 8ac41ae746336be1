"""I5 and I6: every honest PREPARE rests on a proposal that a second judge accepts too."""

from collections import defaultdict
from dataclasses import dataclass, field

from ledger.audit.wire_fields import BrokenBytes, read_fields
from tests.simulation.observer import Violation
from tests.simulation.oracle import (
    PROPOSAL,
    SignatureCheck,
    Situation,
    Statement,
    Unjustified,
    judge,
    read_statement,
)

Vote = tuple[int, int, bytes]
"""(height, round, digest)"""


@dataclass(slots=True)
class Proposals:
    """What each place has seen proposed; nothing is judged before somebody prepares it."""

    situations: dict[int, Situation]
    """By height, as the chain verifier derives them."""
    signature_is_good: SignatureCheck
    seen: defaultdict[tuple[int, Vote], dict[bytes, None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    readings: dict[bytes, Statement | None] = field(default_factory=dict)
    verdicts: dict[bytes, str] = field(default_factory=dict)
    """Proposal → what is wrong with it, or nothing."""
    accepted: set[tuple[int, Vote]] = field(default_factory=set)

    def on_message(self, slot: int, raw: bytes) -> None:
        """A place has this consensus message: received, or its own."""
        statement = self.reading(raw)
        if statement is not None and statement.kind == PROPOSAL:
            vote = (statement.height, statement.round, statement.digest)
            self.seen[slot, vote][raw] = None

    def reading(self, raw: bytes) -> Statement | None:
        """Who says what in a message; None when it cannot be read."""
        if raw not in self.readings:
            try:
                self.readings[raw] = read_statement(read_fields(raw).content(1))
            except BrokenBytes:
                self.readings[raw] = None
        return self.readings[raw]

    def on_prepare(self, slot: int, vote: Vote) -> None:
        """An honest node at this place signed a PREPARE."""
        if (slot, vote) in self.accepted:
            return
        found = list(self.seen[slot, vote])
        i06_the_leader_proposed(self, slot, vote, found)
        i05_the_proposal_is_justified(self, slot, vote, found)
        self.accepted.add((slot, vote))

    def verdict(self, raw: bytes, situation: Situation) -> str:
        if raw not in self.verdicts:
            self.verdicts[raw] = ""
            try:
                judge(raw, situation, self.signature_is_good)
            except Unjustified as reason:
                self.verdicts[raw] = f"it lacks: {reason}"
        return self.verdicts[raw]


def i05_the_proposal_is_justified(
    proposals: Proposals, slot: int, vote: Vote, found: list[bytes]
) -> None:
    """An independent reading of the rules accepts one of the proposals that this node saw."""
    height, round_number, _ = vote
    situation = proposals.situations[height]
    verdicts = [proposals.verdict(raw, situation) for raw in found]
    if all(verdicts):
        raise Violation(
            f"I5: node {slot} prepared an unjustified proposal at {height}/{round_number}: "
            + "; ".join(verdicts)
        )


def i06_the_leader_proposed(
    proposals: Proposals, slot: int, vote: Vote, found: list[bytes]
) -> None:
    """The proposer whose turn it is signed a proposal of this block."""
    height, round_number, _ = vote
    situation = proposals.situations.get(height)
    if situation is None:
        raise Violation(f"I6: node {slot} prepared at height {height}, which nobody has reached")
    leader = situation.turn(round_number)
    readings = map(proposals.reading, found)
    if not any(one is not None and one.author == leader for one in readings):
        raise Violation(
            f"I6: node {slot} prepared at {height}/{round_number} what {leader} did not propose"
        )
