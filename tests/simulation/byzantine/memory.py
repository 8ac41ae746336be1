"""What liars remember together: every genuine message that reached one of them."""

from collections import defaultdict, deque

from ledger.consensus.messages import (
    CommitMessage,
    Message,
    Prepare,
    PrepareMessage,
    ProposalMessage,
    ProposedBlock,
    RoundChangeMessage,
    Signed,
)

CAPTURED_MAX = 300
HEIGHTS_KEPT = 3
ROUNDS_MAX = 10_000
"""No honest validator gets there; a liar's own numbers lead nowhere."""

Place = tuple[int, int]
"""(height, round)"""
Vote = tuple[int, int, bytes]
"""(height, round, digest)"""


class Memory:
    """Bounded; what is older than some heights is forgotten."""

    def __init__(self) -> None:
        self.captured: deque[tuple[bytes, Message]] = deque(maxlen=CAPTURED_MAX)
        self.blocks: defaultdict[int, dict[bytes, ProposedBlock]] = defaultdict(dict)
        self.proposals: defaultdict[Place, dict[bytes, ProposalMessage]] = defaultdict(dict)
        self.prepares: defaultdict[Vote, dict[int, Signed[Prepare]]] = defaultdict(dict)
        self.commits: defaultdict[Vote, dict[int, CommitMessage]] = defaultdict(dict)
        self.round_changes: defaultdict[Place, dict[int, RoundChangeMessage]] = defaultdict(dict)
        self.transactions: dict[bytes, None] = {}
        self.top_round: defaultdict[int, int] = defaultdict(int)
        """Height → highest round anyone spoke of within reason."""

    def learn(self, raw: bytes, message: Message, *, is_honest: bool) -> None:
        """Take in a message; what liars made themselves counts for less."""
        payload = message.signed.payload
        if payload.round > ROUNDS_MAX:
            return
        if is_honest:
            self.captured.append((raw, message))
            top = max(self.top_round[payload.height], payload.round)
            self.top_round[payload.height] = top
        self._forget_below(payload.height - HEIGHTS_KEPT)
        match message:
            case ProposalMessage(signed, block):
                self._learn_block(block)
                vote = signed.payload
                self.proposals[vote.height, vote.round][vote.digest] = message
                for prepare in message.prepares:
                    self._learn_prepare(prepare)
            case PrepareMessage(signed):
                self._learn_prepare(signed)
            case CommitMessage(signed):
                commit = signed.payload
                self.commits[commit.height, commit.round, commit.digest][signed.author] = message
            case RoundChangeMessage():
                self._learn_round_change(message, is_honest=is_honest)

    def _learn_round_change(self, message: RoundChangeMessage, *, is_honest: bool) -> None:
        signed = message.signed
        if is_honest:
            place = (signed.payload.height, signed.payload.round)
            self.round_changes[place][signed.author] = message
        if message.block is not None:
            self._learn_block(message.block)
        for prepare in message.prepares:
            self._learn_prepare(prepare)

    def _learn_block(self, block: ProposedBlock) -> None:
        self.blocks[block.height][block.digest] = block
        self.transactions.update(dict.fromkeys(block.entries))

    def _learn_prepare(self, signed: Signed[Prepare]) -> None:
        vote = signed.payload
        self.prepares[vote.height, vote.round, vote.digest][signed.author] = signed

    def _forget_below(self, height: int) -> None:
        if height in self.blocks:
            del self.blocks[height]
            for table in (self.proposals, self.prepares, self.commits, self.round_changes):
                for key in [key for key in table if key[0] <= height]:  # type: ignore[attr-defined]
                    del table[key]  # type: ignore[attr-defined]

    def targets(self, height: int) -> list[tuple[int, bytes]]:
        """(round, digest) of every proposal of a height, and of every vote."""
        found = {
            (r, d): None for h, r in self.proposals for d in self.proposals[h, r] if h == height
        }
        found |= {(r, d): None for h, r, d in self.prepares if h == height}
        return sorted(found)
