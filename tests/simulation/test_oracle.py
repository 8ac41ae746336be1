"""Two judges of proposals, written apart, agree about thousands of good and spoiled ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from ledger.consensus.events import Tip
from ledger.consensus.messages import (
    Prepare,
    Proposal,
    ProposalMessage,
    ProposedBlock,
    RoundChange,
    Signed,
    sign_bytes,
)
from ledger.consensus.proposal_rules import check_commit_hash, check_proposal
from ledger.errors import InvalidMessage
from ledger.model.codec_block import encode_consenter_metadata
from ledger.ordering.block_building import build_block, check_contents
from ledger.ordering.consensus_codec import (
    block_digest,
    decode_message,
    encode_message,
    encode_payload,
)
from ledger.ordering.consensus_verifier import ConsensusVerifier
from ledger.ordering.pool import BlockLimits
from tests.simulation.invariants.signatures import SecondOpinion
from tests.simulation.keys import START_MS, SimConsortium, sim_consortium
from tests.simulation.oracle import Situation, Unjustified, judge
from tests.simulation.shared import shared_parts
from tests.simulation.transactions import Order, build

HEIGHT = 3
EXAMPLES = 600
EXAMPLES_IN_FULL = 20_000


@dataclass(frozen=True)
class Stage:
    """A height that some validators have reached."""

    consortium: SimConsortium
    tip: Tip
    situation: Situation
    entries: tuple[bytes, ...]

    def signed(self, payload: Proposal | Prepare | RoundChange, author: int, key: int = 0):
        """`key` signs, if it is not the author itself."""
        raw = encode_payload(payload, author)
        domain = shared_parts(self.consortium).channel_state(self.consortium.genesis).domain
        signature = self.consortium.signer(key or author).sign(sign_bytes(domain, raw))
        return Signed(payload, author, raw, signature)

    def block(self, author: int, variant: int = 0) -> ProposedBlock:
        return build_block(
            tip=self.tip,
            proposer=author,
            entries=self.entries[: variant + 1],
            last_config=0,
            now_ms=START_MS + variant,
        )


def stage_of(n: int) -> Stage:
    consortium = sim_consortium(n)
    validators = tuple(range(1, n + 1))
    set_hash = shared_parts(consortium).channel_state(consortium.genesis).validators.set_hash
    tip = Tip(HEIGHT - 1, b"p" * 32, START_MS - 5, b"c" * 32, validators, set_hash)
    situation = Situation(
        height=HEIGHT,
        parent_hash=tip.block_hash,
        parent_time_ms=tip.block_time_ms,
        commit_hash=tip.commit_hash,
        last_config=0,
        validators=validators,
        set_hash=set_hash,
    )
    entries = tuple(build(consortium, Order(i, "anna", None, n)) for i in range(1, 5))
    return Stage(consortium, tip, situation, entries)


STAGES = {n: stage_of(n) for n in (4, 5, 6, 7)}


def core_accepts(stage: Stage, raw: bytes) -> bool:
    """What a shipped validator does with the bytes before it prepares, its clock aside."""
    state = shared_parts(stage.consortium).channel_state(stage.consortium.genesis)
    try:
        message = decode_message(raw)
        ConsensusVerifier(state.validators, state.domain).check(message)
        assert isinstance(message, ProposalMessage)
        if message.signed.payload.height != HEIGHT or message.block.last_config != 0:
            return False
        check_contents(message.block, BlockLimits(), shared_parts(stage.consortium).memory)
        now_ms = message.block.metadata.block_time_ms
        check_proposal(message, tip=stage.tip, now_ms=now_ms, max_clock_skew_ms=0)
        check_commit_hash(message.block, stage.tip)
    except InvalidMessage:
        return False
    return True


def oracle_accepts(stage: Stage, raw: bytes) -> bool:
    try:
        judge(raw, stage.situation, SecondOpinion(stage.consortium).signature_is_good)
    except Unjustified:
        return False
    return True


# -- good proposals, and one thing wrong with them ------------------------------------------------


@dataclass(frozen=True)
class Parts:
    """A proposal before it is put together."""

    round: int
    author: int
    block: ProposedBlock
    changes: tuple[Signed[RoundChange], ...] = ()
    prepares: tuple[Signed[Prepare], ...] = ()
    height: int = HEIGHT


@st.composite
def good_parts(draw: st.DrawFn, stage: Stage) -> Parts:
    """Every kind of proposal a correct proposer makes."""
    validators = stage.situation.validators
    round_number = draw(st.integers(0, 4))
    leader = stage.situation.turn(round_number)
    if round_number == 0:
        return Parts(0, leader, stage.block(leader, draw(st.integers(0, 1))))
    count = draw(st.integers(stage.situation.quorum, len(validators)))
    authors = draw(st.permutations(validators))[:count]
    # One block for each round in which anything was prepared, as honest quorums make it.
    locked_rounds = draw(st.lists(st.integers(0, round_number - 1), max_size=2, unique=True))
    blocks = {r: stage.block(stage.situation.turn(r), r % 3) for r in locked_rounds}
    changes = []
    for author in authors:
        locked = draw(st.sampled_from([None, *locked_rounds]))
        digest = None if locked is None else blocks[locked].digest
        change = RoundChange(HEIGHT, round_number, locked, digest)
        changes.append(stage.signed(change, author))
    claimed = [c.payload.prepared_round for c in changes if c.payload.prepared_round is not None]
    if not claimed:
        return Parts(round_number, leader, stage.block(leader), tuple(changes))
    highest = max(claimed)
    vote = Prepare(HEIGHT, highest, blocks[highest].digest)
    quorum = draw(st.permutations(validators))[: stage.situation.quorum]
    prepares = tuple(stage.signed(vote, author) for author in quorum)
    return Parts(round_number, leader, blocks[highest], tuple(changes), prepares)


def spoil(draw: st.DrawFn, stage: Stage, parts: Parts) -> Parts:
    """One thing changed; it may still be good."""
    wrong = draw(st.sampled_from(SPOILS))
    event(wrong.__name__)
    return wrong(draw, stage, parts)


def another_author(draw: st.DrawFn, stage: Stage, parts: Parts) -> Parts:
    return replace(parts, author=draw(st.integers(1, len(stage.situation.validators))))


def another_round(draw: st.DrawFn, stage: Stage, parts: Parts) -> Parts:
    return replace(parts, round=draw(st.sampled_from([0, 1, 2, 3, 1_000_000, 1_000_001, 2**63])))


def another_height(draw: st.DrawFn, stage: Stage, parts: Parts) -> Parts:
    return replace(parts, height=HEIGHT + draw(st.sampled_from([-1, 1])))


def another_block(draw: st.DrawFn, stage: Stage, parts: Parts) -> Parts:
    author = draw(st.sampled_from([parts.author, *stage.situation.validators]))
    return replace(parts, block=stage.block(author, draw(st.integers(0, 2))))


def broken_block(draw: st.DrawFn, stage: Stage, parts: Parts) -> Parts:
    block, metadata, header = parts.block, parts.block.metadata, parts.block.header
    junk = b"j" * 32
    block = draw(
        st.sampled_from(
            [
                replace(block, metadata=replace(metadata, previous_commit_hash=junk)),
                replace(block, metadata=replace(metadata, transactions_root=junk)),
                replace(block, metadata=replace(metadata, validator_set_hash=junk)),
                replace(block, metadata=replace(metadata, block_time_ms=START_MS - 5)),
                replace(block, metadata=replace(metadata, block_time_ms=START_MS - 4)),
                replace(block, metadata=replace(metadata, proposer=99)),
                replace(block, metadata=replace(metadata, round=1)),
                replace(block, header=replace(header, data_hash=junk)),
                replace(block, header=replace(header, previous_hash=junk)),
                replace(block, header=replace(header, number=HEIGHT + 1)),
                replace(block, last_config=1),
                replace(block, entries=()),
                replace(block, entries=stage.entries),
            ]
        )
    )
    raw = encode_consenter_metadata(block.metadata)
    return replace(
        parts, block=replace(block, digest=block_digest(block.header, block.last_config, raw))
    )


def fewer_changes(draw: st.DrawFn, stage: Stage, parts: Parts) -> Parts:
    return replace(parts, changes=parts.changes[: draw(st.integers(0, len(parts.changes)))])


def repeated_change(draw: st.DrawFn, stage: Stage, parts: Parts) -> Parts:
    return replace(parts, changes=_repeat(draw, parts.changes))


def changed_change(draw: st.DrawFn, stage: Stage, parts: Parts) -> Parts:
    if not parts.changes:
        return parts
    number = draw(st.integers(0, len(parts.changes) - 1))
    old = parts.changes[number]
    round_number = draw(st.sampled_from([old.payload.round, old.payload.round + 1, 0]))
    locked = draw(st.sampled_from([None, 0, 1, old.payload.round, 2**40]))
    digest = draw(st.sampled_from([parts.block.digest, b"o" * 32]))
    height = draw(st.sampled_from([HEIGHT, HEIGHT, HEIGHT + 1]))
    change = RoundChange(height, round_number, locked, None if locked is None else digest)
    author = draw(st.sampled_from([old.author, 1, 99]))
    key = draw(st.sampled_from([0, 0, 1]))
    new = _signed(stage, change, author, key)
    return replace(parts, changes=(*parts.changes[:number], new, *parts.changes[number + 1 :]))


def fewer_prepares(draw: st.DrawFn, stage: Stage, parts: Parts) -> Parts:
    return replace(parts, prepares=parts.prepares[: draw(st.integers(0, len(parts.prepares)))])


def repeated_prepare(draw: st.DrawFn, stage: Stage, parts: Parts) -> Parts:
    return replace(parts, prepares=_repeat(draw, parts.prepares))


def changed_prepare(draw: st.DrawFn, stage: Stage, parts: Parts) -> Parts:
    old = parts.prepares[0] if parts.prepares else stage.signed(Prepare(HEIGHT, 0, b"x" * 32), 1)
    vote = Prepare(
        height=HEIGHT + draw(st.sampled_from([0, 0, 1])),
        round=draw(st.sampled_from([old.payload.round, old.payload.round + 1, 0])),
        digest=draw(st.sampled_from([old.payload.digest, b"o" * 32])),
    )
    author = draw(st.sampled_from([old.author, 1, 2, 99]))
    key = draw(st.sampled_from([0, 0, 1]))
    return replace(parts, prepares=(_signed(stage, vote, author, key), *parts.prepares[1:]))


def exchanged_changes_and_prepares(draw: st.DrawFn, stage: Stage, parts: Parts) -> Parts:
    return replace(parts, prepares=(), changes=parts.changes[::-1])


SPOILS = (
    another_author,
    another_round,
    another_height,
    another_block,
    broken_block,
    fewer_changes,
    repeated_change,
    changed_change,
    fewer_prepares,
    repeated_prepare,
    changed_prepare,
    exchanged_changes_and_prepares,
)


def _repeat(draw: st.DrawFn, items: Sequence) -> tuple:
    if not items:
        return ()
    one = draw(st.sampled_from(items))
    return (*items, one) if draw(st.booleans()) else (*items[:-1], one)


def _signed(stage: Stage, payload: Prepare | RoundChange, author: int, key: int):
    known = len(stage.consortium.members)
    return stage.signed(payload, author, key or (author if author <= known else 1))


def encoded(stage: Stage, parts: Parts) -> bytes:
    payload = Proposal(parts.height, parts.round, parts.block.digest)
    signed = stage.signed(payload, parts.author)
    return encode_message(ProposalMessage(signed, parts.block, parts.changes, parts.prepares))


# -- the two judges -------------------------------------------------------------------------------


@settings(max_examples=EXAMPLES // 4, deadline=None)
@given(data=st.data(), n=st.sampled_from(sorted(STAGES)))
def test_both_accept_what_a_correct_proposer_makes(data, n):
    stage = STAGES[n]
    raw = encoded(stage, data.draw(good_parts(stage)))
    assert oracle_accepts(stage, raw)
    assert core_accepts(stage, raw)


def compare_on_a_spoiled_proposal(data, n, times):
    stage = STAGES[n]
    parts = data.draw(good_parts(stage))
    for _ in range(times):
        parts = data.draw(st.composite(spoil)(stage, parts))
    raw = encoded(stage, parts)
    accepted = core_accepts(stage, raw)
    event(f"accepted: {accepted}")
    assert oracle_accepts(stage, raw) is accepted


SPOILED = given(data=st.data(), n=st.sampled_from(sorted(STAGES)), times=st.integers(1, 2))


@settings(max_examples=EXAMPLES, deadline=None)
@SPOILED
def test_both_say_the_same_of_a_spoiled_proposal(data, n, times):
    compare_on_a_spoiled_proposal(data, n, times)


@pytest.mark.full
@settings(max_examples=EXAMPLES_IN_FULL, deadline=None)
@SPOILED
def test_both_say_the_same_of_thousands_of_spoiled_proposals(data, n, times):
    compare_on_a_spoiled_proposal(data, n, times)


@settings(max_examples=EXAMPLES // 4, deadline=None)
@given(data=st.data(), n=st.sampled_from(sorted(STAGES)))
def test_both_say_the_same_of_bytes_with_one_flipped(data, n):
    stage = STAGES[n]
    raw = bytearray(encoded(stage, data.draw(good_parts(stage))))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        if not isinstance(decode_message(bytes(raw)), ProposalMessage):
            return
    except InvalidMessage:
        assert not core_accepts(stage, bytes(raw))
        return
    assert oracle_accepts(stage, bytes(raw)) is core_accepts(stage, bytes(raw))
