"""Lies with ROUND-CHANGE."""

from dataclasses import replace

from ledger.consensus.messages import (
    PreparedCertificate,
    RoundChange,
    RoundChangeMessage,
)
from ledger.ordering.consensus_codec import encode_message
from tests.simulation.byzantine.behaviours import Behaviour
from tests.simulation.byzantine.liar import Liar


def hidden_lock(liar: Liar) -> bool:
    """B9: a round change without the lock it could show, or with an older one (amnesia)."""
    rng = liar.rng
    round_number = max(1, liar.memory.top_round[liar.height] + rng.choice([0, 0, 1]))
    older = [
        lock for lock in liar.conspiracy.certificates(liar.height) if lock.round < round_number
    ]
    lock = older[0] if len(older) > 1 and rng.random() < 0.5 else None
    message = liar.round_change(liar.height, round_number, lock)
    return liar.say(Behaviour.HIDDEN_LOCK, encode_message(message))


def false_lock(liar: Liar) -> bool:
    """B10: claims a lock it cannot prove."""
    rng = liar.rng
    height = liar.height
    round_number = max(1, liar.memory.top_round[height] + rng.choice([0, 1]))
    locks = liar.conspiracy.certificates(height)
    blocks = list(liar.memory.blocks[height].values())
    if not blocks:
        return False
    block = rng.choice(blocks)
    true_lock = rng.choice(locks) if locks else None
    if true_lock is None:
        own = liar.signed_prepare(height, round_number - 1, block.digest)
        false = PreparedCertificate(round_number - 1, block, (own,) * rng.choice([0, 1, 3]))
    else:
        false = _spoiled(liar, true_lock)
    message = liar.round_change(height, round_number, false)
    if rng.random() < 0.2:
        claim = RoundChange(height, round_number, round_number + rng.randint(0, 2), block.digest)
        message = RoundChangeMessage(liar.signed(claim), block, false.prepares)
    return liar.say(Behaviour.FALSE_LOCK, encode_message(message))


def _spoiled(liar: Liar, lock: PreparedCertificate) -> PreparedCertificate:
    """A genuine certificate with one thing wrong."""
    rng = liar.rng
    others = [block for block in liar.memory.blocks[liar.height].values() if block != lock.block]
    match rng.randrange(5):
        case 0:
            return replace(lock, prepares=lock.prepares[:-1])
        case 1:
            return replace(lock, prepares=(*lock.prepares[:-1], lock.prepares[0]))
        case 2:
            return replace(lock, round=lock.round + 1)
        case 3 if others:
            return replace(lock, block=rng.choice(others))
        case _:
            foreign = [
                signed
                for vote, votes in liar.memory.prepares.items()
                if vote[1:] != (lock.round, lock.block.digest)
                for signed in votes.values()
            ]
            return replace(lock, prepares=(*lock.prepares[:-1], *foreign[:1]))
