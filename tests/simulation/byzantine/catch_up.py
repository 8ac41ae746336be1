"""Lies to those who fetch blocks: heights, other chains, parts of blocks, seals of nobody."""

from dataclasses import replace

from ledger.crypto.hashing import block_hash
from ledger.model.block import SLOT_SIGNATURES, Block, BlockSignature
from ledger.model.codec_block import (
    decode_block,
    decode_block_signatures,
    encode_block,
    encode_block_signatures,
    encode_identifier_header,
)
from ledger.ordering.seals import SEAL_NONCE_BYTES, make_seal, sealed_block
from ledger.wire.validator_pb2 import BlockRequest, BlockResponse, Item, Status
from tests.simulation.byzantine.behaviours import Behaviour
from tests.simulation.byzantine.liar import Liar, needed

BLOCKS_MAX = 5


def tempt(liar: Liar) -> bool:
    """B21: claims a height so that others ask it for blocks, or one below its own."""
    if liar.rng.random() < 0.3:
        return liar.say_item(Behaviour.SYNC_LIE, Item(status=_stale_status(liar)))
    height = liar.height + liar.rng.choice([-1, 1, 1, 2, 1_000, 2**63])
    status = Status(
        height=max(0, height),
        block_hash=liar.rng.randbytes(32),
        commit_hash=liar.rng.randbytes(32),
    )
    return liar.say_item(Behaviour.SYNC_LIE, Item(status=status))


def _stale_status(liar: Liar) -> Status:
    """True once: an old tip, with its real hash, as if nothing had happened since."""
    store = liar.conspiracy.best_informed().store
    number = liar.rng.randrange(store.height())
    block = store.block(number)
    assert block is not None, "below the height of its own ledger"
    return Status(height=number + 1, block_hash=block_hash(block.header), commit_hash=bytes(32))


def tempt_to_seals(liar: Liar) -> bool:
    """B18 begins like B21: somebody must ask."""
    status = Status(height=liar.height + 1, block_hash=bytes(32), commit_hash=bytes(32))
    return liar.say_item(Behaviour.BAD_SEALS, Item(status=status))


def answer(liar: Liar, sender: int, request: BlockRequest) -> None:
    """What is asked for, or something else, as its plan has it."""
    plan = [
        b for b in (Behaviour.SYNC_LIE, Behaviour.BAD_SEALS) if b in liar.conspiracy.behaviours
    ]
    blocks = _genuine(liar, request)
    if not plan or liar.rng.random() < 0.2:
        response = BlockResponse(blocks=blocks)
        liar.world.send(liar, sender, Item(block_response=response))
        return
    behaviour = liar.rng.choice(plan)
    twist = _lie if behaviour is Behaviour.SYNC_LIE else _with_bad_seals
    response = BlockResponse(blocks=twist(liar, blocks, request.from_number))
    liar.say_item(behaviour, Item(block_response=response), [sender])


def _genuine(liar: Liar, request: BlockRequest) -> list[bytes]:
    store = liar.conspiracy.best_informed().store
    stop = min(request.to_number + 1, request.from_number + BLOCKS_MAX, store.height())
    found = [store.block_raw(number) for number in range(request.from_number, stop)]
    return [raw for raw in found if raw is not None]


def _lie(liar: Liar, blocks: list[bytes], start: int) -> list[bytes]:
    """Nothing, parts, the wrong ones, stale ones, or a chain of its own."""
    rng = liar.rng
    own = _own_block(liar)
    match rng.randrange(8):
        case 0:
            return []
        case 1:
            return [raw[: len(raw) // 2] for raw in blocks]
        case 2:
            return blocks[::-1]
        case 3:
            return [*blocks, *own]
        case 4:
            store = liar.conspiracy.best_informed().store
            genesis = store.block_raw(0)
            return [genesis] if genesis is not None else []
        case 5:
            return _stale(liar, start)
        case 6:
            return _stale(liar, start, skipped=True)
        case _:
            return own or [_other_entries(decode_block(raw)) for raw in blocks]


def _stale(liar: Liar, start: int, *, skipped: bool = False) -> list[bytes]:
    """Genuine blocks from another place in the chain: what its ledger once ended with.

    With `skipped`, those that an older snapshot would be followed by, without the ones before.
    """
    store = liar.conspiracy.best_informed().store
    first = min(start + 1, store.height() - 1) if skipped else max(0, start - BLOCKS_MAX)
    stop = store.height() if skipped else max(1, start)
    found = [store.block_raw(number) for number in range(first, stop)][:BLOCKS_MAX]
    return [raw for raw in found if raw is not None]


def _own_block(liar: Liar) -> list[bytes]:
    """The next block with the seals that the liars alone can make."""
    block = liar.fresh_block()
    if block is None:
        return []
    seals = tuple(
        make_seal(
            liar.world.consortium.signer(identity),
            identity,
            liar.world.random_bytes(SEAL_NONCE_BYTES),
            block,
            0,
        )
        for identity in liar.conspiracy.liars
    )
    return [encode_block(sealed_block(block, 0, seals * needed(liar.tip)))]


def _other_entries(block: Block) -> bytes:
    """Under good seals, entries that nobody sealed."""
    return encode_block(replace(block, entries=(*block.entries, *block.entries[:1])))


def _with_bad_seals(liar: Liar, blocks: list[bytes], start: int) -> list[bytes]:
    """Genuine blocks, or one that has not been decided, under seals that do not suffice."""
    if not blocks:
        return _own_block(liar)
    return [_twisted(liar, decode_block(raw)) for raw in blocks]


def _twisted(liar: Liar, block: Block) -> bytes:
    rng = liar.rng
    signed = decode_block_signatures(block.metadata[SLOT_SIGNATURES])
    seals = signed.signatures
    if not seals:
        return encode_block(block)
    header = encode_identifier_header(77, rng.randbytes(SEAL_NONCE_BYTES))
    stranger = BlockSignature(77, header, seals[0].signature)
    twisted = rng.choice(
        [
            seals[:1] * len(seals),
            seals[:-1],
            (*seals[:-1], stranger),
            (*seals[:-1], replace(seals[-1], signature=seals[0].signature)),
            (*seals[:-1], _of_another_round(liar, seals[-1])),
            seals * 2,
        ]
    )
    raw = encode_block_signatures(replace(signed, signatures=tuple(twisted)))
    return encode_block(replace(block, metadata=(raw, *block.metadata[1:])))


def _of_another_round(liar: Liar, seal: BlockSignature) -> BlockSignature:
    """A genuine seal of the same height from another round or for another block."""
    for commits in liar.memory.commits.values():
        for message in commits.values():
            found = message.signed.payload.seal
            if found.signature != seal.signature:
                return BlockSignature(
                    found.consenter_id, found.identifier_header_raw, found.signature
                )
    return seal
