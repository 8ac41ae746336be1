"""The Merkle summary of a long range scan: groups of rows are leaves, full levels fold upwards.

A level that holds more than `degree` hashes becomes one hash of the level above; at the end what
is left below is carried up to the highest level (Fabric's rule, see docs/wire.md).
"""

import hashlib
from collections.abc import Sequence

from ledger.audit.read_write_sets import Position
from ledger.audit.wire_writing import filled, message, numbered

Summary = tuple[int, int, tuple[bytes, ...]]
"""(degree, level, hashes of that level)"""


def summarize(rows: Sequence[tuple[str, Position]], *, degree: int) -> Summary | None:
    """None when there are so few rows that a scan lists them."""
    if degree < 2 or len(rows) <= degree:  # noqa: PLR2004 - one hash of one hash has no end
        return None
    levels: list[list[bytes]] = [[]]
    for start in range(0, len(rows), degree + 1):
        group = b"".join(_row(*row) for row in rows[start : start + degree + 1])
        _climb(levels, hashlib.sha256(group).digest(), degree)
    carried: list[bytes] = []
    for level in levels[:-1]:
        carried = _folded([*level, *carried])
    top = [*levels[-1], *carried]
    if len(top) > degree:
        return degree, len(levels) + 1, tuple(_folded(top))
    return degree, len(levels), tuple(top)


def _climb(levels: list[list[bytes]], leaf: bytes, degree: int) -> None:
    """Add a leaf; every level that is over its degree becomes one hash of the next."""
    at = 0
    levels[at].append(leaf)
    while len(levels[at]) > degree:
        folded, levels[at] = _folded(levels[at]), []
        at += 1
        if at == len(levels):
            levels.append([])
        levels[at] += folded


def _folded(hashes: list[bytes]) -> list[bytes]:
    """Nothing stays nothing and one stays itself; more become one."""
    if len(hashes) <= 1:
        return hashes
    return [hashlib.sha256(b"".join(hashes)).digest()]


def _row(key: str, position: Position) -> bytes:
    """A row as protobuf has it: a kvrwset.KVRead inside QueryReads."""
    version = numbered(1, position[0]) + numbered(2, position[1])
    return message(1, filled(1, key.encode()) + message(2, version))
