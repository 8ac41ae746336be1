"""Merkle tree over a block's entries, for short receipts (RFC 6962, section 2.1).

Leaves and inner nodes hash with different prefixes, so a node can never pass for a leaf.
"""

import hashlib
from collections.abc import Sequence

from ledger.errors import InvalidMessage, Reason

_LEAF = b"\x00"
_NODE = b"\x01"


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Root hash of the tree, 32 bytes; SHA-256 of nothing if there are no leaves."""
    level = [_leaf_hash(leaf) for leaf in leaves]
    if not level:
        return hashlib.sha256().digest()
    while len(level) > 1:
        level = _parents(level)
    return level[0]


def merkle_path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Sibling hashes from leaf `index` up to the root: the audit path.

    Raises IndexError if there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} among {len(leaves)}")
    path = []
    level = [_leaf_hash(leaf) for leaf in leaves]
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):  # the last of an odd level has none and moves up as it is
            path.append(level[sibling])
        level = _parents(level)
        index >>= 1
    return tuple(path)


def verify_merkle_path(
    *, leaf: bytes, index: int, leaf_count: int, path: Sequence[bytes], root: bytes
) -> None:
    """Check that `leaf` is number `index` of the `leaf_count` leaves under `root`.

    Raises InvalidMessage: MALFORMED if the path cannot belong to such a leaf, BAD_PROOF if it
    leads to another root.
    """
    if not 0 <= index < leaf_count:
        raise InvalidMessage(Reason.MALFORMED, f"no leaf {index} among {leaf_count}")
    siblings = iter(path)
    node = _leaf_hash(leaf)
    last = leaf_count - 1
    used = 0
    while last > 0:
        if index & 1 or index < last:
            sibling = next(siblings, None)
            if sibling is None:
                raise InvalidMessage(Reason.MALFORMED, "the Merkle path is too short")
            used += 1
            node = _node_hash(sibling, node) if index & 1 else _node_hash(node, sibling)
        index >>= 1
        last >>= 1
    if used != len(path):
        raise InvalidMessage(Reason.MALFORMED, "the Merkle path is too long")
    if node != root:
        raise InvalidMessage(Reason.BAD_PROOF, "the Merkle path leads to another root")


def _parents(level: list[bytes]) -> list[bytes]:
    """Hashes of neighbours; an odd last node moves up unchanged."""
    parents = [
        _node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=False)
    ]
    if len(level) % 2:
        parents.append(level[-1])
    return parents


def _leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(_LEAF + leaf).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()
