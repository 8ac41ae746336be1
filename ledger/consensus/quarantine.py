"""When a validator that lost the memory of its votes may vote again: the M + 3 rule.

Let H be the newest block it had committed before. Its last vote can have been for height H + 1.
H was sealed by a quorum, so at least Q - 1 - f honest others had committed H - 1. Of any
n - Q + f + 1 others that tell their newest block now, one is among those: the highest such block M
has M >= H - 1. So H + 1 <= M + 2, and from M + 3 on it cannot contradict a vote it forgot.

Heads are claims. One counts when our own chain, every block of which a quorum sealed, has reached
it; so a liar can neither lower M below what one honest answer shows nor raise it.
"""

from dataclasses import dataclass, field

from ledger.consensus.events import Tip
from ledger.consensus.quorum import max_faulty, quorum

OBSERVED_HEIGHTS = 3
NEVER = 2**63
"""A height no ledger reaches: votes from there on are none."""


def answers_needed(validators: int) -> int:
    """How many others must have told a newest block that our chain has reached."""
    return validators - quorum(validators) + max_faulty(validators) + 1


@dataclass(slots=True)
class Quarantine:
    """A validator that follows and does not vote. The newest word of each other one counts."""

    vote_from: int | None = None
    """The first height it votes at; None until enough heads are known."""
    set_hash: bytes = b""
    """Of the validators when `vote_from` was fixed."""
    heads: dict[int, int] = field(default_factory=dict)
    """Consenter -> number of its newest block, as told since this start."""
    observers: set[int] = field(default_factory=set)
    """Others that do not vote either."""
    news: str = ""
    """What was last said about it."""

    def hear(self, author: int, newest_block: int, *, observes: bool) -> None:
        """Another validator tells its newest block, and whether it observes as well."""
        self.heads[author] = newest_block
        if observes:
            self.observers.add(author)
        else:
            self.observers.discard(author)

    def settle(self, tip: Tip, others: tuple[int, ...]) -> bool:
        """Fix or take back `vote_from`; true when this call did.

        Votes of a later set of validators may reach further, so a new set begins the count anew.
        """
        if self.vote_from is not None:
            is_voided = self.set_hash != tip.validator_set_hash and tip.height + 1 < self.vote_from
            if is_voided:
                self.vote_from = None
                self.settle(tip, others)
            return is_voided
        if len(self._covered(tip, others)) < answers_needed(len(tip.validators)):
            return False
        self.vote_from = tip.height + OBSERVED_HEIGHTS
        self.set_hash = tip.validator_set_hash
        return True

    def words(self, tip: Tip, others: tuple[int, ...]) -> str:
        """One sentence for the operator."""
        validators = len(tip.validators)
        voters = len(others) - len(self.observers & set(others))
        if voters < quorum(validators):
            return (
                f"observer: only {voters} of {validators} validators vote, a block needs "
                f"{quorum(validators)}; this does not end by itself, an operator must decide"
            )
        if self.vote_from is not None:
            return f"observer: votes again from height {self.vote_from}, now at {tip.height + 1}"
        return self._waiting(tip, others)

    def _covered(self, tip: Tip, others: tuple[int, ...]) -> list[int]:
        return [i for i in others if self.heads.get(i, NEVER) <= tip.height]

    def _waiting(self, tip: Tip, others: tuple[int, ...]) -> str:
        covered = self._covered(tip, others)
        ahead = [
            f"consenter {i} claims block {self.heads[i]}"
            for i in others
            if i in self.heads and i not in covered
        ]
        needed = answers_needed(len(tip.validators))
        text = f"observer: {len(covered)} of {needed} needed validators have told a block we have"
        return "; ".join([text, *ahead])
