"""The consensus core against liars: messages near to correct ones, in any order, at any time.

The input's bytes steer what happens: whose message comes next, which of its fields is off by one
or at the edge of its type, when a timer fires and when a block becomes durable. Signatures are
good: whatever a validator can sign, the core must take.
"""

from dataclasses import dataclass, replace

from ledger.consensus import effects as fx
from ledger.consensus import events as ev
from ledger.consensus.justification import check_proposal_justification
from ledger.consensus.limits import FUTURE_MESSAGES_PER_AUTHOR, KEPT_BLOCKS
from ledger.consensus.messages import (
    CommitMessage,
    Message,
    Prepare,
    PrepareMessage,
    ProposalMessage,
    ProposedBlock,
    RoundChange,
    RoundChangeMessage,
    Signed,
)
from ledger.consensus.quorum import quorum
from ledger.errors import InvalidMessage
from tests.fuzz.choices import Choices
from tests.fuzz.engine import ACCEPTED, FuzzTarget, Shape
from tests.unit.consensus.scene import Lock, Scene

STEPS_BYTES_MAX = 2_048
EDGES = (0, 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 2**63, 2**64 - 1)
STRANGERS = (0, 6, 99, 2**32 - 1)


@dataclass(slots=True)
class _Liars:
    """Four of five validators under the input's control."""

    choices: Choices
    scene: Scene
    blocks: list[ProposedBlock]

    def message(self) -> Message:
        """A correct message of some kind, or one with up to two fields changed."""
        made = self._correct()
        for _ in range(self.choices.below(3)):
            made = self._off(made)
        return made

    def _correct(self) -> Message:
        scene, choices = self.scene, self.choices
        author = choices.one_of(scene.validators)
        round_number = scene.state.now.round + choices.one_of((0, 0, 0, 1, 2))
        block = choices.one_of(self.blocks)
        match choices.below(6):
            case 0:
                return scene.proposal(block, round_number)
            case 1:
                return scene.prepare(author, block, round_number)
            case 2:
                verified = not choices.chance(4)
                return scene.commit(author, block, round_number, verified=verified)
            case 3:
                return scene.round_change(author, round_number + 1, self._lock(block))
            case 4:
                return scene.justified(block, round_number + 1)
            case _:
                return self._proposed_again(block, round_number + 1)

    def _lock(self, block: ProposedBlock) -> Lock | None:
        if self.choices.chance(2):
            return self.scene.lock(block, self.choices.below(3))
        return None

    def _proposed_again(self, block: ProposedBlock, round_number: int) -> ProposalMessage:
        lock = self.scene.lock(block, self.choices.below(2))
        certificate = self.scene.certificate(round_number, {self.choices.below(6): lock})
        return self.scene.proposal(
            block, round_number, round_changes=certificate, prepares=lock.prepares
        )

    # -- a field off ------------------------------------------------------------------------------

    def _off(self, message: Message) -> Message:
        match self.choices.below(4), message:
            case 0, _:
                return replace(message, signed=self._signed(message.signed))
            case 1, ProposalMessage() | RoundChangeMessage():
                return replace(message, prepares=self._items(message.prepares))
            case 2, ProposalMessage():
                return replace(message, round_changes=self._items(message.round_changes))
            case 3, ProposalMessage() | RoundChangeMessage():
                return replace(message, block=self._block(message))
        return message

    def _items(self, items: tuple[Signed, ...]) -> tuple[Signed, ...]:
        if not items:
            return (self.scene.prepare(1, self.blocks[0]).signed,)
        at = self.choices.below(len(items))
        match self.choices.below(4):
            case 0:
                return (*items[:at], *items[at + 1 :])
            case 1:
                return (*items, items[at])
            case 2:
                return (items * 50)[:500]
            case _:
                return (*items[:at], self._signed(items[at]), *items[at + 1 :])

    def _signed(self, signed: Signed) -> Signed:
        payload, choices = signed.payload, self.choices
        match choices.below(6):
            case 0:
                return replace(signed, author=choices.one_of((*self.scene.validators, *STRANGERS)))
            case 1:
                payload = replace(payload, height=self._number(payload.height))
            case 2:
                payload = replace(payload, round=self._number(payload.round))
            case 3 if not isinstance(payload, RoundChange):
                payload = replace(payload, digest=choices.one_of(self.blocks).digest)
            case _ if isinstance(payload, RoundChange):
                payload = replace(
                    payload,
                    prepared_round=self._number(payload.prepared_round or 0),
                    prepared_digest=choices.one_of((None, self.blocks[0].digest, b"d" * 32)),
                )
            case _ if isinstance(payload, Prepare):
                return replace(signed, author=choices.one_of(self.scene.validators))
        return replace(signed, payload=payload)

    def _number(self, number: int) -> int:
        nearby = (number + 1, max(0, number - 1), number + 12, number)
        return self.choices.one_of((*nearby, *nearby, *EDGES))

    def _block(self, message: ProposalMessage | RoundChangeMessage) -> ProposedBlock | None:
        block, choices = message.block, self.choices
        if block is None or choices.chance(4):
            return choices.one_of(self.blocks)
        if isinstance(message, RoundChangeMessage) and choices.chance(4):
            return None
        metadata = block.metadata
        match choices.below(5):
            case 0:
                metadata = replace(metadata, block_time_ms=self._number(metadata.block_time_ms))
            case 1:
                metadata = replace(metadata, proposer=choices.one_of(STRANGERS))
            case 2:
                metadata = replace(metadata, previous_commit_hash=b"c" * 32)
            case 3:
                header = replace(block.header, number=self._number(block.header.number))
                return replace(block, header=header)
            case _:
                return replace(block, header=replace(block.header, previous_hash=b"p" * 32))
        return replace(block, metadata=metadata)


def _steps(raw: bytes) -> str:
    """A validator's life as the input says; its memory stays bounded at every step."""
    kinds: set[str] = set()
    choices = Choices(raw)
    scene = Scene(own=choices.one_of((1, 2, 3)))
    scene.tell(ev.TransactionsWaiting())
    liars = _Liars(choices, scene, [scene.block(name) for name in ("a", "b")])
    while not choices.is_over and not scene.state.halted:
        for effect in _one_step(liars):
            kinds.add(_effect_kind(effect))
            if isinstance(effect, fx.CommitBlock):
                scene.commit_durable(effect.block)
                scene.tell(ev.TransactionsWaiting())
                liars.blocks[:] = [scene.block(name) for name in ("a", "b")]
        _check_bounds(scene)
    return " ".join(sorted(kinds)) or ACCEPTED


def _effect_kind(effect: fx.Effect) -> str:
    name = type(effect).__name__
    return f"{name}.{effect.error.reason}" if isinstance(effect, fx.Reject) else name


def _one_step(liars: _Liars) -> list[fx.Effect]:
    scene, choices = liars.scene, liars.choices
    match choices.below(16):
        case 0:
            return scene.timeout()
        case 1:
            now = scene.state.now
            return scene.tell(ev.TimerExpired(ev.TimerKind.REBROADCAST, now.height, now.round))
        case 2:
            block = choices.one_of(liars.blocks)
            now = scene.state.now
            return scene.tell(ev.BlockBuilt(now.height, now.round, block))
        case 3:
            return scene.tell(ev.TransactionsGone())
        case 4:
            return scene.restart() if not scene.state.halted else []
    return scene.receive(liars.message())


def _check_bounds(scene: Scene) -> None:
    state = scene.state
    validators = len(scene.validators)
    assert len(state.future) <= validators * FUTURE_MESSAGES_PER_AUTHOR
    assert len(state.future.claims()) <= validators
    assert len(state.now.blocks) <= KEPT_BLOCKS + 2
    rounds = state.now.votes.commit_rounds()
    assert len(rounds) <= 2 * state.now.votes.window + 2


# -- justification --------------------------------------------------------------------------------


def _justification(raw: bytes) -> None:
    """The validator's verdict on a proposal's justification is the plain reading of the rules."""
    choices = Choices(raw)
    scene = Scene()
    liars = _Liars(choices, scene, [scene.block(name) for name in ("a", "b")])
    message: Message = liars.scene.proposal(liars.blocks[0])
    if choices.chance(8):
        message = liars.message()
    else:
        round_number = choices.below(4)
        lock = scene.lock(choices.one_of(liars.blocks), choices.below(3))
        locked = dict.fromkeys(scene.validators[: choices.below(4)], lock)
        message = scene.proposal(
            choices.one_of(liars.blocks),
            round_number,
            round_changes=scene.certificate(round_number, locked) if round_number else (),
            prepares=lock.prepares if locked else (),
        )
    for _ in range(choices.below(4)):
        message = liars._off(message)
    if isinstance(message, CommitMessage | PrepareMessage | RoundChangeMessage):
        return
    refusal = None
    try:
        check_proposal_justification(message, validators=scene.validators)
    except InvalidMessage as error:
        refusal = error
    assert _is_justified(message, scene.validators) == (refusal is None), f"{refusal}"
    if refusal is not None:
        raise refusal


def _is_justified(message: ProposalMessage, validators: tuple[int, ...]) -> bool:
    """docs/consensus.md read again, without looking at the product's code."""
    proposal, changes, prepares = message.signed.payload, message.round_changes, message.prepares
    needed = quorum(len(validators))
    if proposal.round == 0:
        return not changes and not prepares
    if not _distinct_validators(changes, validators, needed):
        return False
    prepared: dict[int, bytes] = {}
    for change in changes:
        payload = change.payload
        if (payload.height, payload.round) != (proposal.height, proposal.round):
            return False
        if (payload.prepared_round is None) != (payload.prepared_digest is None):
            return False
        if payload.prepared_round is not None:
            if not 0 <= payload.prepared_round < payload.round:
                return False
            digest = prepared.setdefault(payload.prepared_round, payload.prepared_digest)
            if digest != payload.prepared_digest:
                return False
    if not prepared:
        return not prepares
    highest = max(prepared)
    wanted = Prepare(proposal.height, highest, prepared[highest])
    return (
        proposal.digest == prepared[highest]
        and all(vote.payload == wanted for vote in prepares)
        and _distinct_validators(prepares, validators, needed)
    )


def _distinct_validators(
    items: tuple[Signed, ...], validators: tuple[int, ...], needed: int
) -> bool:
    authors = [item.author for item in items]
    known = set(authors) <= set(validators)
    return known and len(set(authors)) == len(authors) >= needed


def _random_steps() -> list[bytes]:
    return [bytes([15, *range(1, 250, step)]) for step in (1, 3, 7, 11, 13, 29)]


TARGETS = (
    FuzzTarget(
        "core",
        "the consensus core among liars",
        _random_steps,
        lambda: _steps,
        STEPS_BYTES_MAX,
        allowed=(),
        shape=Shape.BYTES,
    ),
    FuzzTarget(
        "justification",
        "the proof that comes with a proposal of a later round",
        lambda: [bytes([step] * 24) for step in range(1, 60, 3)],
        lambda: _justification,
        STEPS_BYTES_MAX,
        shape=Shape.BYTES,
    ),
)
