"""The snapshot file: frames one after another, each with its length and a checksum.

    file  = "GRIDLEDGER SNAPSHOT" ‖ version(4) ‖ frame...
    frame = kind(1) ‖ length(4) ‖ payload ‖ CRC-32 of all before it in the frame(4)

Frames stand in the order of their kinds (`FrameKind`). The last one, END, holds a running SHA-256
over all others. Written and read frame by frame; a length is judged before anything is read.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO

from ledger.crypto.hashing import HASH_BYTES, sha256
from ledger.storage.snapshot_errors import SnapshotProblem, SnapshotRefused

MAGIC = b"GRIDLEDGER SNAPSHOT"
VERSION = 1
FRAME_BYTES_MAX = 64 * 1024 * 1024
"""No block and no value is longer; a longer frame is refused unread."""
CHUNK_BYTES = 128 * 1024
"""A frame of records is closed once it holds so much."""

_VERSION = struct.Struct(">I")
_FRAME_HEAD = struct.Struct(">BI")
_CHECKSUM = struct.Struct(">I")
_LENGTH = struct.Struct(">I")
_RECORD = struct.Struct(">II")
_HEAD_REST = struct.Struct(f">{HASH_BYTES}sQ")
_END = struct.Struct(f">QQQ{HASH_BYTES}s")

Record = tuple[bytes, bytes]
"""A key of the ledger database and its value."""


class FrameKind(IntEnum):
    """What a frame holds; frames stand in this order."""

    HEAD = 1
    """Channel, genesis block, number of the snapshot's block: one frame."""
    CONFIG = 2
    """A block with a configuration, below the snapshot's block; ascending."""
    BLOCK = 3
    """The snapshot's block: one frame."""
    NEXT = 4
    """Header and seals of the block after it, which vote on the state: one frame."""
    STATE = 5
    """Records of the world state, keys ascending."""
    TRANSACTIONS = 6
    """Records of the transaction index, keys ascending."""
    END = 7
    """Counts, and the running hash of all frames before: one frame."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a snapshot says it is."""

    channel_id: str
    genesis_hash: bytes
    block_number: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is in a snapshot."""

    config_blocks: int
    values: int
    transactions: int


class FrameWriter:
    """Writes one snapshot; nothing is complete before `end`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._running = bytes(HASH_BYTES)
        file.write(MAGIC + _VERSION.pack(VERSION))

    def write(self, kind: FrameKind, payload: bytes) -> None:
        """Add a frame."""
        if len(payload) > FRAME_BYTES_MAX:
            raise SnapshotRefused(
                SnapshotProblem.OVERSIZED, f"a frame of {len(payload)} bytes cannot be written"
            )
        frame = _FRAME_HEAD.pack(kind, len(payload)) + payload
        self._running = sha256(self._running + frame)
        self._file.write(frame + _CHECKSUM.pack(zlib.crc32(frame)))

    def write_records(self, kind: FrameKind, records: Iterator[Record]) -> int:
        """Add frames of records, a few at a time; returns how many records there were."""
        chunk: list[bytes] = []
        size = count = 0
        for key, value in records:
            chunk += (_RECORD.pack(len(key), len(value)), key, value)
            size += len(key) + len(value)
            count += 1
            if size >= CHUNK_BYTES:
                self.write(kind, b"".join(chunk))
                chunk, size = [], 0
        if chunk:
            self.write(kind, b"".join(chunk))
        return count

    def end(self, counts: Counts) -> None:
        """Write the last frame."""
        payload = _END.pack(
            counts.config_blocks, counts.values, counts.transactions, self._running
        )
        self.write(FrameKind.END, payload)


def read_frames(file: BinaryIO) -> Iterator[tuple[FrameKind, bytes]]:
    """Every frame but the last, in order, ending with an END frame that fits what was read.

    Raises SnapshotRefused. The END frame is yielded too, once everything before it is proven.
    """
    _read_magic(file)
    running, previous = bytes(HASH_BYTES), FrameKind.HEAD
    while True:
        kind, payload, frame = _read_frame(file)
        if kind < previous:
            raise SnapshotRefused(
                SnapshotProblem.OUT_OF_ORDER, f"{kind.name} stands after {previous.name}"
            )
        if kind is FrameKind.END:
            if payload[-HASH_BYTES:] != running:
                raise SnapshotRefused(SnapshotProblem.DAMAGED, "frames are missing or replaced")
            if file.read(1):
                raise SnapshotRefused(
                    SnapshotProblem.MORE_AFTER_THE_END, "bytes follow the last frame"
                )
            yield kind, payload
            return
        running, previous = sha256(running + frame), kind
        yield kind, payload


def encode_head(head: Head) -> bytes:
    """Payload of HEAD."""
    name = head.channel_id.encode()
    rest = _HEAD_REST.pack(head.genesis_hash, head.block_number)
    return _LENGTH.pack(len(name)) + name + rest


def decode_head(payload: bytes) -> Head:
    """Inverse of encode_head."""
    try:
        (length,) = _LENGTH.unpack_from(payload)
        channel_id = payload[_LENGTH.size : _LENGTH.size + length].decode()
        genesis_hash, number = _HEAD_REST.unpack(payload[_LENGTH.size + length :])
    except (struct.error, UnicodeDecodeError) as error:
        raise SnapshotRefused(SnapshotProblem.DAMAGED, f"HEAD does not parse: {error}") from error
    return Head(channel_id, genesis_hash, number)


def decode_end(payload: bytes) -> Counts:
    """The counts in END."""
    try:
        config_blocks, values, transactions, _ = _END.unpack(payload)
    except struct.error as error:
        raise SnapshotRefused(SnapshotProblem.DAMAGED, f"END does not parse: {error}") from error
    return Counts(config_blocks, values, transactions)


def decode_records(payload: bytes) -> Iterator[Record]:
    """Records of one frame; raises SnapshotRefused when they do not fill it exactly."""
    offset, end = 0, len(payload)
    while offset < end:
        if offset + _RECORD.size > end:
            raise SnapshotRefused(SnapshotProblem.DAMAGED, "a record ends after its frame")
        key_length, value_length = _RECORD.unpack_from(payload, offset)
        key_at = offset + _RECORD.size
        offset = key_at + key_length + value_length
        if offset > end:
            raise SnapshotRefused(SnapshotProblem.DAMAGED, "a record ends after its frame")
        yield payload[key_at : key_at + key_length], payload[key_at + key_length : offset]


def _read_magic(file: BinaryIO) -> None:
    start = file.read(len(MAGIC))
    if start != MAGIC:
        cut = start == MAGIC[: len(start)]
        problem = SnapshotProblem.TRUNCATED if cut else SnapshotProblem.NOT_A_SNAPSHOT
        raise SnapshotRefused(problem, "the file does not begin like a snapshot")
    (version,) = _VERSION.unpack(_exactly(file, _VERSION.size))
    if version != VERSION:
        raise SnapshotRefused(
            SnapshotProblem.UNKNOWN_VERSION, f"version {version}, this program reads {VERSION}"
        )


def _read_frame(file: BinaryIO) -> tuple[FrameKind, bytes, bytes]:
    """(kind, payload, the frame without its checksum)."""
    head = _exactly(file, _FRAME_HEAD.size)
    number, length = _FRAME_HEAD.unpack(head)
    if length > FRAME_BYTES_MAX:
        raise SnapshotRefused(SnapshotProblem.OVERSIZED, f"a frame of {length} bytes")
    payload = _exactly(file, length)
    frame = head + payload
    if _exactly(file, _CHECKSUM.size) != _CHECKSUM.pack(zlib.crc32(frame)):
        raise SnapshotRefused(SnapshotProblem.DAMAGED, "a frame's checksum is wrong")
    try:
        return FrameKind(number), payload, frame
    except ValueError as error:
        raise SnapshotRefused(
            SnapshotProblem.DAMAGED, f"there is no frame of kind {number}"
        ) from error


def _exactly(file: BinaryIO, size: int) -> bytes:
    """So many bytes; memory grows with what is there, never with what a length claims."""
    parts = []
    missing = size
    while missing:
        part = file.read(min(missing, CHUNK_BYTES))
        if not part:
            raise SnapshotRefused(
                SnapshotProblem.TRUNCATED, f"the file ends {missing} bytes before a part does"
            )
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
