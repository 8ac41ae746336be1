"""A stage for one validator: five of them exist, one core runs, the test speaks for the others.

Validators are 1 to n. The tip is genesis, so height 1 is decided; proposers of rounds 0, 1, 2, ...
are 2, 3, 4, ... (`validators[(height + round) % n]`).
"""

import pickle
from dataclasses import dataclass, replace

from ledger.consensus import effects as fx
from ledger.consensus import events as ev
from ledger.consensus.core import Core
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
from ledger.consensus.quorum import proposer_of, quorum
from ledger.consensus.records import Record, SafetyRecord
from ledger.consensus.recovery import recover
from ledger.consensus.round_state import CoreSettings, CoreState
from ledger.errors import Reason
from tests.support.unsigned_votes import (
    NOW_MS,
    genesis_tip,
    make_block,
    sign,
    signed,
    tip_after,
)


@dataclass(frozen=True)
class Lock:
    """Something prepared: what a round change may claim."""

    round: int
    block: ProposedBlock
    prepares: tuple[Signed[Prepare], ...]


class Scene:
    def __init__(self, own: int = 1, validators: int = 5, **settings) -> None:
        self.validators = tuple(range(1, validators + 1))
        self.own = own
        self.settings = CoreSettings(own_id=own, **settings)
        self.tip = genesis_tip(self.validators)
        self.journal: list[Record] = []
        self.seen: list[fx.Effect] = []
        """Every effect so far."""
        self._boot(None)

    # -- driving ----------------------------------------------------------------------------------

    def _boot(self, recovered: SafetyRecord | None, vote_from_height: int = 0) -> list[fx.Effect]:
        self.core = Core(self.settings)
        return self.tell(ev.Started(self.tip, recovered, vote_from_height))

    def restart(self, vote_from_height: int = 0) -> list[fx.Effect]:
        """Memory is gone; the journal and the chain are not."""
        return self._boot(recover(self.journal), vote_from_height)

    def tell(self, event: ev.Event) -> list[fx.Effect]:
        """One event; own signed messages come back at once, as they do from the shell."""
        effects: list[fx.Effect] = []
        pending = [event]
        while pending:
            for effect in self.core.step(pending.pop(0)):
                effects.append(effect)
                match effect:
                    case fx.Persist(record):
                        self.journal.append(record)
                    case fx.SignAndSend(intent):
                        pending.append(ev.MessageReceived(sign(intent, self.own), NOW_MS))
        self.seen += effects
        return effects

    def receive(self, *messages: Message, now_ms: int = NOW_MS) -> list[fx.Effect]:
        return [e for m in messages for e in self.tell(ev.MessageReceived(m, now_ms))]

    def timeout(self) -> list[fx.Effect]:
        now = self.state.now
        return self.tell(ev.TimerExpired(ev.TimerKind.ROUND, now.height, now.round))

    def others_follow(self) -> list[fx.Effect]:
        """A quorum, with this validator, is in its round."""
        others = [v for v in self.tip.validators if v != self.core.state.settings.own_id]
        needed = others[: self.state.quorum - 1]
        return self.receive(*(self.round_change(v, self.state.now.round) for v in needed))

    def commit_durable(self, block: ProposedBlock) -> list[fx.Effect]:
        self.tip = tip_after(self.tip, block)
        return self.tell(ev.BlockCommitted(self.tip))

    @property
    def state(self) -> CoreState:
        return self.core.state

    @property
    def quorum(self) -> int:
        return quorum(len(self.validators))

    # -- others speak -----------------------------------------------------------------------------

    def proposer(self, round_number: int = 0) -> int:
        return proposer_of(self.validators, self.tip.height + 1, round_number)

    def others(self, count: int, *, without: tuple[int, ...] = ()) -> list[int]:
        return [v for v in self.validators if v != self.own and v not in without][:count]

    def block(self, name: str = "a", author: int | None = None, **changes) -> ProposedBlock:
        """A fresh block of the proposer of round 0, unless told otherwise."""
        made = make_block(
            tip=self.tip,
            proposer=self.proposer() if author is None else author,
            entries=(name.encode(),),
            block_time_ms=NOW_MS,
        )
        return replace(made, metadata=replace(made.metadata, **changes)) if changes else made

    def proposal(
        self,
        block: ProposedBlock,
        round_number: int = 0,
        *,
        author: int | None = None,
        round_changes: tuple[Signed[RoundChange], ...] = (),
        prepares: tuple[Signed[Prepare], ...] = (),
        digest: bytes | None = None,
    ) -> ProposalMessage:
        payload = Proposal(self.tip.height + 1, round_number, digest or block.digest)
        by = self.proposer(round_number) if author is None else author
        return ProposalMessage(signed(payload, by), block, round_changes, prepares)

    def prepare(self, author: int, block: ProposedBlock, round_number: int = 0) -> PrepareMessage:
        return PrepareMessage(signed(Prepare(block.height, round_number, block.digest), author))

    def prepares(
        self, block: ProposedBlock, round_number: int = 0, count: int | None = None
    ) -> list[PrepareMessage]:
        """Of `count` others; one less than a quorum unless told otherwise."""
        authors = self.others(self.quorum - 1 if count is None else count)
        return [self.prepare(author, block, round_number) for author in authors]

    def commit(
        self, author: int, block: ProposedBlock, round_number: int = 0, *, verified: bool = True
    ) -> CommitMessage:
        payload = Commit(block.height, round_number, block.digest, Seal(author, b"", b""))
        return CommitMessage(signed(payload, author), seal_verified=verified)

    def commits(
        self, block: ProposedBlock, round_number: int = 0, count: int | None = None
    ) -> list[CommitMessage]:
        authors = self.others(self.quorum - 1 if count is None else count)
        return [self.commit(author, block, round_number) for author in authors]

    def lock(self, block: ProposedBlock, round_number: int = 0) -> Lock:
        votes = tuple(
            signed(Prepare(block.height, round_number, block.digest), author)
            for author in self.validators[: self.quorum]
        )
        return Lock(round_number, block, votes)

    def round_change(
        self, author: int, round_number: int, lock: Lock | None = None
    ) -> RoundChangeMessage:
        height = self.tip.height + 1
        if lock is None:
            return RoundChangeMessage(
                signed(RoundChange(height, round_number, None, None), author)
            )
        payload = RoundChange(height, round_number, lock.round, lock.block.digest)
        return RoundChangeMessage(signed(payload, author), lock.block, lock.prepares)

    def certificate(
        self, round_number: int, locks: dict[int, Lock] | None = None, count: int | None = None
    ) -> tuple[Signed[RoundChange], ...]:
        """A quorum of round changes; `locks` gives some authors a lock."""
        authors = self.validators[: self.quorum if count is None else count]
        found = locks or {}
        return tuple(self.round_change(a, round_number, found.get(a)).signed for a in authors)

    def justified(self, block: ProposedBlock, round_number: int) -> ProposalMessage:
        """A correct proposal of a fresh block in a later round."""
        return self.proposal(block, round_number, round_changes=self.certificate(round_number))

    # -- what was seen ----------------------------------------------------------------------------

    def prepared_own(self, block: ProposedBlock) -> None:
        """Bring the validator to a lock on `block` in the current round."""
        round_number = self.state.now.round
        self.receive(*self.prepares(block, round_number))
        lock = self.state.now.prepared
        assert lock is not None
        assert (lock.round, lock.block) == (round_number, block)


def intents(effects: list[fx.Effect], kind: type) -> list:
    return [e.intent for e in effects if isinstance(e, fx.SignAndSend) and type(e.intent) is kind]


def only(effects: list[fx.Effect], kind: type) -> list:
    return [e for e in effects if type(e) is kind]


def assert_refused(scene: Scene, message: Message, reason: Reason, **when) -> None:
    """The message is rejected for this reason, counted against its author, and changes nothing."""
    before = pickle.dumps(scene.state)
    effects = scene.receive(message, **when)
    assert [type(e) for e in effects] == [fx.Reject], effects
    assert effects[0].author == message.signed.author
    assert effects[0].error.reason is reason, effects[0].error
    assert pickle.dumps(scene.state) == before
