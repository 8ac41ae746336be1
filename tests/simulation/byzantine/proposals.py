"""Lies of a proposer."""

from collections.abc import Sequence
from dataclasses import replace

from ledger.consensus.messages import (
    PreparedCertificate,
    Proposal,
    ProposalMessage,
    ProposedBlock,
    RoundChange,
    RoundChangeMessage,
    Signed,
)
from ledger.model.codec_block import encode_consenter_metadata
from ledger.ordering.consensus_codec import (
    block_digest,
    encode_message,
    encode_payload,
)
from tests.simulation.byzantine.behaviours import Behaviour
from tests.simulation.byzantine.liar import Liar, needed


def two_proposals(liar: Liar) -> bool:
    """B3: two blocks in one round, each to one half, and votes to go with each."""
    round_number = _round_to_propose(liar)
    if round_number is None:
        return False
    justification = _any_quorum(liar, round_number)
    if justification is None:
        return False
    for to in liar.halves():
        block = _block_for(liar, justification)
        if block is None:
            return False
        changes, lock = justification
        raw = liar.proposal(round_number, block, changes, lock.prepares if lock else ())
        liar.say(Behaviour.TWO_PROPOSALS, raw, to)
        if liar.rng.random() < 0.7:
            liar.say(
                Behaviour.TWO_PROPOSALS, liar.prepare(block.height, round_number, block.digest), to
            )
    return True


def proposal_to_some(liar: Liar) -> bool:
    """B4: a good proposal that only a part of the others gets."""
    round_number = _round_to_propose(liar)
    justification = None if round_number is None else _any_quorum(liar, round_number)
    if round_number is None or justification is None:
        return False
    block = _block_for(liar, justification)
    if block is None:
        return False
    changes, lock = justification
    raw = liar.proposal(round_number, block, changes, lock.prepares if lock else ())
    return liar.say(Behaviour.PROPOSAL_TO_SOME, raw)


def weakest_justification(liar: Liar) -> bool:
    """B11: of all quorums of round changes, the one that shows the least.

    Where the liars themselves speak, they hide their locks, or show an old one that suits them.
    """
    round_number = _round_to_propose(liar, from_round=1)
    if round_number is None:
        return False
    justification = _weakest_quorum(liar, round_number)
    if justification is None:
        return False
    block = _block_for(liar, justification)
    if block is None:
        return False
    changes, lock = justification
    raw = liar.proposal(round_number, block, changes, lock.prepares if lock else ())
    return liar.say(Behaviour.WEAKEST_JUSTIFICATION, raw)


def lower_certificate(liar: Liar) -> bool:
    """B12: shows several locks and proposes the block of a lower one, or a fresh one."""
    round_number = _round_to_propose(liar, from_round=1)
    if round_number is None:
        return False
    locks = [
        lock for lock in liar.conspiracy.certificates(liar.height) if lock.round < round_number
    ]
    known = _round_changes(liar, round_number)
    quorum = needed(liar.tip)
    if len(known) < quorum or not (locks or liar.rng.random() < 0.3):
        return False
    changes = [message.signed for message in known[:quorum]]
    if locks and liar.rng.random() < 0.8:
        chosen = locks[0]
        raw = liar.proposal(round_number, chosen.block, changes, chosen.prepares)
    else:
        block = liar.fresh_block()
        if block is None:
            return False
        raw = liar.proposal(round_number, block, changes)
    return liar.say(Behaviour.LOWER_CERTIFICATE, raw)


def broken_justification(liar: Liar) -> bool:
    """B13: too few, the same author again and again, another round's, or nothing at all."""
    rng = liar.rng
    rounds = liar.my_rounds(from_round=1)
    block = liar.fresh_block()
    if not rounds or block is None:
        return False
    round_number = rng.choice(rounds)
    if rng.random() < 0.4 and _broken_prepares(liar, round_number):
        return True
    own = liar.round_change(liar.height, round_number).signed
    quorum = needed(liar.tip)
    known = [message.signed for message in _round_changes(liar, round_number)]
    others = [
        message.signed
        for (height, r), messages in liar.memory.round_changes.items()
        if (height, r) != (liar.height, round_number)
        for message in messages.values()
    ]
    changes: Sequence[Signed[RoundChange]] = rng.choice(
        [
            [],
            [own] * quorum,
            known[: quorum - 1],
            [*known[: quorum - 1], *known[:1]],
            [own, *others][:quorum],
            [own, *known, *known],
            [*known[: quorum - 1], _relabelled(liar, own)],
        ]
    )
    prepares = rng.choice([(), ()] + [lock.prepares for lock in _locks(liar)])
    return liar.say(
        Behaviour.BROKEN_JUSTIFICATION, liar.proposal(round_number, block, changes, prepares)
    )


def _broken_prepares(liar: Liar, round_number: int) -> bool:
    """Round changes in order, but the prepares are too few, repeated, or of something else."""
    rng = liar.rng
    justification = _any_quorum(liar, round_number)
    if justification is None:
        return False
    changes, lock = justification
    locks = _locks(liar)
    if lock is None or not locks:
        return False
    other = rng.choice(locks)
    prepares = rng.choice(
        [
            lock.prepares[:-1],
            (*lock.prepares[:-1], lock.prepares[0]),
            other.prepares,
            (*lock.prepares[:-1], liar.signed_prepare(liar.height, 0, other.block.digest)),
        ]
    )
    block = rng.choice([lock.block, other.block])
    raw = liar.proposal(round_number, block, changes, prepares)
    return liar.say(Behaviour.BROKEN_JUSTIFICATION, raw)


def wrong_proposer(liar: Liar) -> bool:
    """B14: proposes out of turn, or signs with its key in the name of the one whose turn it is."""
    block = liar.fresh_block()
    if block is None:
        return False
    rng, tip = liar.rng, liar.tip
    round_number = liar.memory.top_round[liar.height]
    leader = tip.validators[(liar.height + round_number) % len(tip.validators)]
    if leader == liar.identity:
        round_number += 1
        leader = tip.validators[(liar.height + round_number) % len(tip.validators)]
    changes = [message.signed for message in _round_changes(liar, round_number)]
    changes = changes[: needed(tip)] if round_number else []
    if rng.random() < 0.5:
        return liar.say(Behaviour.WRONG_PROPOSER, liar.proposal(round_number, block, changes))
    payload = Proposal(block.height, round_number, block.digest)
    raw = encode_payload(payload, leader)
    forged = Signed(payload, leader, raw, liar.sign_raw(raw))
    block = replace(block, metadata=replace(block.metadata, proposer=leader))
    message = ProposalMessage(forged, block, tuple(changes))
    return liar.say(Behaviour.WRONG_PROPOSER, encode_message(message))


def bad_block(liar: Liar) -> bool:
    """B15: a proposal in good form of a block that nobody may accept."""
    round_number = _round_to_propose(liar)
    block = liar.fresh_block()
    if round_number is None or block is None:
        return False
    justification = _any_quorum(liar, round_number)
    if justification is None or justification[1] is not None:
        return False
    raw = liar.proposal(round_number, _spoiled(liar, block), justification[0])
    return liar.say(Behaviour.BAD_BLOCK, raw)


# -- blocks ---------------------------------------------------------------------------------------


def _spoiled(liar: Liar, block: ProposedBlock) -> ProposedBlock:
    """The block with one thing wrong and a digest that fits."""
    rng, metadata, header = liar.rng, block.metadata, block.header
    junk = rng.randbytes(32)
    in_an_hour_ms = metadata.block_time_ms + 3_600_000
    block = rng.choice(
        [
            replace(block, metadata=replace(metadata, previous_commit_hash=junk)),
            replace(block, metadata=replace(metadata, transactions_root=junk)),
            replace(block, metadata=replace(metadata, validator_set_hash=junk)),
            replace(block, metadata=replace(metadata, block_time_ms=in_an_hour_ms)),
            replace(block, metadata=replace(metadata, block_time_ms=liar.tip.block_time_ms)),
            replace(block, metadata=replace(metadata, proposer=rng.choice([0, 9, 99]))),
            replace(block, header=replace(header, data_hash=junk)),
            replace(block, header=replace(header, previous_hash=junk)),
            replace(block, last_config=block.last_config + 1),
            replace(block, entries=(*block.entries, block.entries[0])),
            replace(block, entries=(*block.entries, b"no envelope")),
        ]
    )
    raw = encode_consenter_metadata(block.metadata)
    return replace(block, digest=block_digest(block.header, block.last_config, raw))


# -- justifications -------------------------------------------------------------------------------

Justification = tuple[list[Signed[RoundChange]], PreparedCertificate | None]
"""Round changes, and the lock that decides what to propose."""


def _round_to_propose(liar: Liar, *, from_round: int = 0) -> int | None:
    rounds = liar.my_rounds(from_round=from_round)
    return liar.rng.choice(rounds[-2:]) if rounds else None


def _block_for(liar: Liar, justification: Justification) -> ProposedBlock | None:
    lock = justification[1]
    return lock.block if lock is not None else liar.fresh_block()


def _round_changes(liar: Liar, round_number: int) -> list[RoundChangeMessage]:
    """Genuine ones of the others, and what the liars say themselves."""
    found = dict(liar.memory.round_changes[liar.height, round_number])
    for identity, accomplice in liar.conspiracy.liars.items():
        if identity in liar.tip.validators and round_number > 0:
            found[identity] = accomplice.round_change(liar.height, round_number)
    return [found[author] for author in sorted(found)]


def _any_quorum(liar: Liar, round_number: int) -> Justification | None:
    if round_number == 0:
        return [], None
    known = _round_changes(liar, round_number)
    quorum = needed(liar.tip)
    if len(known) < quorum:
        return None
    chosen = liar.rng.sample(known, quorum)
    return _with_lock(chosen)


def _weakest_quorum(liar: Liar, round_number: int) -> Justification | None:
    """The least locked honest ones; the liars without a lock, or with the lowest they can make."""
    honest = list(liar.memory.round_changes[liar.height, round_number].values())
    honest.sort(key=_locked_round)
    liars = [
        accomplice.round_change(liar.height, round_number, lock)
        for identity, accomplice in sorted(liar.conspiracy.liars.items())
        if identity in liar.tip.validators
        for lock in [_own_lock(liar, round_number)]
    ]
    quorum = needed(liar.tip)
    chosen = [*liars, *honest[: quorum - len(liars)]]
    if len(chosen) < quorum:
        return None
    return _with_lock(chosen[:quorum])


def _own_lock(liar: Liar, round_number: int) -> PreparedCertificate | None:
    locks = [lock for lock in _locks(liar) if lock.round < round_number]
    return locks[0] if locks and liar.rng.random() < 0.4 else None


def _locks(liar: Liar) -> list[PreparedCertificate]:
    return liar.conspiracy.certificates(liar.height)


def _with_lock(chosen: list[RoundChangeMessage]) -> Justification:
    highest = max(chosen, key=_locked_round)
    changes = [message.signed for message in chosen]
    if _locked_round(highest) < 0 or highest.block is None:
        return changes, None
    return changes, PreparedCertificate(_locked_round(highest), highest.block, highest.prepares)


def _locked_round(message: RoundChangeMessage) -> int:
    locked = message.signed.payload.prepared_round
    return -1 if locked is None else locked


def _relabelled(liar: Liar, own: Signed[RoundChange]) -> Signed[RoundChange]:
    """Its own round change in another's name."""
    author = liar.rng.choice(liar.others)
    raw = encode_payload(own.payload, author)
    return Signed(own.payload, author, raw, liar.sign_raw(raw))
