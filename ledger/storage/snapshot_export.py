"""Writing a snapshot from a ledger database: the state before the newest block, with its proof.

The seals of block h + 1 vote on the state after block h, so a ledger whose newest block is h + 1
can prove the state after h. What block h + 1 changed is taken back on the way out.
"""

import heapq
from collections.abc import Iterator
from typing import BinaryIO

from ledger.errors import NodeFault
from ledger.model.block import Block
from ledger.model.codec_block import encode_block
from ledger.storage import keyspace
from ledger.storage.before_tip import BeforeTip, decode_before_tip
from ledger.storage.config_blocks import config_blocks
from ledger.storage.kv import KeyValueReader
from ledger.storage.ledger_store import LedgerStore
from ledger.storage.snapshot_file import (
    Counts,
    FrameKind,
    FrameWriter,
    Head,
    Record,
    encode_head,
)

SEALED_BLOCKS_MIN = 3
"""Genesis block, the snapshot's block, and the block that vouches for it."""


def export_snapshot(reader: KeyValueReader, store: LedgerStore, file: BinaryIO) -> Head:
    """Write the snapshot of the block below the tip; returns what it is of.

    `reader` is the database of `store`, at the same height. Raises NodeFault when the ledger
    cannot prove any state yet.
    """
    before = _before_tip(reader, store)
    tip = store.tip()
    number = tip.number - 1
    head = Head(
        channel_id=(reader.get(keyspace.CHANNEL_KEY) or b"").decode(),
        genesis_hash=reader.get(keyspace.GENESIS_HASH_KEY) or b"",
        block_number=number,
    )
    writer = FrameWriter(file)
    writer.write(FrameKind.HEAD, encode_head(head))
    newest_config = before.savepoint.last_config_number
    earlier = [block for block in config_blocks(store, newest_config) if block.number < number]
    for block in earlier:
        writer.write(FrameKind.CONFIG, encode_block(block))
    writer.write(FrameKind.BLOCK, encode_block(_stored(store, number)))
    writer.write(FrameKind.NEXT, encode_block(header_and_seals(_stored(store, tip.number))))
    values = writer.write_records(FrameKind.STATE, _values(reader, before))
    transactions = writer.write_records(FrameKind.TRANSACTIONS, _transactions(reader, tip.number))
    writer.end(Counts(len(earlier), values, transactions))
    return head


def header_and_seals(block: Block) -> Block:
    """A block without its entries, codes and commit hash."""
    return Block(header=block.header, entries=(), metadata=(block.metadata[0], b"", b"", b"", b""))


def _before_tip(reader: KeyValueReader, store: LedgerStore) -> BeforeTip:
    if store.height() < SEALED_BLOCKS_MIN:
        raise NodeFault(
            f"the ledger has {store.height()} blocks; a snapshot needs {SEALED_BLOCKS_MIN},"
            " because the block after it vouches for it"
        )
    raw = reader.get(keyspace.BEFORE_TIP_KEY)
    if raw is None:
        raise NodeFault(
            "this ledger itself began with a snapshot and has no block since;"
            " try again after the next block"
        )
    before = decode_before_tip(raw)
    if before.savepoint.height != store.height() - 1:
        raise NodeFault("what the newest block replaced is not recorded: the database is damaged")
    if before.records is None:
        raise NodeFault(
            "the newest block replaced too much to be noted; try again after the next block"
        )
    return before


def _stored(store: LedgerStore, number: int) -> Block:
    block = store.block(number)
    if block is None:
        raise NodeFault(f"block {number} is missing in the database")
    return block


def _values(reader: KeyValueReader, before: BeforeTip) -> Iterator[Record]:
    assert before.records is not None
    replaced = before.records
    unchanged = (
        record
        for record in reader.iterate(*keyspace.all_states_range())
        if record[0] not in replaced
    )
    earlier = sorted((key, value) for key, value in replaced.items() if value is not None)
    return heapq.merge(unchanged, earlier)


def _transactions(reader: KeyValueReader, tip: int) -> Iterator[Record]:
    return (
        (key, value)
        for key, value in reader.iterate(*keyspace.all_transactions_range())
        if keyspace.decode_location(value).block_number < tip
    )
