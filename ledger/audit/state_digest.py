"""The digest of the whole state, kept from block to block (docs/wire.md, "The commit hash")."""

import hashlib
import struct
from collections.abc import Mapping

from ledger.audit.world_state import StateKey, StateValue, WorldState

Place = tuple[int, int, int]
"""Where a transaction is recorded: block number, index, validation code."""

IDS_IN_USE_FROM = frozenset({0, 6, 10, 11, 12, 14, 23, 24, 25})
"""Codes of transactions whose id counts as used from then on."""

_LANES = 1_024
_LANE_BITS = 16
_BYTES = 2 * _LANES
# One number holds every second lane, each with 16 bits above it for what the sum carries over.
_EVEN = int.from_bytes(b"\xff\xff\0\0" * (_LANES // 2), "little")
_ONES = int.from_bytes(b"\1\0\0\0" * (_LANES // 2), "little")
_SET_MARK, _STATE_MARK = b"gridledger set digest v1", b"gridledger state v1"

_Lanes = tuple[int, int]
"""(even lanes, odd lanes)"""


class StateDigest:
    """1,024 numbers of 16 bits: the sum over every value and every used transaction id.

    What was added and what was taken away are two sums, each of even and of odd lanes, so that no
    lane ever borrows from its neighbour; their difference is taken lane by lane at the end.
    """

    def __init__(self) -> None:
        self._added = (0, 0)
        self._removed = (0, 0)

    def hash(self) -> bytes:
        """32 bytes, a part of the commit hash."""
        return hashlib.sha256(_STATE_MARK + self.raw()).digest()

    def raw(self) -> bytes:
        """The 2,048 bytes as the savepoint has them."""
        even, odd = map(_difference, self._added, self._removed)
        return (even | odd << _LANE_BITS).to_bytes(_BYTES, "little")

    def follow(
        self,
        before: WorldState,
        changes: Mapping[StateKey, StateValue],
        places: Mapping[str, Place],
    ) -> None:
        """A block changes these keys of the state `before` it and records these transactions."""
        for state_key, changed in changes.items():
            held = before.get(*state_key)
            if held is not None:
                self._removed = _sum(self._removed, _value_element(state_key, held))
            if changed.value is not None:
                self.add_value(state_key, changed)
        for tx_id, place in places.items():
            self.add_transaction(tx_id, place)

    def add_value(self, state_key: StateKey, held: StateValue) -> None:
        """A key of the state, counted once."""
        self._added = _sum(self._added, _value_element(state_key, held))

    def add_transaction(self, tx_id: str, place: Place) -> None:
        """A used transaction id, counted once."""
        element = b"T" + _sized(tx_id.encode()) + struct.pack(">QIB", *place)
        self._added = _sum(self._added, element)


def _value_element(state_key: StateKey, held: StateValue) -> bytes:
    assert held.value is not None, "a deleted key has no element"
    parts = [
        b"S",
        *(_sized(name.encode()) for name in state_key),
        struct.pack(">QIH", *held.position, len(held.metadata)),
        *(_sized(name.encode()) + _sized(content) for name, content in held.metadata),
        _sized(held.value),
    ]
    return b"".join(parts)


def _sum(lanes: _Lanes, element: bytes) -> _Lanes:
    wide = int.from_bytes(hashlib.shake_256(_SET_MARK + element).digest(_BYTES), "little")
    even, odd = lanes
    return (even + (wide & _EVEN)) & _EVEN, (odd + (wide >> _LANE_BITS & _EVEN)) & _EVEN


def _difference(added: int, removed: int) -> int:
    """Of every second lane, modulo 2**16: 2**16 - lane is its bits turned round, plus one."""
    return (added + (removed ^ _EVEN) + _ONES) & _EVEN


def _sized(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content
