"""Lies with PREPARE and COMMIT."""

from ledger.consensus.messages import ProposedBlock
from ledger.ordering.consensus_codec import encode_message
from tests.simulation.byzantine.behaviours import Behaviour
from tests.simulation.byzantine.liar import Liar

RELEASED_AFTER = 2
"""Withheld messages that are kept before the oldest must go."""


def _target(liar: Liar) -> tuple[int, bytes] | None:
    """A proposal of this height, mostly of the newest round."""
    targets = liar.memory.targets(liar.height)
    if not targets:
        return None
    if liar.rng.random() < 0.6:
        newest = targets[-1][0]
        targets = [target for target in targets if target[0] == newest]
    return liar.rng.choice(targets)


def _block(liar: Liar, digest: bytes) -> ProposedBlock | None:
    return liar.memory.blocks[liar.height].get(digest)


def _other_digest(liar: Liar, digest: bytes) -> bytes:
    """Of another block of this height, or of none."""
    others = [other for other in liar.memory.blocks[liar.height] if other != digest]
    return liar.rng.choice(others) if others else liar.rng.randbytes(32)


def double_vote(liar: Liar) -> bool:
    """B5: PREPARE and COMMIT for every block of a round, each block's to a part of the others."""
    target = _target(liar)
    if target is None:
        return False
    round_number, _ = target
    digests = [d for r, d in liar.memory.targets(liar.height) if r == round_number]
    if len(digests) == 1:
        digests.append(_other_digest(liar, digests[0]))
    for digest in digests:
        to = liar.some()
        liar.say(Behaviour.DOUBLE_VOTE, liar.prepare(liar.height, round_number, digest), to)
        block = _block(liar, digest)
        if block is not None and liar.rng.random() < 0.7:
            liar.say(Behaviour.DOUBLE_VOTE, liar.commit(round_number, block), to)
    return True


def vote_to_some(liar: Liar) -> bool:
    """B6: what an honest validator would say, but not to everyone."""
    target = _target(liar)
    if target is None:
        return False
    round_number, digest = target
    block = _block(liar, digest)
    if block is None or liar.rng.random() < 0.5:
        return liar.say(Behaviour.VOTE_TO_SOME, liar.prepare(liar.height, round_number, digest))
    return liar.say(Behaviour.VOTE_TO_SOME, liar.commit(round_number, block))


def vote_elsewhere(liar: Liar) -> bool:
    """B7: votes of rounds and heights that are over or have not begun."""
    target = _target(liar)
    if target is None:
        return False
    rng = liar.rng
    round_number, digest = target
    height = max(0, liar.height + rng.choice([-1, 0, 0, 1, 2, 11]))
    elsewhere = max(0, round_number + rng.choice([-2, -1, 1, 2, 30]))
    block = _block(liar, digest)
    raw = rng.choice(
        [
            liar.prepare(height, elsewhere, digest),
            encode_message(liar.round_change(height, elsewhere + 1)),
            liar.commit(elsewhere, block) if block else liar.prepare(height, 0, digest),
        ]
    )
    return liar.say(Behaviour.VOTE_ELSEWHERE, raw)


def early_commit(liar: Liar) -> bool:
    """B8: a seal at once, whoever prepared."""
    targets = [
        (r, d)
        for r, d in liar.memory.targets(liar.height)
        if len(liar.memory.prepares[liar.height, r, d]) < 2
    ]
    if not targets:
        return False
    round_number, digest = liar.rng.choice(targets)
    block = _block(liar, digest)
    if block is None:
        return False
    return liar.say(Behaviour.EARLY_COMMIT, liar.commit(round_number, block))


def withheld_commits(liar: Liar) -> bool:
    """B17: keeps back the vote that completes a quorum, and gives it to a few much later.

    Together with the others' votes it makes a certificate of a round everyone has left.
    """
    rng = liar.rng
    if len(liar.withheld) > RELEASED_AFTER or (liar.withheld and rng.random() < 0.4):
        raw = liar.withheld.pop(rng.randrange(len(liar.withheld)))
        to = liar.some()[:2]
        liar.say(Behaviour.WITHHELD_COMMITS, raw, to)
        return _forward_old_votes(liar, to)
    target = _target(liar)
    block = _block(liar, target[1]) if target is not None else None
    if target is None or block is None:
        return False
    liar.withheld.append(liar.commit(target[0], block))
    if rng.random() < 0.3:
        liar.withheld.append(liar.prepare(liar.height, target[0], target[1]))
    return True


def _forward_old_votes(liar: Liar, to: list[int]) -> bool:
    """Others' seals of this height, so that whoever missed them decides now and alone."""
    for (height, _, _), commits in list(liar.memory.commits.items()):
        if height != liar.height:
            continue
        for message in commits.values():
            liar.say(Behaviour.WITHHELD_COMMITS, encode_message(message), to)
    return True


def huge_round(liar: Liar) -> bool:
    """B19: rounds at and beyond the edge of every integer type."""
    rng = liar.rng
    target = _target(liar)
    digest = target[1] if target is not None else bytes(32)
    round_number = rng.choice([1_000_000, 1_000_001, 2**31, 2**32, 2**63, 2**64 - 1])
    block = _block(liar, digest)
    choices = [
        liar.prepare(liar.height, round_number, digest),
        encode_message(liar.round_change(liar.height, round_number)),
        liar.prepare(round_number, 0, digest),
    ]
    if block is not None:
        choices += [liar.commit(round_number, block), liar.proposal(round_number, block)]
    return liar.say(Behaviour.HUGE_ROUND, rng.choice(choices))


FLOOD_MESSAGES = 40
"""Enough to fill every window of four validators, far within a sender's quota."""


def flood(liar: Liar) -> bool:
    """B20: many small messages to one victim, all different, all signed."""
    victim = liar.rng.choice(liar.others)
    height = liar.height + liar.rng.choice([0, 1, 5])
    for number in range(FLOOD_MESSAGES):
        digest = number.to_bytes(32, "big")
        raw = liar.prepare(height, liar.rng.randint(0, 40), digest)
        liar.say(Behaviour.FLOOD, raw, [victim])
    return True
