"""I1, I7, I8 and I9: what honest ledgers hold, block by block, from the bytes they stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from ledger.audit.block_reading import ReadBlock, read_block
from ledger.audit.chain import ChainBroken, ChainHead, SealCheck, extend_by, start_chain
from ledger.audit.wire_fields import BrokenBytes
from tests.simulation.invariants.execution import Executed, Execution
from tests.simulation.observer import Violation
from tests.simulation.oracle import Situation

if TYPE_CHECKING:
    from tests.simulation.node import SimNode

VALID = 0


@dataclass(slots=True)
class Ledgers:
    """One chain, as long as any honest node's, and how far each place has come."""

    seal_is_good: SealCheck
    members: int
    """How many organisations may endorse: a majority is asked for."""
    heads: list[ChainHead] = field(default_factory=list)
    blocks: list[ReadBlock] = field(default_factory=list)
    verified: dict[int, set[bytes]] = field(default_factory=dict)
    """Block number → stored forms (they differ in their seals) found good."""
    execution: Execution = field(default_factory=Execution)
    submitted: set[bytes] = field(default_factory=set)
    acknowledged: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Transaction id → (block, code), as a client was told."""
    reached: dict[int, int] = field(default_factory=dict)
    """Slot → number of blocks it said were durable."""
    situations: dict[int, Situation] = field(default_factory=dict)
    validators: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Height → who decides it."""

    def begin(self, genesis_raw: bytes) -> None:
        self._extend(*_genesis(genesis_raw))

    def on_committed(self, node: "SimNode", number: int) -> None:
        """A block is durable on an honest node."""
        raw = node.store.block_raw(number)
        if raw is None:
            raise Violation(f"I9: node {node.slot} says it has block {number} and has not")
        self.reached[node.slot] = number + 1
        i07_it_verifies(self, node.slot, number, raw)

    def on_started(self, node: "SimNode") -> None:
        """It may have died after a commit and before it could tell of it."""
        if node.disk.has_forgotten:
            self.reached.pop(node.slot, None)
        i09_nothing_is_lost(self, node)
        for number in range(max(1, self.reached.get(node.slot, 0)), node.store.height()):
            self.on_committed(node, number)

    def on_acknowledged(self, node: "SimNode", tx_id: str, number: int, code: int) -> None:
        told = self.acknowledged.setdefault(tx_id, (number, code))
        if told != (number, code) and code == VALID == told[1]:
            raise Violation(f"I8: {tx_id[:8]} is valid in block {told[0]} and in block {number}")
        if node.store.height() <= number:
            raise Violation(f"I9: node {node.slot} acknowledges block {number} and lacks it")

    def _extend(self, head: ChainHead, block: ReadBlock) -> None:
        self.heads.append(head)
        self.blocks.append(block)
        situation = _situation(head)
        self.situations[situation.height] = situation
        self.validators[situation.height] = situation.validators

    def take(self, head: ChainHead, block: ReadBlock) -> None:
        """The chain goes on with this block, unless it had it already."""
        if block.number == len(self.blocks):
            i08_executes_to_the_same(self, block)
            self._extend(head, block)


def i01_same_block_and_state(ledgers: Ledgers, slot: int, block: ReadBlock) -> None:
    """Honest nodes hold the same block, verdicts and state at a height."""
    known = ledgers.blocks[block.number]
    if (known.block_hash, known.block_id) != (block.block_hash, block.block_id):
        raise Violation(f"I1: node {slot} committed another block at height {block.number}")
    if (known.codes, known.commit_hash) != (block.codes, block.commit_hash):
        raise Violation(f"I1: node {slot} holds another state after block {block.number}")


def i07_it_verifies(ledgers: Ledgers, slot: int, number: int, raw: bytes) -> None:
    """The stored bytes follow what was verified from genesis on, under a quorum of seals."""
    verified = ledgers.verified.setdefault(number, set())
    if raw in verified:
        return
    try:
        block = read_block(raw)
        if block.number < len(ledgers.blocks):
            i01_same_block_and_state(ledgers, slot, block)
        head = extend_by(ledgers.heads[number - 1], block, seal_is_good=ledgers.seal_is_good)
    except (ChainBroken, BrokenBytes, IndexError) as error:
        raise Violation(f"I7: node {slot}: {error}") from error
    ledgers.take(head, block)
    verified.add(raw)


def i08_executes_to_the_same(ledgers: Ledgers, block: ReadBlock) -> None:
    """Everything was submitted; a second executor gives the same codes and the same state."""
    for entry in block.entries:
        if entry not in ledgers.submitted:
            raise Violation(f"I8: block {block.number} holds what nobody submitted")
    expected = ledgers.execution.run(
        block.number,
        block.entries,
        genesis_hash=ledgers.heads[0].block_hash,
        previous=ledgers.heads[-1].commit_hash,
        members=ledgers.members,
        given=block.codes,
    )
    i08_compare(expected, block)


def i08_compare(expected: Executed, block: ReadBlock) -> None:
    """Codes, and the hash over codes and changes."""
    if expected.codes != block.codes:
        raise Violation(
            f"I8: block {block.number} has codes {list(block.codes)}, not {list(expected.codes)}"
        )
    if expected.commit_hash != block.commit_hash:
        raise Violation(f"I8: block {block.number} leads to another state than executing it does")


def i09_nothing_is_lost(ledgers: Ledgers, node: "SimNode") -> None:
    """A node has every block it ever acknowledged, after whatever crash."""
    reached = ledgers.reached.get(node.slot, 0)
    if node.store.height() < reached:
        raise Violation(
            f"I9: node {node.slot} acknowledged {reached} blocks and has {node.store.height()}"
        )


def i09_acknowledged_is_there(ledgers: Ledgers, node: "SimNode") -> None:
    """Every transaction a client was told of stands on each node that has the height."""
    verdicts = _verdicts(ledgers, node.store.height())
    for tx_id, (number, code) in ledgers.acknowledged.items():
        if number < node.store.height() and (number, code) not in verdicts.get(tx_id, ()):
            raise Violation(f"I9: node {node.slot} lacks acknowledged {tx_id[:8]} in {number}")


def i07_all_stored(ledgers: Ledgers, node: "SimNode") -> None:
    """At the end: every block of a node from genesis on, as it stands in its store."""
    for number in range(1, node.store.height()):
        raw = node.store.block_raw(number)
        if raw is None:
            raise Violation(f"I7: node {node.slot} lacks block {number} below its height")
        i07_it_verifies(ledgers, node.slot, number, raw)


def _verdicts(ledgers: Ledgers, height: int) -> Mapping[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    for block in ledgers.blocks[1:height]:
        for entry, code in zip(block.entries, block.codes, strict=True):
            tx_id = ledgers.execution.reading(entry).tx_id
            found.setdefault(tx_id, []).append((block.number, code))
    return found


@lru_cache(maxsize=16)
def _genesis(raw: bytes) -> tuple[ChainHead, ReadBlock]:
    """The same for every seed."""
    return start_chain(raw), read_block(raw)


def _situation(head: ChainHead) -> Situation:
    return Situation(
        height=head.number + 1,
        parent_hash=head.block_hash,
        parent_time_ms=head.block_time_ms,
        commit_hash=head.commit_hash,
        last_config=head.last_config,
        validators=tuple(head.consenters.certificates),
        set_hash=head.consenters.set_hash,
    )
