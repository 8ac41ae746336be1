"""I5 and I6: every honest PREPARE rests on a proposal that a second judge accepts too."""

from collections import defaultdict
from dataclasses import dataclass, field

from tests.simulation.invariants.mail import Mail
from tests.simulation.observer import Violation
from tests.simulation.oracle import (
    SignatureCheck,
    Situation,
    Unjustified,
    judge,
)

Vote = tuple[int, int, bytes]
"""(height, round, digest)"""


@dataclass(slots=True)
class Proposals:
    """What each place has seen proposed; nothing is judged before somebody prepares it."""

    situations: dict[int, Situation]
    """By height, as the chain verifier derives them."""
    signature_is_good: SignatureCheck
    seen: defaultdict[tuple[int, Vote], dict[Mail, None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    verdicts: dict[Mail, str] = field(default_factory=dict)
    """Proposal → what is wrong with it, or nothing."""
    accepted: set[tuple[int, Vote]] = field(default_factory=set)

    def on_message(self, slot: int, mail: Mail) -> None:
        """A place has this proposal: received, or its own."""
        proposal = mail.statement
        if proposal is not None:
            vote = (proposal.height, proposal.round, proposal.digest)
            self.seen[slot, vote][mail] = None

    def on_prepare(self, slot: int, vote: Vote) -> None:
        """An honest node at this place signed a PREPARE."""
        if (slot, vote) in self.accepted:
            return
        found = list(self.seen[slot, vote])
        i06_the_leader_proposed(self, slot, vote, found)
        i05_the_proposal_is_justified(self, slot, vote, found)
        self.accepted.add((slot, vote))

    def verdict(self, mail: Mail, situation: Situation) -> str:
        if mail not in self.verdicts:
            self.verdicts[mail] = ""
            try:
                judge(mail.raw, situation, self.signature_is_good)
            except Unjustified as reason:
                self.verdicts[mail] = f"it lacks: {reason}"
        return self.verdicts[mail]


def i05_the_proposal_is_justified(
    proposals: Proposals, slot: int, vote: Vote, found: list[Mail]
) -> None:
    """An independent reading of the rules accepts one of the proposals that this node saw."""
    height, round_number, _ = vote
    situation = proposals.situations[height]
    verdicts = [proposals.verdict(mail, situation) for mail in found]
    if all(verdicts):
        raise Violation(
            f"I5: node {slot} prepared an unjustified proposal at {height}/{round_number}: "
            + "; ".join(verdicts)
        )


def i06_the_leader_proposed(
    proposals: Proposals, slot: int, vote: Vote, found: list[Mail]
) -> None:
    """The proposer whose turn it is signed a proposal of this block."""
    height, round_number, _ = vote
    situation = proposals.situations.get(height)
    if situation is None:
        raise Violation(f"I6: node {slot} prepared at height {height}, which nobody has reached")
    leader = situation.turn(round_number)
    statements = (mail.statement for mail in found)
    if not any(one is not None and one.author == leader for one in statements):
        raise Violation(
            f"I6: node {slot} prepared at {height}/{round_number} what {leader} did not propose"
        )
