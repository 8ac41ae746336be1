"""What a block's transactions came to, as the leaves of a Merkle tree: the root of every receipt.

The tree's hash is a part of the commit hash, on which every seal of the next block votes. So one
leaf and its path prove one write, or one transaction's code, and show nothing of the others. It
follows from the block and its codes alone, whatever the state before.
"""

import struct
from collections.abc import Iterator, Sequence

from ledger.crypto.hashing import sha256
from ledger.crypto.merkle import merkle_root
from ledger.errors import TransactionInvalid
from ledger.model.codes import ValidationCode
from ledger.model.rwset import ReadWriteSet, Version
from ledger.model.state import hashed_key, hashed_namespace
from ledger.model.transaction import Envelope
from ledger.validation.transaction_index import RECORDING_CODES

_OUTCOME_MARK = b"gridledger outcome v1"
_SECRET_MARK = b"gridledger outcome secret v1"
_TRANSACTION, _WRITE = b"T", b"W"
_LENGTH = struct.Struct(">I")
_POSITION = struct.Struct(">QI")
_CODE = struct.Struct(">B")

Leaf = tuple[bytes, bytes]
"""(blinding of 32 bytes, element); the tree's leaf is one after the other."""


def outcome_hash(
    block_number: int,
    raw_entries: Sequence[bytes],
    entries: Sequence[Envelope | TransactionInvalid],
    codes: Sequence[ValidationCode],
) -> bytes:
    """32 bytes over the number of leaves and the root of their RFC 6962 tree."""
    leaves = outcome_leaves(block_number, raw_entries, entries, codes)
    return outcome_of_root(
        len(leaves), merkle_root([blinding + element for blinding, element in leaves])
    )


def outcome_of_root(leaf_count: int, root: bytes) -> bytes:
    """The outcome hash of a tree with so many leaves and this root."""
    return sha256(_OUTCOME_MARK + _LENGTH.pack(leaf_count) + root)


def outcome_leaves(
    block_number: int,
    raw_entries: Sequence[bytes],
    entries: Sequence[Envelope | TransactionInvalid],
    codes: Sequence[ValidationCode],
) -> list[Leaf]:
    """For each entry whose signature and id were good its code, then what a valid one wrote.

    Values of other households are guessable, so each leaf is blinded: with what follows from the
    bytes of its whole transaction, which whoever holds a receipt alone does not have.
    """
    leaves: list[Leaf] = []
    for index, (entry, code) in enumerate(zip(entries, codes, strict=True)):
        if code not in RECORDING_CODES or isinstance(entry, TransactionInvalid):
            continue
        secret = sha256(_SECRET_MARK + raw_entries[index])
        position = Version(block_number, index)
        elements = [transaction_element(entry.tx_id, position, code)]
        if code == ValidationCode.VALID and entry.transaction is not None:
            elements += _writes(entry.transaction.action.results, position)
        leaves += [(sha256(secret + element), element) for element in elements]
    return leaves


def transaction_element(tx_id: str, position: Version, code: int) -> bytes:
    """A transaction id, where it stands, and its validation code."""
    return _TRANSACTION + _sized(tx_id.encode()) + _place(position) + _CODE.pack(code)


def write_element(namespace: str, key: str, position: Version, value: bytes) -> bytes:
    """A key and what the transaction at `position` wrote; no value says it was deleted."""
    named = _sized(namespace.encode()) + _sized(key.encode())
    return _WRITE + named + _place(position) + _sized(value)


def _writes(results: ReadWriteSet, position: Version) -> Iterator[bytes]:
    for part in results.namespaces:
        for write in part.writes:
            value = b"" if write.is_delete else write.value
            yield write_element(part.namespace, write.key, position, value)
        for collection in part.collections:
            namespace = hashed_namespace(part.namespace, collection.collection)
            for hashed in collection.hashed_writes:
                gone = hashed.is_delete or hashed.is_purge
                key = hashed_key(hashed.key_hash)
                value = b"" if gone else hashed.value_hash
                yield write_element(namespace, key, position, value)


def _place(position: Version) -> bytes:
    return _POSITION.pack(position.block_number, position.tx_number)


def _sized(content: bytes) -> bytes:
    return _LENGTH.pack(len(content)) + content
