"""The world state built anew from the blocks, and the hash that chains codes and state."""

import hashlib
import struct
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ledger.audit.read_write_sets import ChaincodeSet, NamespaceSet, Position

StateKey = tuple[str, str]
"""(namespace, key)"""
Metadata = tuple[tuple[str, bytes], ...]

_LENGTH = struct.Struct(">I")
_COMMIT_MARK = b"gridledger commit hash v3"


@dataclass(frozen=True, slots=True)
class StateValue:
    """What a key holds; `value` is None for a key that a block deleted."""

    value: bytes | None
    position: Position
    metadata: Metadata = ()


class WorldState:
    """Every key of every namespace after the blocks seen so far."""

    def __init__(self) -> None:
        self._values: dict[StateKey, StateValue] = {}
        self._ordered: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, namespace: str, key: str) -> StateValue | None:
        """The value in force, None when there is none."""
        return self._values.get((namespace, key))

    def keys_between(self, namespace: str, start: str, end: str) -> list[str]:
        """Keys in [start, end) ascending; an empty `end` is the end of the namespace."""
        ordered = self._ordered.get(namespace, [])
        stop = bisect_left(ordered, end) if end else len(ordered)
        return ordered[bisect_left(ordered, start) : stop]

    def items(self) -> Iterator[tuple[StateKey, StateValue]]:
        """Everything, in no order."""
        return iter(self._values.items())

    def apply(self, changes: Mapping[StateKey, StateValue]) -> None:
        """Take over what a block changed."""
        for state_key, changed in changes.items():
            namespace, key = state_key
            ordered = self._ordered.setdefault(namespace, [])
            if changed.value is not None:
                if state_key not in self._values:
                    insort(ordered, key)
                self._values[state_key] = changed
            elif self._values.pop(state_key, None) is not None:
                del ordered[bisect_left(ordered, key)]


class BlockChanges:
    """What the valid transactions of one block change, over the state before it."""

    def __init__(self, before: WorldState, number: int) -> None:
        self._before = before
        self._number = number
        self.changes: dict[StateKey, StateValue] = {}

    def write(self, index: int, sets: tuple[ChaincodeSet, ...]) -> list[StateKey]:
        """Apply one transaction; the keys of its public writes, for the history."""
        written = []
        for one in sets:
            self._write_namespace((self._number, index), one.own)
            written += [(one.own.namespace, key) for key, _ in one.own.writes]
            for _, hashes in one.collections:
                self._write_namespace((self._number, index), hashes)
        return written

    def _write_namespace(self, position: Position, part: NamespaceSet) -> None:
        for key, value in part.writes:
            held = self._now(part.namespace, key) if value is not None else None
            metadata = () if held is None else held.metadata
            self.changes[part.namespace, key] = StateValue(value, position, metadata)
        for key, entries in part.metadata_writes:
            held = self._now(part.namespace, key)
            if held is not None and held.value is not None:
                self.changes[part.namespace, key] = StateValue(held.value, position, entries)

    def _now(self, namespace: str, key: str) -> StateValue | None:
        changed = self.changes.get((namespace, key))
        return self._before.get(namespace, key) if changed is None else changed


def commit_hash(
    *, genesis_hash: bytes, previous: bytes, codes: bytes, outcome: bytes, state_hash: bytes
) -> bytes:
    """What the next block's seals vote on (docs/wire.md); `previous` is empty for block 0."""
    parts = (_COMMIT_MARK, genesis_hash, previous, codes, outcome, state_hash)
    return hashlib.sha256(b"".join(map(_sized, parts))).digest()


def _sized(content: bytes) -> bytes:
    return _LENGTH.pack(len(content)) + content
