"""Blocks made by a real Fabric 3.1.5 network (tests/vectors/fabric-blocks)."""

from pathlib import Path

from ledger.model.block import Block
from ledger.model.codec import decode_envelope
from ledger.model.codec_block import decode_block
from ledger.model.transaction import EndorserTransaction, Envelope

FOLDER = Path(__file__).parents[2] / "vectors" / "fabric-blocks"
ORDERED_BY_FABRIC = range(10)
ORDERED_BY_PYTHON = 10


def block_bytes(number: int) -> bytes:
    return (FOLDER / f"p{number}.block").read_bytes()


def block(number: int) -> Block:
    return decode_block(block_bytes(number))


def all_blocks() -> list[Block]:
    return [block(number) for number in (*ORDERED_BY_FABRIC, ORDERED_BY_PYTHON)]


def envelope(number: int) -> Envelope:
    (entry,) = block(number).entries
    return decode_envelope(entry)


def endorser_transactions(blocks: list[Block]) -> list[tuple[Envelope, EndorserTransaction]]:
    found = []
    for each in blocks:
        for entry in each.entries:
            opened = decode_envelope(entry)
            if opened.transaction is not None:
                found.append((opened, opened.transaction))
    return found
