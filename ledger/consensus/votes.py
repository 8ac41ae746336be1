"""The votes of one height, at most one per author, round and kind.

The first vote of an author stands; a different second one is returned to the caller as evidence
and never counted. Votes may come before the proposal they are for.
"""

from ledger.consensus.limits import ROUND_WINDOW_EXTRA, ROUND_WINDOW_PER_VALIDATOR
from ledger.consensus.messages import (
    CommitMessage,
    Payload,
    Prepare,
    Proposal,
    RoundChangeMessage,
    Signed,
)


class VoteStore:
    """Bounded by (number of validators) x (round window) votes of each kind.

    Round changes are kept for any round, the highest of each author only: enough for the jump of
    a validator that is far behind, and no author can fill it.
    """

    def __init__(self, *, validators: int) -> None:
        self.window = ROUND_WINDOW_PER_VALIDATOR * validators + ROUND_WINDOW_EXTRA
        self._proposals: dict[int, Signed[Proposal]] = {}
        self._prepares: dict[int, dict[int, Signed[Prepare]]] = {}
        self._commits: dict[int, dict[int, CommitMessage]] = {}
        self._round_changes: dict[int, RoundChangeMessage] = {}

    def add_proposal(self, signed: Signed[Proposal]) -> Signed[Payload] | None:
        """Remember what was proposed in a round; returns a conflicting earlier proposal."""
        first = self._proposals.setdefault(signed.payload.round, signed)
        return first if first.payload.digest != signed.payload.digest else None

    def conflicting_proposal(self, signed: Signed[Proposal]) -> Signed[Payload] | None:
        """An earlier proposal of the same round for another block, if one was accepted."""
        first = self._proposals.get(signed.payload.round)
        if first is None or first.payload.digest == signed.payload.digest:
            return None
        return first

    def add_prepare(self, signed: Signed[Prepare]) -> Signed[Payload] | None:
        """Count a prepare once; returns the author's earlier, different one if there is one."""
        votes = self._prepares.setdefault(signed.payload.round, {})
        first = votes.setdefault(signed.author, signed)
        return first if first.payload.digest != signed.payload.digest else None

    def add_commit(self, message: CommitMessage) -> Signed[Payload] | None:
        """Count a commit once; a verified copy replaces an unverified one."""
        signed = message.signed
        votes = self._commits.setdefault(signed.payload.round, {})
        first = votes.setdefault(signed.author, message)
        if first.signed.payload.digest != signed.payload.digest:
            return first.signed
        if message.seal_verified and not first.seal_verified:
            votes[signed.author] = message
        return None

    def round_change_of(self, author: int) -> RoundChangeMessage | None:
        """The highest round change of an author."""
        return self._round_changes.get(author)

    def add_round_change(self, message: RoundChangeMessage) -> None:
        """Keep it; the caller has made sure that it is the author's highest."""
        self._round_changes[message.signed.author] = message

    def prepares(self, round_number: int, digest: bytes) -> tuple[Signed[Prepare], ...]:
        """Prepares for a block in a round, by author."""
        votes = self._prepares.get(round_number, {})
        return tuple(vote for _, vote in sorted(votes.items()) if vote.payload.digest == digest)

    def commits(self, round_number: int, digest: bytes) -> tuple[CommitMessage, ...]:
        """Commits for a block in a round, verified or not, by author."""
        votes = self._commits.get(round_number, {})
        return tuple(
            vote for _, vote in sorted(votes.items()) if vote.signed.payload.digest == digest
        )

    def commit_rounds(self) -> tuple[int, ...]:
        """Rounds in which anyone sealed something."""
        return tuple(sorted(self._commits))

    def round_changes_for(self, round_number: int) -> tuple[RoundChangeMessage, ...]:
        """Round changes to exactly this round, by author."""
        return tuple(
            message
            for _, message in sorted(self._round_changes.items())
            if message.signed.payload.round == round_number
        )

    def authors_from(self, round_number: int) -> set[int]:
        """Authors that moved to this round or a later one."""
        return {
            author
            for author, message in self._round_changes.items()
            if message.signed.payload.round >= round_number
        }

    def rounds_above(self, round_number: int) -> list[int]:
        """The rounds above this one that authors moved to, one per author, highest first."""
        rounds = (message.signed.payload.round for message in self._round_changes.values())
        return sorted((r for r in rounds if r > round_number), reverse=True)

    def forget_below(self, round_number: int) -> None:
        """Drop what no longer matters; late commits may still decide, so they stay one window."""
        self._proposals = {r: v for r, v in self._proposals.items() if r >= round_number}
        self._prepares = {r: v for r, v in self._prepares.items() if r >= round_number}
        oldest = round_number - self.window
        self._commits = {r: v for r, v in self._commits.items() if r >= oldest}
