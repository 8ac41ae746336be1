"""Protobuf bytes read by field number, without generated classes.

Only what the ledger's messages use: varints and length-delimited fields. The last value of a
repeated number counts for `number` and `content`, as protobuf has it.
"""

from dataclasses import dataclass

_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5
_VARINT_BYTES_MAX = 10
_LAST_OF_ONE_BYTE = 0x7F
"""The highest bit of a byte says that more follows."""
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
    items: list[tuple[int, int | bytes]] = []
    offset, end = 0, len(raw)
    while offset < end:
        tag = raw[offset]
        offset += 1
        if tag > _LAST_OF_ONE_BYTE:
            tag, offset = _varint(raw, offset - 1)
        kind = tag & 7
        if kind == _VARINT:
            value, offset = _varint(raw, offset)
            items.append((tag >> 3, value))
            continue
        if kind == _LENGTH_DELIMITED:
            length, offset = _varint(raw, offset)
        elif kind in _FIXED_BYTES:
            length = _FIXED_BYTES[kind]
        else:
            raise BrokenBytes(f"wire type {kind} at byte {offset}")
        stop = offset + length
        if stop > end:
            raise BrokenBytes(f"a field ends {stop - end} bytes after the message")
        items.append((tag >> 3, raw[offset:stop]))
        offset = stop
    return Fields(tuple(items))


def _varint(raw: bytes, offset: int) -> tuple[int, int]:
    """(number, where it ends)."""
    number = shift = 0
    for byte in raw[offset : offset + _VARINT_BYTES_MAX]:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte <= _LAST_OF_ONE_BYTE:
            return number, offset + shift // 7
    if shift == 7 * _VARINT_BYTES_MAX:
        raise BrokenBytes(f"a number of more than {_VARINT_BYTES_MAX} bytes")
    raise BrokenBytes("the message ends inside a number")
