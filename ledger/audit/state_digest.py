"""The digest of the whole state, kept from block to block (docs/wire.md, "The commit hash")."""

import hashlib
import operator
import struct
from collections.abc import Mapping

from ledger.audit.world_state import StateKey, StateValue, WorldState

Place = tuple[int, int, int]
"""Where a transaction is recorded: block number, index, validation code."""

IDS_IN_USE_FROM = frozenset({0, 6, 10, 11, 12, 14, 23, 24, 25})
"""Codes of transactions whose id counts as used from then on."""

_LANES = 1_024
_LANES_FORMAT = f"<{_LANES}H"
_SET_MARK, _STATE_MARK = b"gridledger set digest v1", b"gridledger state v1"


class StateDigest:
    """1,024 numbers of 16 bits: the sum over every value and every used transaction id."""

    def __init__(self) -> None:
        self._lanes = [0] * _LANES

    def hash(self) -> bytes:
        """32 bytes, a part of the commit hash."""
        return hashlib.sha256(_STATE_MARK + self.raw()).digest()

    def raw(self) -> bytes:
        """The 2,048 bytes as the savepoint has them."""
        return struct.pack(_LANES_FORMAT, *[lane & 0xFFFF for lane in self._lanes])

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
                self._lanes = list(map(operator.sub, self._lanes, _value_lanes(state_key, held)))
            if changed.value is not None:
                self.add_value(state_key, changed)
        for tx_id, place in places.items():
            self.add_transaction(tx_id, place)

    def add_value(self, state_key: StateKey, held: StateValue) -> None:
        """A key of the state, counted once."""
        self._lanes = list(map(operator.add, self._lanes, _value_lanes(state_key, held)))

    def add_transaction(self, tx_id: str, place: Place) -> None:
        """A used transaction id, counted once."""
        element = b"T" + _sized(tx_id.encode()) + struct.pack(">QIB", *place)
        self._lanes = list(map(operator.add, self._lanes, _lanes(element)))


def _value_lanes(state_key: StateKey, held: StateValue) -> tuple[int, ...]:
    assert held.value is not None, "a deleted key has no element"
    parts = [
        b"S",
        *(_sized(name.encode()) for name in state_key),
        struct.pack(">QIH", *held.position, len(held.metadata)),
        *(_sized(name.encode()) + _sized(content) for name, content in held.metadata),
        _sized(held.value),
    ]
    return _lanes(b"".join(parts))


def _lanes(element: bytes) -> tuple[int, ...]:
    wide = hashlib.shake_256(_SET_MARK + element).digest(2 * _LANES)
    return struct.unpack(_LANES_FORMAT, wide)


def _sized(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content
