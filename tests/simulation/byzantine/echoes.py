"""Lies with what others said: replayed, malleated, changed by one."""

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ledger.consensus.messages import Message
from ledger.crypto.signing import CURVE_ORDER, parse_signature
from ledger.ordering.consensus_codec import encode_message
from ledger.wire.consensus_pb2 import ConsensusMessage, ConsensusPayload
from tests.simulation.byzantine.behaviours import Behaviour
from tests.simulation.byzantine.liar import Liar

REPLAYED_AT_ONCE = 5


def replay(liar: Liar) -> bool:
    """B16: old traffic again, byte for byte."""
    captured = liar.memory.captured
    if not captured:
        return False
    for _ in range(liar.rng.randint(1, REPLAYED_AT_ONCE)):
        raw, _ = captured[liar.rng.randrange(len(captured))]
        liar.say(Behaviour.REPLAY, raw)
    return True


def malleated(liar: Liar) -> bool:
    """B22: a genuine message whose signature is the other one that verifies, with high S."""
    captured = liar.memory.captured
    if not captured:
        return False
    _, message = captured[liar.rng.randrange(len(captured))]
    r, s = parse_signature(message.signed.signature)
    signature = encode_dss_signature(r, CURVE_ORDER - s)
    twisted: Message = replace(message, signed=replace(message.signed, signature=signature))  # type: ignore[type-var]
    return liar.say(Behaviour.MALLEATED, encode_message(twisted))


def mutation(liar: Liar) -> bool:
    """A captured message with one number off by one or an old digest, signed by the liar."""
    captured = liar.memory.captured
    if not captured:
        return False
    rng = liar.rng
    raw, _ = captured[rng.randrange(len(captured))]
    wire = ConsensusMessage.FromString(raw)
    payload = ConsensusPayload.FromString(wire.signed.payload)
    keeps_author = rng.random() < 0.1
    if not keeps_author:
        payload.author = liar.identity
    if (wire.round_changes or wire.prepares) and rng.random() < 0.4:
        _change_a_part(liar, wire)
    else:
        _change_one_thing(liar, payload)
    wire.signed.payload = payload.SerializeToString(deterministic=True)
    wire.signed.signature = liar.sign_raw(wire.signed.payload)
    return liar.say(Behaviour.MUTATION, wire.SerializeToString())


def _change_a_part(liar: Liar, wire: ConsensusMessage) -> None:
    """One part of the justification: changed by one and signed by the liar, doubled or gone."""
    rng = liar.rng
    parts = rng.choice([part for part in (wire.round_changes, wire.prepares) if part])
    number = rng.randrange(len(parts))
    match rng.randrange(3):
        case 0:
            del parts[number]
        case 1:
            parts.append(parts[number])
        case _:
            payload = ConsensusPayload.FromString(parts[number].payload)
            payload.author = liar.identity
            _change_one_thing(liar, payload)
            parts[number].payload = payload.SerializeToString(deterministic=True)
            parts[number].signature = liar.sign_raw(parts[number].payload)


def _change_one_thing(liar: Liar, payload: ConsensusPayload) -> None:
    rng = liar.rng
    step = rng.choice([-1, 1])
    match rng.randrange(6):
        case 0:
            payload.height = max(0, payload.height + step)
        case 1:
            payload.round = max(0, payload.round + step)
        case 2:
            payload.prepared_round = max(0, payload.prepared_round + step)
            payload.has_prepared = True
        case 3:
            payload.author = max(0, payload.author + step)
        case 4:
            digests = [d for blocks in liar.memory.blocks.values() for d in blocks]
            if digests:
                payload.digest = rng.choice(digests)
        case _:
            payload.type = rng.randint(0, 5)
