"""Protobuf bytes read by field number, without generated classes.

Only what the ledger's messages use: varints and length-delimited fields. The last value of a
repeated number counts for `number` and `content`, as protobuf has it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5
_VARINT_BYTES_MAX = 10
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}


class BrokenBytes(ValueError):  # noqa: N818 - what is wrong, not that something is
    """These bytes are no protobuf message."""


@dataclass(frozen=True, slots=True)
class Fields:
    """One message: (field number, number or bytes) in the order they stand."""

    items: tuple[tuple[int, int | bytes], ...]

    def number(self, field: int, *, bits: int = 64) -> int:
        """A varint field; 0 when it is absent. Higher bits are cut off, as protobuf does."""
        found = 0
        for name, value in self.items:
            if name == field and isinstance(value, int):
                found = value
        return found & ((1 << bits) - 1)

    def content(self, field: int) -> bytes:
        """A bytes, text or message field; empty when it is absent."""
        found = b""
        for name, value in self.items:
            if name == field and isinstance(value, bytes):
                found = value
        return found

    def has(self, field: int) -> bool:
        """Whether the field is there, however empty."""
        return any(name == field for name, _ in self.items)

    def contents(self, field: int) -> tuple[bytes, ...]:
        """A repeated bytes, text or message field."""
        return tuple(v for name, v in self.items if name == field and isinstance(v, bytes))

    def message(self, *path: int) -> "Fields":
        """The message found by following these field numbers; an empty one when absent.

        A message field that stands twice is one message: all fields of both.
        """
        found = self
        for field in path:
            found = read_fields(b"".join(found.contents(field)))
        return found

    def entry(self, field: int, key: str) -> bytes:
        """The value of `key` in a map field with text keys; empty when it is absent."""
        for raw in reversed(self.contents(field)):
            pair = read_fields(raw)
            if pair.content(1) == key.encode():
                return pair.content(2)
        return b""


def read_fields(raw: bytes) -> Fields:
    """Raises BrokenBytes."""
    return Fields(tuple(_items(raw)))


def _items(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    offset, end = 0, len(raw)
    while offset < end:
        tag, offset = _varint(raw, offset)
        kind = tag & 7
        if kind == _VARINT:
            value, offset = _varint(raw, offset)
            yield tag >> 3, value
            continue
        if kind == _LENGTH_DELIMITED:
            length, offset = _varint(raw, offset)
        elif kind in _FIXED_BYTES:
            length = _FIXED_BYTES[kind]
        else:
            raise BrokenBytes(f"wire type {kind} at byte {offset}")
        if offset + length > end:
            raise BrokenBytes(f"a field ends {offset + length - end} bytes after the message")
        yield tag >> 3, raw[offset : offset + length]
        offset += length


def _varint(raw: bytes, offset: int) -> tuple[int, int]:
    """(number, where it ends)."""
    number = 0
    for position in range(_VARINT_BYTES_MAX):
        if offset + position >= len(raw):
            raise BrokenBytes("the message ends inside a number")
        byte = raw[offset + position]
        number |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more follows
            return number, offset + position + 1
    raise BrokenBytes(f"a number of more than {_VARINT_BYTES_MAX} bytes")
