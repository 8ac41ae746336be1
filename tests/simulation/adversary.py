"""A validator that follows no rule but cannot forge: it signs only as itself.

It remembers every genuine message it saw and tries what breaks careless implementations: votes for
several blocks, commits without prepares, round changes that hide a lock, two proposals in a round,
the weakest justification it can assemble, replays of old traffic, always to a random part of the
others.
"""

from collections import defaultdict
from typing import TYPE_CHECKING

from ledger.consensus.events import Tip
from ledger.consensus.messages import (
    Commit,
    CommitMessage,
    Message,
    Prepare,
    PrepareMessage,
    Proposal,
    ProposalMessage,
    ProposedBlock,
    RoundChange,
    RoundChangeMessage,
    Seal,
    Signed,
)
from ledger.consensus.quorum import proposer_of
from tests.simulation.blocks import genesis_tip, make_block
from tests.simulation.invariants import two_thirds
from tests.simulation.node import Parcel, Status, SyncAnswer, SyncRequest

if TYPE_CHECKING:
    from tests.simulation.world import World

REPLAYED = 200
"""Captured messages kept for replay."""


class Adversary:
    """Shares the interface of `SimNode` that the world uses."""

    keeps_journal = False

    def __init__(
        self, *, world: "World", slot: int, identity: int, validators: tuple[int, ...]
    ) -> None:
        self.world = world
        self.slot = slot
        self.identity = identity
        self.validators = validators
        self.alive = False
        self.run = 0
        self.tip: Tip = genesis_tip(validators)
        self.captured: list[Message] = []
        self.blocks: defaultdict[int, dict[bytes, ProposedBlock]] = defaultdict(dict)
        self.targets: defaultdict[int, dict[tuple[int, bytes], None]] = defaultdict(dict)
        self.round_changes: defaultdict[tuple[int, int], dict[int, RoundChangeMessage]] = (
            defaultdict(dict)
        )
        self.proposed: set[tuple[int, int]] = set()

    def start(self) -> None:
        self.alive = True

    def crash(self) -> None:
        self.alive = False

    def transactions_arrived(self, transactions: tuple[bytes, ...]) -> None:
        self.act()

    def receive(self, parcel: Parcel, source: int) -> None:
        if isinstance(parcel, (Status, SyncRequest, SyncAnswer)):
            return
        self._remember(parcel)
        if self.world.adversary_rng.random() < 0.4:
            self.act()

    def _remember(self, message: Message) -> None:
        payload = message.signed.payload
        if message.signed.author != self.identity and len(self.captured) < REPLAYED:
            self.captured.append(message)
        match message:
            case ProposalMessage(signed, block):
                self._learn(block)
                self.targets[payload.height][payload.round, signed.payload.digest] = None
            case RoundChangeMessage(signed, block):
                self.round_changes[payload.height, payload.round][signed.author] = message
                if block is not None:
                    self._learn(block)

    def _learn(self, block: ProposedBlock) -> None:
        self.blocks[block.height][block.digest] = block
        if block.height > self.tip.height:
            self.tip = Tip(
                height=block.height - 1,
                block_hash=block.header.previous_hash,
                block_time_ms=block.metadata.block_time_ms - 1,
                commit_hash=block.metadata.previous_commit_hash,
                validators=self.validators,
                validator_set_hash=block.metadata.validator_set_hash,
            )

    # -- mischief ---------------------------------------------------------------------------------

    def act(self) -> None:
        rng = self.world.adversary_rng
        height = self.tip.height + 1
        mischief = rng.choice(
            [self._vote, self._vote, self._hide_lock, self._propose, self._propose, self._replay]
        )
        mischief(height)

    def _to_some(self, message: Message) -> None:
        rng = self.world.adversary_rng
        others = [v for v in self.validators if v != self.identity]
        for to in rng.sample(others, rng.randint(1, len(others))):
            self.world.send(self, to, message)

    def _signed(self, payload: object) -> Signed:
        return Signed(payload, self.identity, b"", b"")

    def _vote(self, height: int) -> None:
        targets = list(self.targets[height])
        if not targets:
            return
        rng = self.world.adversary_rng
        round_number, digest = rng.choice(targets)
        if rng.random() < 0.6:
            self._to_some(PrepareMessage(self._signed(Prepare(height, round_number, digest))))
        if rng.random() < 0.6:
            seal = Seal(self.identity, b"", b"")
            commit = Commit(height, round_number, digest, seal)
            self._to_some(CommitMessage(self._signed(commit), seal_verified=True))

    def _hide_lock(self, height: int) -> None:
        rounds = [r for h, r in self.round_changes if h == height]
        round_number = max(rounds, default=0) + self.world.adversary_rng.randint(0, 1)
        if round_number > 0:
            self._to_some(self._lockless(height, round_number))

    def _lockless(self, height: int, round_number: int) -> RoundChangeMessage:
        message = RoundChangeMessage(self._signed(RoundChange(height, round_number, None, None)))
        self.round_changes[height, round_number][self.identity] = message
        return message

    def _replay(self, _height: int) -> None:
        if self.captured:
            self._to_some(self.world.adversary_rng.choice(self.captured))

    def _propose(self, height: int) -> None:
        rounds = {0, *(r for h, r in self.round_changes if h == height)}
        mine = [
            r for r in sorted(rounds) if proposer_of(self.validators, height, r) == self.identity
        ]
        if not mine:
            return
        round_number = self.world.adversary_rng.choice(mine)
        if round_number == 0:
            for _ in range(2):
                self._send_proposal(self._fresh(), round_number, (), ())
        elif self.world.adversary_rng.random() < 0.25:
            self._pretend(height, round_number)
        else:
            self._propose_later(height, round_number)

    def _propose_later(self, height: int, round_number: int) -> None:
        """A justification that hides as much as the rules let it."""
        self._lockless(height, round_number)
        known = list(self.round_changes[height, round_number].values())
        self.world.adversary_rng.shuffle(known)
        known.sort(key=lambda m: m.signed.payload.prepared_round is not None)
        needed = two_thirds(len(self.validators))
        if len(known) < needed:
            return
        chosen = known[:needed]
        highest = max(
            chosen,
            key=lambda m: (
                -1 if m.signed.payload.prepared_round is None else m.signed.payload.prepared_round
            ),
        )
        block = highest.block if highest.block is not None else self._fresh()
        certificate = tuple(m.signed for m in chosen)
        self._send_proposal(block, round_number, certificate, highest.prepares)

    def _pretend(self, height: int, round_number: int) -> None:
        """A justification that only looks like one: nothing, or its own word many times."""
        own = self._lockless(height, round_number).signed
        needed = two_thirds(len(self.validators))
        certificate = self.world.adversary_rng.choice([(), (own,) * needed])
        self._send_proposal(self._fresh(), round_number, certificate, ())

    def _fresh(self) -> ProposedBlock:
        return make_block(
            tip=self.tip,
            proposer=self.identity,
            entries=(b"mischief %d" % self.world.next_serial(),),
            block_time_ms=self.world.now_ms,
        )

    def _send_proposal(
        self,
        block: ProposedBlock,
        round_number: int,
        round_changes: tuple[Signed[RoundChange], ...],
        prepares: tuple[Signed[Prepare], ...],
    ) -> None:
        proposal = Proposal(block.height, round_number, block.digest)
        message = ProposalMessage(self._signed(proposal), block, round_changes, prepares)
        self.targets[block.height][round_number, block.digest] = None
        self._to_some(message)
