"""What must hold after every step, written without the core's own code.

Numbers are those of the project's fault catalogue: I1 agreement, I2 one certificate per height,
I3 no equivocation across restarts, I4 lock safety, I10 monotonicity. I14 (liveness) is measured by
the world itself.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from ledger.consensus.messages import (
    CommitMessage,
    Message,
    PrepareMessage,
    RoundChangeMessage,
)


class Violation(AssertionError):  # noqa: N818
    """An invariant does not hold; the text starts with its number."""


def two_thirds(n: int) -> int:
    """ceil(2n/3), spelled otherwise than in the core."""
    return n - n // 3


@dataclass(slots=True)
class Monitor:
    """Sees everything honest validators sign and commit, from outside."""

    validators: tuple[int, ...]
    byzantine: frozenset[int]
    signed: dict[tuple[int, int, int, str], object] = field(default_factory=dict)
    announced: dict[tuple[int, int], int] = field(default_factory=dict)
    sealed_by: defaultdict[tuple[int, int, bytes], set[int]] = field(
        default_factory=lambda: defaultdict(set)
    )
    certifiable: defaultdict[int, dict[int, bytes]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    prepared: defaultdict[int, set[tuple[int, bytes]]] = field(
        default_factory=lambda: defaultdict(set)
    )
    chain: dict[int, bytes] = field(default_factory=dict)
    progress: dict[tuple[int, int], tuple[int, int, int]] = field(default_factory=dict)

    def on_signed(self, message: Message) -> None:
        """An honest validator signed this; it may or may not reach anyone."""
        author = message.signed.author
        if author in self.byzantine:
            return
        self._check_equivocation(message)
        payload = message.signed.payload
        match message:
            case PrepareMessage():
                self.prepared[payload.height].add((payload.round, message.signed.payload.digest))
                self._check_locks(payload.height)
            case CommitMessage():
                digest = message.signed.payload.digest
                seals = self.sealed_by[payload.height, payload.round, digest]
                seals.add(author)
                if len(seals) + len(self.byzantine) >= two_thirds(len(self.validators)):
                    self._on_certifiable(payload.height, payload.round, digest)

    def _check_equivocation(self, message: Message) -> None:
        signed = message.signed
        author, height, round_number = signed.author, signed.payload.height, signed.payload.round
        kind = type(signed.payload).__name__
        if isinstance(message, RoundChangeMessage):
            content: object = (
                message.signed.payload.prepared_round,
                message.signed.payload.prepared_digest,
            )
        else:
            content = message.signed.payload.digest
        if self.signed.setdefault((author, height, round_number, kind), content) != content:
            raise Violation(f"I3: {author} signed two {kind}s at {height}/{round_number}")
        floor = self.announced.get((author, height), 0)
        if round_number < floor:
            raise Violation(f"I3: {author} signed {kind} at {height}/{round_number} below {floor}")
        if isinstance(message, RoundChangeMessage):
            self.announced[author, height] = round_number

    def _on_certifiable(self, height: int, round_number: int, digest: bytes) -> None:
        digests = {*self.certifiable[height].values(), digest}
        if len(digests) > 1:
            raise Violation(f"I2: two blocks can be certified at height {height}")
        self.certifiable[height][round_number] = digest
        self._check_locks(height)

    def _check_locks(self, height: int) -> None:
        for sealed_round, sealed in self.certifiable[height].items():
            for prepared_round, digest in self.prepared[height]:
                if prepared_round > sealed_round and digest != sealed:
                    raise Violation(
                        f"I4: another block prepared at {height}/{prepared_round} although one "
                        f"can be certified in round {sealed_round}"
                    )

    def on_committed(self, node: int, height: int, digest: bytes) -> None:
        """An honest node made a block durable."""
        if self.chain.setdefault(height, digest) != digest:
            raise Violation(f"I1: {node} committed another block at height {height}")

    def on_progress(self, run: tuple[int, int], position: tuple[int, int, int]) -> None:
        """(height, round, prepared round) of one run of an honest node after a step."""
        before = self.progress.get(run, (0, 0, -1))
        height_up = position[0] > before[0]
        if not height_up and (
            position[0] < before[0] or position[1] < before[1] or position[2] < before[2]
        ):
            raise Violation(f"I10: node {run[0]} went from {before} to {position}")
        self.progress[run] = position
