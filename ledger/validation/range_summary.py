"""Fabric's Merkle summary of long range results, so that a scan of thousands of keys stays small.

The endorser builds it, the validator builds it again over the current state and compares.
Leaves are hashes of encoded groups of results; a level with more than `max_degree` hashes is
folded into one hash of the next level (Fabric `rangeQueryResultsHelper`).
"""

from collections.abc import Sequence

from ledger.crypto.hashing import sha256
from ledger.model.rwset import KeyRead, RangeSummary

RANGE_SUMMARY_DEGREE = 50
_VARINT_MORE = 0x80
_FIELD_1_BYTES, _FIELD_2_BYTES = 0x0A, 0x12
_FIELD_1_VARINT, _FIELD_2_VARINT = 0x08, 0x10


def summarize_range(
    reads: Sequence[KeyRead], max_degree: int = RANGE_SUMMARY_DEGREE
) -> RangeSummary | None:
    """The summary of these results, or None when they are few enough to be listed."""
    if max_degree < 2 or len(reads) <= max_degree:  # noqa: PLR2004 - a tree of one is no tree
        return None
    levels: dict[int, list[bytes]] = {1: []}
    group = max_degree + 1
    for start in range(0, len(reads), group):
        _add_leaf(levels, sha256(encode_query_reads(reads[start : start + group])), max_degree)
    return _close(levels, max_degree)


def encode_query_reads(reads: Sequence[KeyRead]) -> bytes:
    """kvrwset.QueryReads bytes, fields ascending and defaults left out."""
    return b"".join(_nested(_FIELD_1_BYTES, _encode_read(read)) for read in reads)


def _add_leaf(levels: dict[int, list[bytes]], leaf: bytes, max_degree: int) -> None:
    level, node = 1, leaf
    while True:
        nodes = levels.setdefault(level, [])
        nodes.append(node)
        if len(nodes) <= max_degree:
            return
        node = sha256(b"".join(nodes))
        levels[level] = []
        level += 1


def _close(levels: dict[int, list[bytes]], max_degree: int) -> RangeSummary:
    """Carry what is left on lower levels up to the highest one."""
    top = max(levels)
    for level in range(1, top):
        nodes = levels[level]
        if nodes:
            levels[level + 1].append(nodes[0] if len(nodes) == 1 else sha256(b"".join(nodes)))
    hashes = levels[top]
    if len(hashes) > max_degree:
        top, hashes = top + 1, [sha256(b"".join(hashes))]
    return RangeSummary(max_degree=max_degree, max_level=top, max_level_hashes=tuple(hashes))


def _encode_read(read: KeyRead) -> bytes:
    encoded = _nested(_FIELD_1_BYTES, read.key.encode()) if read.key else b""
    if read.version is None:
        return encoded
    version = b""
    if read.version.block_number:
        version += bytes([_FIELD_1_VARINT]) + _varint(read.version.block_number)
    if read.version.tx_number:
        version += bytes([_FIELD_2_VARINT]) + _varint(read.version.tx_number)
    return encoded + _nested(_FIELD_2_BYTES, version)


def _nested(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= _VARINT_MORE:
        encoded.append(number & 0x7F | _VARINT_MORE)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
