"""A receipt as frozen data, and its file: one encoding for each receipt, version 1.

file = "GRIDLEDGER RECEIPT" ‖ version(1) ‖ genesis hash(32)
     ‖ sealing block: number(8) ‖ previous hash(32) ‖ data hash(32) ‖ signed value(2 + n)
     ‖ seals(1), each: identifier header(1 + n) ‖ signature(1 + n)
     ‖ commit hash before(32) ‖ codes(4 + n) ‖ state hash(32) ‖ leaf count(4) ‖ root(32)
     ‖ leaves(1), each: index(4) ‖ blinding(32) ‖ element(4 + n) ‖ path(1), each 32

Numbers are big-endian; (k + n) is a length of k bytes and as many bytes.
"""

import struct
from dataclasses import dataclass

from ledger.crypto.hashing import HASH_BYTES
from ledger.model.block import BlockHeader
from ledger.receipts.refusals import Problem, ReceiptRefused, Step

MARK = b"GRIDLEDGER RECEIPT"
VERSION = 1
RECEIPT_BYTES_MAX = 256 * 1024
LEAVES_MAX = 2
PATH_HASHES_MAX = 32


@dataclass(frozen=True, slots=True)
class ReceiptSeal:
    """One validator's signature over signed value ‖ identifier header ‖ DER header."""

    identifier_header: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class ProvenLeaf:
    """A leaf of the outcome tree (`ledger.validation.outcome`) and its path to the root."""

    index: int
    blinding: bytes
    element: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one file holds. The transaction is in the block before the sealing one."""

    genesis_hash: bytes
    sealing_header: BlockHeader
    signed_value: bytes
    """OrdererBlockMetadata as the seals sign it."""
    seals: tuple[ReceiptSeal, ...]
    commit_hash_before: bytes
    """After the block before the transaction's."""
    codes: bytes
    state_hash: bytes
    leaf_count: int
    outcome_root: bytes
    leaves: tuple[ProvenLeaf, ...]


def encode_receipt(receipt: Receipt) -> bytes:
    """The bytes of the file."""
    header = receipt.sealing_header
    parts = [
        MARK,
        struct.pack(">B", VERSION),
        receipt.genesis_hash,
        struct.pack(">Q", header.number),
        header.previous_hash,
        header.data_hash,
        _sized(">H", receipt.signed_value),
        struct.pack(">B", len(receipt.seals)),
    ]
    for seal in receipt.seals:
        parts += (_sized(">B", seal.identifier_header), _sized(">B", seal.signature))
    parts += (
        receipt.commit_hash_before,
        _sized(">I", receipt.codes),
        receipt.state_hash,
        struct.pack(">I", receipt.leaf_count),
        receipt.outcome_root,
        struct.pack(">B", len(receipt.leaves)),
    )
    for leaf in receipt.leaves:
        parts += (struct.pack(">I", leaf.index), leaf.blinding, _sized(">I", leaf.element))
        parts += (struct.pack(">B", len(leaf.path)), *leaf.path)
    return b"".join(parts)


def decode_receipt(raw: bytes) -> Receipt:
    """Inverse of `encode_receipt`; raises ReceiptRefused in step FILE."""
    if len(raw) > RECEIPT_BYTES_MAX:
        raise _refused(Problem.OVERSIZED, f"a receipt has at most {RECEIPT_BYTES_MAX} bytes")
    if raw[: len(MARK)] != MARK:
        raise _refused(Problem.NOT_A_RECEIPT, "it does not begin as a receipt does")
    reader = _Reader(raw, len(MARK))
    version = reader.number(">B")
    if version != VERSION:
        raise _refused(Problem.UNKNOWN_VERSION, f"version {version}; this program reads {VERSION}")
    receipt = Receipt(
        genesis_hash=reader.take(HASH_BYTES),
        sealing_header=BlockHeader(
            reader.number(">Q"), reader.take(HASH_BYTES), reader.take(HASH_BYTES)
        ),
        signed_value=reader.sized(">H"),
        seals=tuple(
            [
                ReceiptSeal(reader.sized(">B"), reader.sized(">B"))
                for _ in range(reader.number(">B"))
            ]
        ),
        commit_hash_before=reader.take(HASH_BYTES),
        codes=reader.sized(">I"),
        state_hash=reader.take(HASH_BYTES),
        leaf_count=reader.number(">I"),
        outcome_root=reader.take(HASH_BYTES),
        leaves=tuple([_leaf(reader) for _ in range(reader.count(LEAVES_MAX, "leaves"))]),
    )
    reader.require_end()
    return receipt


def _leaf(reader: "_Reader") -> ProvenLeaf:
    return ProvenLeaf(
        index=reader.number(">I"),
        blinding=reader.take(HASH_BYTES),
        element=reader.sized(">I"),
        path=tuple(
            [
                reader.take(HASH_BYTES)
                for _ in range(reader.count(PATH_HASHES_MAX, "hashes in a path"))
            ]
        ),
    )


class _Reader:
    """Takes parts off the front; every length is judged before anything is taken."""

    def __init__(self, raw: bytes, offset: int) -> None:
        self._raw = raw
        self._offset = offset

    def take(self, size: int) -> bytes:
        end = self._offset + size
        if end > len(self._raw):
            raise _refused(Problem.TRUNCATED, f"it ends {end - len(self._raw)} bytes too early")
        part = self._raw[self._offset : end]
        self._offset = end
        return part

    def number(self, form: str) -> int:
        (value,) = struct.unpack(form, self.take(struct.calcsize(form)))
        return int(value)

    def count(self, most: int, what: str) -> int:
        count = self.number(">B")
        if count > most:
            raise _refused(Problem.MALFORMED, f"{count} {what}, at most {most}")
        return count

    def sized(self, form: str) -> bytes:
        return self.take(self.number(form))

    def require_end(self) -> None:
        rest = len(self._raw) - self._offset
        if rest:
            raise _refused(Problem.MORE_AFTER_THE_END, f"{rest} bytes follow the last part")


def _refused(problem: Problem, detail: str) -> ReceiptRefused:
    return ReceiptRefused(Step.FILE, problem, detail)


def _sized(form: str, content: bytes) -> bytes:
    return struct.pack(form, len(content)) + content
