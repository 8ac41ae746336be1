"""A lying validator's means: its key, its memory, the network, and what it may choose from."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from ledger.consensus.events import Tip
from ledger.consensus.messages import (
    Commit,
    CommitMessage,
    Message,
    Payload,
    Prepare,
    PreparedCertificate,
    PrepareMessage,
    Proposal,
    ProposalMessage,
    ProposedBlock,
    RoundChange,
    RoundChangeMessage,
    Signed,
    sign_bytes,
)
from ledger.errors import InvalidMessage
from ledger.ordering.block_building import build_block
from ledger.ordering.consensus_codec import encode_message, encode_payload
from ledger.ordering.seals import SEAL_NONCE_BYTES, make_seal
from ledger.wire.validator_pb2 import Item
from tests.simulation.byzantine.behaviours import Behaviour, draw_behaviours
from tests.simulation.byzantine.memory import Memory

if TYPE_CHECKING:
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

P = TypeVar("P", bound=Payload)
ENTRIES_MAX = 3


class Conspiracy:
    """All liars of a world: one memory, one plan, each its own key."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.rng = world.adversary_rng
        self.memory = Memory()
        self.behaviours = draw_behaviours(self.rng)
        self.hits: Counter[Behaviour] = Counter()
        self.liars: dict[int, Liar] = {}

    def best_informed(self) -> "SimNode":
        """The node whose ledger is longest; liars know what it knows."""
        return max(self._booted(), key=lambda node: node.height)

    @property
    def knows_anything(self) -> bool:
        """Whether somebody has opened a ledger yet: every node may die in its first start."""
        return bool(self._booted())

    def _booted(self) -> list["SimNode"]:
        return [node for node in self.world.nodes if node.has_opened_ledger]

    def certificates(self, height: int) -> list[PreparedCertificate]:
        """Every quorum of prepares that honest votes and the liars' own can make, old ones too."""
        found = []
        tip = self.best_informed().committer.tip
        for (h, round_number, digest), votes in self.memory.prepares.items():
            block = self.memory.blocks[h].get(digest) if h == height else None
            if block is None:
                continue
            vote = Prepare(height, round_number, digest)
            members = {author: one for author, one in votes.items() if author in tip.validators}
            for identity, liar in self.liars.items():
                if identity not in members and identity in tip.validators:
                    members[identity] = liar.signed(vote)
            if len(members) >= needed(tip):
                chosen = tuple(one for _, one in sorted(members.items()))[: needed(tip)]
                found.append(PreparedCertificate(round_number, block, chosen))
        return sorted(found, key=lambda lock: lock.round)


class Liar:
    """One lying validator. Everything it says is real bytes under its own signature."""

    def __init__(self, conspiracy: Conspiracy, identity: int, slot: int) -> None:
        self.conspiracy = conspiracy
        self.world = conspiracy.world
        self.rng = conspiracy.rng
        self.memory = conspiracy.memory
        self.identity = identity
        self.slot = slot
        self.alive = False
        self.quiet_until_ms = 0
        self.withheld: list[bytes] = []
        self._signer = self.world.consortium.signer(identity)
        conspiracy.liars[identity] = self

    # -- what it knows ----------------------------------------------------------------------------

    @property
    def tip(self) -> Tip:
        return self.conspiracy.best_informed().committer.tip

    @property
    def height(self) -> int:
        """Under decision."""
        return self.tip.height + 1

    @property
    def others(self) -> list[int]:
        return [v for v in self.tip.validators if v != self.identity]

    def my_rounds(self, *, from_round: int = 0) -> list[int]:
        """Rounds of this height, as far as anyone has come, in which it proposes."""
        tip = self.tip
        top = self.memory.top_round[tip.height + 1] + 1
        return [
            r
            for r in range(from_round, top + 1)
            if tip.validators[(tip.height + 1 + r) % len(tip.validators)] == self.identity
        ]

    # -- making -----------------------------------------------------------------------------------

    def sign_raw(self, payload_raw: bytes) -> bytes:
        """Its signature over a payload, under the set in force."""
        domain = self.conspiracy.best_informed().channel.state.domain
        return self._signer.sign(sign_bytes(domain, payload_raw))

    def signed(self, payload: P) -> Signed[P]:
        raw = encode_payload(payload, self.identity)
        return Signed(payload, self.identity, raw, self.sign_raw(raw))

    def signed_prepare(self, height: int, round_number: int, digest: bytes) -> Signed[Prepare]:
        return self.signed(Prepare(height, round_number, digest))

    def prepare(self, height: int, round_number: int, digest: bytes) -> bytes:
        return encode_message(PrepareMessage(self.signed_prepare(height, round_number, digest)))

    def commit(self, round_number: int, block: ProposedBlock) -> bytes:
        nonce = self.world.random_bytes(SEAL_NONCE_BYTES)
        seal = make_seal(self._signer, self.identity, nonce, block, round_number)
        payload = Commit(block.height, round_number, block.digest, seal)
        return encode_message(CommitMessage(self.signed(payload), seal_verified=True))

    def round_change(
        self, height: int, round_number: int, lock: PreparedCertificate | None = None
    ) -> RoundChangeMessage:
        if lock is None:
            return RoundChangeMessage(self.signed(RoundChange(height, round_number, None, None)))
        claim = RoundChange(height, round_number, lock.round, lock.block.digest)
        return RoundChangeMessage(self.signed(claim), lock.block, lock.prepares)

    def proposal(
        self,
        round_number: int,
        block: ProposedBlock,
        round_changes: Iterable[Signed[RoundChange]] = (),
        prepares: Iterable[Signed[Prepare]] = (),
    ) -> bytes:
        payload = Proposal(block.height, round_number, block.digest)
        message = ProposalMessage(
            self.signed(payload), block, tuple(round_changes), tuple(prepares)
        )
        raw = encode_message(message)
        self.memory.learn(raw, message, is_honest=False)
        return raw

    def fresh_block(self) -> ProposedBlock | None:
        """A good block of its own; None when it knows no transaction."""
        known = list(self.memory.transactions)
        if not known:
            return None
        rng, tip = self.rng, self.tip
        entries = tuple(rng.sample(known, rng.randint(1, min(ENTRIES_MAX, len(known)))))
        now_ms = max(self.world.now_ms + rng.randint(-3, 3), tip.block_time_ms + 1)
        return build_block(
            tip=tip,
            proposer=self.identity,
            entries=entries,
            last_config=self.conspiracy.best_informed().committer.last_config,
            now_ms=now_ms,
        )

    # -- saying -----------------------------------------------------------------------------------

    def say(self, behaviour: Behaviour, raw: bytes, to: Iterable[int] | None = None) -> bool:
        """Send to these, or to a random part of the others; counts as one hit."""
        return self.say_item(behaviour, Item(consensus_message=raw), to)

    def say_item(self, behaviour: Behaviour, item: Item, to: Iterable[int] | None = None) -> bool:
        receivers = list(self.some() if to is None else to)
        for consenter_id in receivers:
            self.world.send(self, consenter_id, item)
        if receivers:
            self.conspiracy.hits[behaviour] += 1
        return bool(receivers)

    def some(self) -> list[int]:
        """A random part of the others, in random order."""
        others = self.others
        return self.rng.sample(others, self.rng.randint(1, len(others)))

    def halves(self) -> tuple[list[int], list[int]]:
        others = self.others
        self.rng.shuffle(others)
        cut = self.rng.randint(1, len(others) - 1)
        return others[:cut], others[cut:]

    def hear(self, item: Item) -> Message | None:
        """Remember what a message says."""
        kind, raw, _ = self.world.parcels.open(item)
        if kind == "transactions":
            self.memory.transactions.update(dict.fromkeys(raw))
            return None
        if kind != "consensus_message" or not raw:
            return None
        try:
            message = self.world.decode(raw)
        except InvalidMessage:
            return None
        is_honest = message.signed.author not in self.world.byzantine
        self.memory.learn(raw, message, is_honest=is_honest)
        return message


Strategy = Callable[[Liar], bool]
"""Does one thing if it can; whether it did."""


def needed(tip: Tip) -> int:
    """A quorum."""
    return len(tip.validators) - len(tip.validators) // 3
