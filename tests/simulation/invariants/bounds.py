"""I12, I13, I15 and I16: what a validator keeps, computes, waits for and says stays bounded."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ledger.consensus.limits import FUTURE_MESSAGES_PER_AUTHOR, KEPT_BLOCKS
from ledger.node.consensus.consensus_queue import QUEUED_MESSAGES_PER_SENDER_MAX
from tests.simulation.invariants.mail import Mail
from tests.simulation.observer import Position, Violation

if TYPE_CHECKING:
    from ledger.consensus.round_state import CoreState
    from tests.simulation.node import SimNode

LOOKED_AT_EVERY = 8
"""Steps of one node between two looks at its memory, which grows by one message a step."""
KINDS = 4
REPEATS_IN_STORE = 2
"""How often everything may be repeated before the next interval is over."""


class CountsChecks(Protocol):
    """A key that counts how often it verified."""

    checks: int


@dataclass(slots=True)
class Effort:
    """Signatures verified by all nodes together, and how many their mail was worth."""

    keys: tuple[CountsChecks, ...]
    validators: int
    before: int = field(init=False)
    allowed: int = 0
    steps: int = 0

    def __post_init__(self) -> None:
        self.before = self._checks()

    @property
    def spent(self) -> int:
        return self._checks() - self.before

    def on_mail(self, mail: Mail) -> None:
        """A node will judge its signatures and a seal; a block may let early seals be judged."""
        self.allowed += mail.signatures + 1
        if mail.has_block:
            self.allowed += self.validators

    def on_blocks(self, count: int) -> None:
        """Each has a seal of every validator at most."""
        self.allowed += self.validators * count

    def is_due(self) -> bool:
        """Not after every step: what was too much stays too much."""
        self.steps += 1
        return self.steps % LOOKED_AT_EVERY == 0

    def _checks(self) -> int:
        return sum(key.checks for key in self.keys)


@dataclass(slots=True)
class Voice:
    """I16: consensus messages a place may still send, earned by time and by new rounds."""

    credit: int
    granted_at_ms: int
    position: tuple[int, int] = (-1, -1)


@dataclass(slots=True)
class Bounds:
    """Counts for each place; nothing here looks at what is said."""

    validators: int
    repeat_ms: int
    """Shortest time between two repeats of the same messages."""
    rounds_at_calm: dict[int, int] | None = None
    """Height → highest honest round when the network became calm."""
    steps: dict[int, int] = field(default_factory=dict)
    voices: dict[int, Voice] = field(default_factory=dict)

    def on_progress(self, node: "SimNode", position: Position, *, may_build: bool) -> None:
        """`may_build`: no clock has to pass the time of the newest block first."""
        steps = self.steps[node.slot] = self.steps.get(node.slot, 0) + 1
        if steps % LOOKED_AT_EVERY == 0:
            i12_bounded_memory(self, node)
        if self.rounds_at_calm is not None:
            if not may_build:
                self._excuse(position)
            i15_few_rounds(self, node.slot, position)

    def on_calm(self, positions: list[Position]) -> None:
        self.rounds_at_calm = {}
        for position in positions:
            self._excuse(position)

    def _excuse(self, position: Position) -> None:
        """Rounds so far do not count."""
        assert self.rounds_at_calm is not None
        height, round_number, _ = position
        self.rounds_at_calm[height] = max(self.rounds_at_calm.get(height, 0), round_number)

    @property
    def faulty_max(self) -> int:
        return (self.validators - 1) // 3


def i12_bounded_memory(bounds: Bounds, node: "SimNode") -> None:
    """What lies in memory is at most so many times the number of validators."""
    n = bounds.validators
    for what, found, most in _sizes(node, node.core.state, n):
        if found > most:
            raise Violation(f"I12: node {node.slot} keeps {found} {what}, {most} are allowed")


def _sizes(node: "SimNode", state: "CoreState", n: int) -> list[tuple[str, int, int]]:
    """(what, how many, how many at most); two windows of 2n + 10 rounds around the current one."""
    now, votes = state.now, state.now.votes
    rounds = 2 * (2 * n + 10) + 1
    return [
        ("proposals", len(votes._proposals), rounds),
        ("prepares", sum(map(len, votes._prepares.values())), rounds * n),
        ("commits", sum(map(len, votes._commits.values())), rounds * n),
        ("round changes", len(votes._round_changes), n),
        ("early messages", len(state.future), FUTURE_MESSAGES_PER_AUTHOR * n),
        ("blocks", len(now.blocks), KEPT_BLOCKS + 1),
        ("blocks on another state", len(now.divergent), rounds),
        ("own messages", len(now.own), KINDS),
        ("reports", len(now.reported), rounds * n * KINDS),
        ("queued messages", node.queue._queue.qsize(), QUEUED_MESSAGES_PER_SENDER_MAX * n),
        ("claims of height", len(node.catch_up._claims), n),
    ]


def i13_bounded_work(effort: Effort) -> None:
    """Signatures verified are at most those that stand in the mail, and one seal a vote."""
    spent = effort.spent
    if spent > effort.allowed:
        raise Violation(f"I13: {spent} signatures verified, the mail holds {effort.allowed}")


def i15_few_rounds(bounds: Bounds, slot: int, position: Position) -> None:
    """After calm a height takes f + 3 rounds at most, or so many more than it had by then."""
    if bounds.rounds_at_calm is None:
        return
    height, round_number, _ = position
    most = bounds.rounds_at_calm.get(height, 0) + bounds.faulty_max + 3
    if round_number > most:
        raise Violation(
            f"I15: node {slot} is in round {round_number} of height {height} after calm, "
            f"{most} are enough"
        )


def i16_no_storm(
    bounds: Bounds, slot: int, now_ms: int, position: tuple[int, int], *, is_new_run: bool
) -> None:
    """Each kind of message goes once to everyone in a round, and again once an interval."""
    share = KINDS * (bounds.validators - 1)
    voice = bounds.voices.get(slot)
    if voice is None or is_new_run:
        voice = bounds.voices[slot] = Voice(share * REPEATS_IN_STORE, now_ms)
    passed = (now_ms - voice.granted_at_ms) // bounds.repeat_ms
    if passed > 0:
        voice.granted_at_ms += passed * bounds.repeat_ms
        voice.credit = min(voice.credit + passed * share, share * REPEATS_IN_STORE)
    if position != voice.position:
        voice.position = position
        voice.credit = max(voice.credit, 0) + share
    voice.credit -= 1
    if voice.credit < 0:
        raise Violation(
            f"I16: node {slot} sends more than {share} messages every {bounds.repeat_ms} ms"
        )
