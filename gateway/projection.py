"""The gateway's read side: a fold over committed blocks, kept in memory, rebuilt at any start.

It mirrors the contracts' world state key by key and remembers what happened to transactions, so
every page and listing is answered without asking a peer and agrees with the ledger at `height`.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from ledger.crypto.hashing import block_hash
from ledger.errors import InvalidMessage, TransactionInvalid
from ledger.model.block import (
    SLOT_COMMIT_HASH,
    SLOT_SIGNATURES,
    SLOT_TRANSACTIONS_FILTER,
    Block,
    ConsenterMetadata,
)
from ledger.model.codec import decode_envelope
from ledger.model.codec_block import (
    consenter_metadata,
    decode_block_signatures,
    decode_commit_hash,
)
from ledger.model.codec_header import decode_identity
from ledger.model.codes import HeaderType, ValidationCode
from ledger.model.rwset import ReadWriteSet, Version
from ledger.model.transaction import Envelope

BLOCKS_KEPT = 10_000
TRANSACTIONS_KEPT = 200_000


@dataclass(frozen=True, slots=True)
class StateEntry:
    """Value of a key and the transaction that wrote it."""

    value: bytes
    version: Version


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """One transaction as the block recorded it. `function` is empty for configuration."""

    tx_id: str
    block_number: int
    index: int
    code: ValidationCode
    function: str
    arguments: tuple[str, ...]
    member: str
    creator: bytes
    timestamp_ms: int
    event_name: str
    event_payload: bytes


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """A block without its entries."""

    number: int
    hash: bytes
    previous_hash: bytes
    data_hash: bytes
    commit_hash: bytes
    consensus: ConsenterMetadata | None
    signers: tuple[int, ...]
    tx_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EventRecord:
    """What a valid transaction announced."""

    block_number: int
    index: int
    tx_id: str
    name: str
    payload: bytes


class Projection:
    """State of one contract namespace after the blocks applied so far."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._state: dict[str, dict[str, StateEntry]] = {}
        self._blocks: OrderedDict[int, BlockRecord] = OrderedDict()
        self._transactions: OrderedDict[str, TransactionRecord] = OrderedDict()
        self._block_numbers: dict[bytes, int] = {}
        self._events: dict[int, list[EventRecord]] = {}
        self.height = 0
        """How many blocks are applied; the next one has this number."""

    def apply(self, block: Block) -> tuple[EventRecord, ...]:
        """Apply the next block; returns its events. A gap raises `ValueError`."""
        if block.number != self.height:
            raise ValueError(f"block {block.number} follows {self.height - 1}")
        filter_raw = block.metadata[SLOT_TRANSACTIONS_FILTER]
        events: list[EventRecord] = []
        tx_ids = []
        for index, entry in enumerate(block.entries):
            code = _code(filter_raw, index)
            try:
                envelope = decode_envelope(entry)
            except (TransactionInvalid, InvalidMessage):
                continue  # stays in the block with its code; it has no readable identity
            record = _transaction_record(envelope, block.number, index, code)
            tx_ids.append(record.tx_id)
            self._transactions.setdefault(record.tx_id, record)
            if code is ValidationCode.VALID and envelope.transaction is not None:
                self._write(envelope.transaction.action.results, Version(block.number, index))
                if record.event_name:
                    events.append(
                        EventRecord(
                            block_number=block.number,
                            index=index,
                            tx_id=record.tx_id,
                            name=record.event_name,
                            payload=record.event_payload,
                        )
                    )
        self._remember(_block_record(block, tuple(tx_ids)), events)
        return tuple(events)

    def value(self, key: str) -> bytes | None:
        """Current value of a key of the namespace."""
        entry = self._state.get(_family(key), {}).get(key)
        return entry.value if entry else None

    def entries(self, prefix: str) -> Iterator[tuple[str, StateEntry]]:
        """Keys that begin with `prefix` (at least the family and `~`), in no special order."""
        family = self._state.get(_family(prefix), {})
        return ((key, entry) for key, entry in family.items() if key.startswith(prefix))

    def transaction(self, tx_id: str) -> TransactionRecord | None:
        """What became of a transaction; `None` if it is not (any more) remembered."""
        return self._transactions.get(tx_id)

    def transactions_below(
        self, position: tuple[int, int] | None, limit: int
    ) -> list[TransactionRecord]:
        """Transactions before a ledger position (block, index), the newest first."""
        newest_first = reversed(self._transactions.values())
        older = (
            record
            for record in newest_first
            if position is None or (record.block_number, record.index) < position
        )
        return list(islice(older, limit))

    def block(self, number: int) -> BlockRecord | None:
        """A block by number."""
        return self._blocks.get(number)

    def block_by_hash(self, digest: bytes) -> BlockRecord | None:
        """A block by the hash of its header."""
        number = self._block_numbers.get(digest)
        return None if number is None else self._blocks.get(number)

    def blocks(self, below: int, limit: int) -> list[BlockRecord]:
        """Blocks with numbers under `below`, newest first."""
        start = min(below, self.height) - 1
        found = (self._blocks.get(number) for number in range(start, start - limit, -1))
        return [record for record in found if record is not None]

    def events_of(self, block_number: int) -> list[EventRecord]:
        """What the valid transactions of a block announced, in its order."""
        return self._events.get(block_number, [])

    def _write(self, results: ReadWriteSet, version: Version) -> None:
        for namespace in results.namespaces:
            if namespace.namespace != self._namespace:
                continue
            for write in namespace.writes:
                family = self._state.setdefault(_family(write.key), {})
                if write.is_delete:
                    family.pop(write.key, None)
                else:
                    family[write.key] = StateEntry(write.value, version)

    def _remember(self, block: BlockRecord, events: list[EventRecord]) -> None:
        self._blocks[block.number] = block
        self._block_numbers[block.hash] = block.number
        self._events[block.number] = events
        self.height = block.number + 1
        if len(self._blocks) > BLOCKS_KEPT:
            _, oldest = self._blocks.popitem(last=False)
            del self._block_numbers[oldest.hash]
            del self._events[oldest.number]
        while len(self._transactions) > TRANSACTIONS_KEPT:
            self._transactions.popitem(last=False)


def _family(key: str) -> str:
    return key.partition("~")[0]


def _code(filter_raw: bytes, index: int) -> ValidationCode:
    """Genesis and configuration blocks may have no flags: their one entry counts as valid."""
    return ValidationCode(filter_raw[index]) if index < len(filter_raw) else ValidationCode.VALID


def _transaction_record(
    envelope: Envelope, block_number: int, index: int, code: ValidationCode
) -> TransactionRecord:
    channel = envelope.header.channel
    function, event_name, event_payload = "", "", b""
    arguments: tuple[str, ...] = ()
    transaction = envelope.transaction
    if channel.type == HeaderType.ENDORSER_TRANSACTION and transaction is not None:
        texts = tuple(argument.decode(errors="replace") for argument in transaction.args)
        function, arguments = (texts[0], texts[1:]) if texts else ("", ())
        event = transaction.action.event
        if event is not None:
            event_name, event_payload = event.name, event.payload
    return TransactionRecord(
        tx_id=channel.tx_id,
        block_number=block_number,
        index=index,
        code=code,
        function=function,
        arguments=arguments,
        member=_member(envelope.header.creator),
        creator=envelope.header.creator,
        timestamp_ms=channel.timestamp_ns // 1_000_000,
        event_name=event_name,
        event_payload=event_payload,
    )


def _block_record(block: Block, tx_ids: tuple[str, ...]) -> BlockRecord:
    seals = decode_block_signatures(block.metadata[SLOT_SIGNATURES]).signatures
    return BlockRecord(
        number=block.number,
        hash=block_hash(block.header),
        previous_hash=block.header.previous_hash,
        data_hash=block.header.data_hash,
        commit_hash=decode_commit_hash(block.metadata[SLOT_COMMIT_HASH]),
        consensus=consenter_metadata(block),
        signers=tuple(seal.consenter_id for seal in seals),
        tx_ids=tx_ids,
    )


def _member(creator: bytes) -> str:
    """MSP id of a serialized identity, for display; empty when it cannot be read."""
    try:
        return decode_identity(creator)[0]
    except InvalidMessage:
        return ""
