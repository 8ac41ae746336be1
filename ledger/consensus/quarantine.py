"""When a validator that lost the memory of its votes may vote again: the M + 3 rule.

Let H be the newest block it had committed before. Its last vote can have been for height H + 1.
H was sealed by a quorum, so at least Q - 1 - f honest others had committed H - 1. Of any
n - Q + f + 1 others that tell their newest block now, one is among those: the highest such block M
has M >= H - 1. So H + 1 <= M + 2, and from M + 3 on it cannot contradict a vote it forgot.

Heads are claims. One counts when our own chain, every block of which a quorum sealed, has reached
it; so a liar can neither lower M below what one honest answer shows nor raise it.
"""

from dataclasses import dataclass, field

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

    def settle(self, tip_height: int, others: tuple[int, ...]) -> bool:
        """Fix `vote_from` if enough of `others` are known; true when this call did."""
        covered = [i for i in others if self.heads.get(i, NEVER) <= tip_height]
        if self.vote_from is None and len(covered) >= answers_needed(len(others) + 1):
            self.vote_from = tip_height + OBSERVED_HEIGHTS
            return True
        return False

    def words(self, tip_height: int, others: tuple[int, ...]) -> str:
        """One sentence for the operator."""
        observing = sorted(self.observers & set(others))
        voters = len(others) - len(observing)
        if voters < quorum(len(others) + 1):
            return (
                f"observer: only {voters} of {len(others) + 1} validators vote, a block needs "
                f"{quorum(len(others) + 1)}; this does not end by itself, an operator must decide"
            )
        if self.vote_from is not None:
            return f"observer: votes again from height {self.vote_from}, now at {tip_height + 1}"
        return self._waiting(tip_height, others)

    def _waiting(self, tip_height: int, others: tuple[int, ...]) -> str:
        needed = answers_needed(len(others) + 1)
        covered = [i for i in others if self.heads.get(i, NEVER) <= tip_height]
        ahead = [
            f"consenter {i} claims block {self.heads[i]}"
            for i in others
            if i in self.heads and i not in covered
        ]
        text = f"observer: {len(covered)} of {needed} needed validators have told a block we have"
        return "; ".join([text, *ahead])
