"""I1 to I4 and I10: what honest validators sign and decide, seen from outside."""

from collections import defaultdict
from dataclasses import dataclass, field

from ledger.consensus.messages import (
    CommitMessage,
    Message,
    PrepareMessage,
    RoundChangeMessage,
)
from tests.simulation.observer import Position, Violation

Run = tuple[int, int]
"""(slot, number of the start)"""


def two_thirds(n: int) -> int:
    """ceil(2n/3), spelled otherwise than in the core."""
    return n - n // 3


@dataclass(slots=True)
class Monitor:
    """Sees everything honest validators sign and commit; one for all of them."""

    validators: tuple[int, ...]
    byzantine: frozenset[int]
    sets: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Height → validators, where they are not `validators`."""
    signed: dict[tuple[int, int, int, str], object] = field(default_factory=dict)
    announced: dict[tuple[int, int], int] = field(default_factory=dict)
    sealed_by: defaultdict[tuple[int, int, bytes], set[int]] = field(
        default_factory=lambda: defaultdict(set)
    )
    certifiable: defaultdict[int, dict[int, bytes]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    prepared: defaultdict[int, dict[tuple[int, bytes], None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    chain: dict[int, bytes] = field(default_factory=dict)
    progress: dict[Run, Position] = field(default_factory=dict)

    def on_signed(self, message: Message) -> None:
        """An honest validator signed this; it may or may not reach anyone."""
        if message.signed.author in self.byzantine or not i03_no_equivocation(self, message):
            return
        payload = message.signed.payload
        if isinstance(message, PrepareMessage):
            vote = (payload.round, message.signed.payload.digest)
            self.prepared[payload.height][vote] = None
            i04_locks_hold(self, payload.height)
        elif isinstance(message, CommitMessage):
            i02_one_certificate(self, message)

    def on_committed(self, node: int, height: int, digest: bytes) -> None:
        """An honest node made a block durable."""
        i01_agreement(self, node, height, digest)

    def on_progress(self, run: Run, position: Position) -> None:
        """A step of one run of an honest node is over."""
        i10_never_back(self, run, position)

    def forged_by(self, height: int) -> int:
        """Seals of a height that liars can still make as they please."""
        validators = self.sets.get(height, self.validators)
        return sum(liar in validators for liar in self.byzantine)

    def needed(self, height: int) -> int:
        return two_thirds(len(self.sets.get(height, self.validators)))


def i01_agreement(monitor: Monitor, node: int, height: int, digest: bytes) -> None:
    """Honest chains are prefixes of one another."""
    if monitor.chain.setdefault(height, digest) != digest:
        raise Violation(f"I1: {node} committed another block at height {height}")


def i02_one_certificate(monitor: Monitor, message: CommitMessage) -> None:
    """Over all seals ever made, and those liars may add, one block of a height reaches Q."""
    payload = message.signed.payload
    height, digest = payload.height, payload.digest
    seals = monitor.sealed_by[height, payload.round, digest]
    seals.add(message.signed.author)
    if len(seals) + monitor.forged_by(height) < monitor.needed(height):
        return
    certifiable = monitor.certifiable[height]
    if any(other != digest for other in certifiable.values()):
        raise Violation(f"I2: two blocks can be certified at height {height}")
    certifiable[payload.round] = digest
    i04_locks_hold(monitor, height)


def i03_no_equivocation(monitor: Monitor, message: Message) -> bool:
    """One statement for each author, height, round and kind, none below a promised round.

    False when it is an earlier statement again.
    """
    author, payload = message.signed.author, message.signed.payload
    height, round_number, kind = payload.height, payload.round, type(payload).__name__
    if isinstance(message, RoundChangeMessage):
        change = message.signed.payload
        content: object = (change.prepared_round, change.prepared_digest)
    else:
        content = message.signed.payload.digest
    statement = (author, height, round_number, kind)
    is_new = statement not in monitor.signed
    if monitor.signed.setdefault(statement, content) != content:
        raise Violation(f"I3: {author} signed two {kind}s at {height}/{round_number}")
    floor = monitor.announced.get((author, height), 0)
    if round_number < floor:
        raise Violation(f"I3: {author} signed {kind} at {height}/{round_number} below {floor}")
    if isinstance(message, RoundChangeMessage):
        monitor.announced[author, height] = round_number
    return is_new


def i04_locks_hold(monitor: Monitor, height: int) -> None:
    """Once a block may have a certificate, nobody honest prepares another in a later round."""
    for sealed_round, sealed in monitor.certifiable[height].items():
        for prepared_round, digest in monitor.prepared[height]:
            if prepared_round > sealed_round and digest != sealed:
                raise Violation(
                    f"I4: another block prepared at {height}/{prepared_round} although one "
                    f"can be certified in round {sealed_round}"
                )


def i10_never_back(monitor: Monitor, run: Run, position: Position) -> None:
    """Height, round within it and round of the lock only go up."""
    before = monitor.progress.get(run)
    monitor.progress[run] = position
    if before is None or position == before or position[0] > before[0]:
        return
    if position[0] < before[0] or position[1] < before[1] or position[2] < before[2]:
        raise Violation(f"I10: node {run[0]} went from {before} to {position}")
