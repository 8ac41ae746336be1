"""A digest of a set that follows changes: add and remove elements without seeing the others.

LtHash with 1,024 lanes of 16 bits (Bellare and Micciancio 1997; Lewi, Kim, Maykov and Weis 2019):
each element is expanded to 2,048 bytes by an extendable-output function and added lane by lane,
modulo 2**16. Two different sets with one digest would solve a short integer solution problem for
which at least 200 bits of work are known to be needed; docs/adr/0011 has the argument.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from ledger.crypto.hashing import expand

LANES = 1_024
LANE_BYTES = 2
SET_DIGEST_BYTES = LANES * LANE_BYTES
_DOMAIN = b"gridledger set digest v1"
# Every second lane, so that each has the bits of its neighbour free for what it carries over.
_EVERY_SECOND_LANE = int.from_bytes(b"\xff\xff\x00\x00" * (LANES // 2), "little")
_ONE_CARRIED = int.from_bytes(b"\x00\x00\x01\x00" * (LANES // 2), "little")
_LANE_BITS = 8 * LANE_BYTES
# So many lanes of 16 bits add up without leaving 32 bits.
_SUMMED_AT_ONCE_MAX = 1 << _LANE_BITS


@dataclass(frozen=True, slots=True)
class SetDigest:
    """The sum over a set's elements. Nothing stops a caller from adding an element twice."""

    lanes: bytes
    """SET_DIGEST_BYTES bytes: little-endian numbers of 16 bits."""

    def changed(self, *, added: Iterable[bytes], removed: Iterable[bytes]) -> "SetDigest":
        """The digest with other elements; those `removed` must be in the set."""
        own, plus, minus = _halves(self.lanes), _sum(added), _sum(removed)
        low, high = (
            # One carried in advance: a lane that is subtracted from never borrows.
            (mine + more + _ONE_CARRIED - less) & _EVERY_SECOND_LANE
            for mine, more, less in zip(own, plus, minus, strict=True)
        )
        return SetDigest((low | high << _LANE_BITS).to_bytes(SET_DIGEST_BYTES, "little"))


EMPTY_SET = SetDigest(bytes(SET_DIGEST_BYTES))


def _sum(elements: Iterable[bytes]) -> tuple[int, int]:
    """Lanes with even and with odd numbers of all elements added up, modulo 2**16 each."""
    low = high = 0
    remaining = iter(elements)
    while chunk := list(itertools.islice(remaining, _SUMMED_AT_ONCE_MAX - 1)):
        for element in chunk:
            even, odd = _halves(expand(_DOMAIN + element, SET_DIGEST_BYTES))
            low += even
            high += odd
        low &= _EVERY_SECOND_LANE
        high &= _EVERY_SECOND_LANE
    return low, high


def _halves(lanes: bytes) -> tuple[int, int]:
    number = int.from_bytes(lanes, "little")
    return number & _EVERY_SECOND_LANE, (number >> _LANE_BITS) & _EVERY_SECOND_LANE
