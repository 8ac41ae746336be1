"""Changes to protobuf messages that keep them parsable, or break them in one place.

A message is read into a tree without its schema: what parses as a message inside a
length-delimited field is taken for one. Lengths are computed again when the tree is written, so
a change deep inside a transaction reaches the decoder of that depth.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from tests.fuzz.byte_mutation import change_bytes

VARINT, FIXED64, LENGTH, START_GROUP, END_GROUP, FIXED32 = range(6)
VERBATIM = 99
"""Not a wire type: the value stands in the message as it is, without a tag."""
DEPTH_READ_MAX = 24
VARINT_BYTES_MAX = 10
EXTREME_VARINTS = (
    0, 1, 2, 127, 128, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53,
    2**63 - 1, 2**63, 2**64 - 1,
)  # fmt: skip
ODD_TEXTS = (
    b"", b"\x00", b"\xff\xfe", "\ud800".encode("utf-8", "surrogatepass"), b"a\r\nb", b"\x1b[2J",
    b"../../etc/passwd", "ｅｎｅｒｇｙ".encode(), b"A" * 300, b"/", b"%s{0}",
)  # fmt: skip
NESTINGS_MAX = 400
REPEATED_BYTES_MAX = 16 * 1024
NESTED_BYTES_MAX = 256
FILL_SLACK_BYTES = 256
"""Bytes a single change may add; only `fill` makes long messages."""


@dataclass(frozen=True, slots=True)
class WireField:
    """One field; nested messages are tuples of fields."""

    number: int
    wire_type: int
    value: "int | bytes | tuple[WireField, ...]"


Message = tuple[WireField, ...]


# -- reading and writing --------------------------------------------------------------------------


def read_message(raw: bytes, depth: int = 0) -> Message | None:
    """The fields of a message, or None for bytes that are none."""
    fields: list[WireField] = []
    at = 0
    while at < len(raw):
        tag, at = _read_varint(raw, at)
        number, wire_type = tag >> 3, tag & 7
        if at < 0 or number == 0:
            return None
        if wire_type == VARINT:
            value, at = _read_varint(raw, at)
            fields.append(WireField(number, wire_type, value))
        elif wire_type in (FIXED32, FIXED64, LENGTH):
            size = 4 if wire_type == FIXED32 else 8
            if wire_type == LENGTH:
                size, at = _read_varint(raw, at)
            if at < 0 or at + size > len(raw):
                return None
            content = raw[at : at + size]
            at += size
            inner = _inner(content, depth) if wire_type == LENGTH else None
            fields.append(WireField(number, wire_type, content if inner is None else inner))
        else:
            return None
        if at < 0:
            return None
    return tuple(fields)


def write_message(message: Message) -> bytes:
    """Bytes of a message, lengths computed anew."""
    return b"".join(write_field(one) for one in message)


def write_field(one: WireField) -> bytes:
    """Bytes of one field with its tag."""
    value = one.value
    if one.wire_type == VERBATIM:
        assert isinstance(value, bytes)
        return value
    tag = write_varint(one.number << 3 | one.wire_type)
    if isinstance(value, int):
        return tag + write_varint(value)
    content = value if isinstance(value, bytes) else write_message(value)
    return tag + (write_varint(len(content)) if one.wire_type == LENGTH else b"") + content


def write_varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    """(value, where it ends); an end of -1 says that there is none."""
    value = shift = 0
    for offset in range(VARINT_BYTES_MAX):
        if at + offset >= len(raw):
            break
        byte = raw[at + offset]
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value & 2**64 - 1, at + offset + 1
    return 0, -1


def _inner(content: bytes, depth: int) -> Message | None:
    if len(content) < 2 or depth == DEPTH_READ_MAX:
        return None
    return read_message(content, depth + 1)


# -- changing -------------------------------------------------------------------------------------

FieldChange = Callable[[Message, int, Random], Message]
"""(fields of one message, index of the field to change, randomness)"""


def change_message(message: Message, rng: Random) -> Message:
    """Change one field somewhere in the tree."""
    if not message:
        return (WireField(rng.randint(1, 15), VARINT, rng.choice(EXTREME_VARINTS)),)
    index = rng.randrange(len(message))
    chosen = message[index]
    if isinstance(chosen.value, tuple) and rng.random() < 0.8:
        inner = change_message(chosen.value, rng)
        return (*message[:index], replace(chosen, value=inner), *message[index + 1 :])
    return rng.choice(FIELD_CHANGES)(message, index, rng)


def fill(message: Message, rng: Random, room_bytes: int) -> Message:
    """Repeat one field somewhere until the message is at its limit, whole or emptied."""
    index = rng.randrange(len(message)) if message else 0
    chosen = message[index] if message else WireField(1, LENGTH, b"")
    if isinstance(chosen.value, tuple) and chosen.value and rng.random() < 0.75:
        inner = fill(chosen.value, rng, room_bytes)
        return (*message[:index], replace(chosen, value=inner), *message[index + 1 :])
    if chosen.wire_type == LENGTH and rng.random() < 0.7:
        chosen = replace(chosen, value=b"")
    encoded = write_field(chosen)
    copies = max(0, (room_bytes - FILL_SLACK_BYTES) // max(1, len(encoded)))
    return (*message[:index], WireField(0, VERBATIM, encoded * copies), *message[index + 1 :])


def _drop(message: Message, index: int, _rng: Random) -> Message:
    return message[:index] + message[index + 1 :]


def _repeat(message: Message, index: int, rng: Random) -> Message:
    size = max(1, len(write_field(message[index])))
    copies = min(rng.choice((1, 1, 2, 9, 150, 1_001)), REPEATED_BYTES_MAX // size + 1)
    return message[: index + 1] + (message[index],) * copies + message[index + 1 :]


def _swap(message: Message, index: int, rng: Random) -> Message:
    other = rng.randrange(len(message))
    fields = list(message)
    fields[index], fields[other] = fields[other], fields[index]
    return tuple(fields)


def _move(message: Message, index: int, rng: Random) -> Message:
    """The value of another field of the same message."""
    return _with(message, index, replace(message[rng.randrange(len(message))], number=1))


def _unknown(message: Message, index: int, rng: Random) -> Message:
    number = rng.choice((message[index].number + 1, 1_000, 19_000, 2**29 - 1))
    value: int | bytes = rng.choice((0, 2**64 - 1, b"", b"unknown"))
    new = WireField(number, VARINT if isinstance(value, int) else LENGTH, value)
    return (*message[:index], new, *message[index:])


def _renumber(message: Message, index: int, rng: Random) -> Message:
    return _with(message, index, replace(message[index], number=rng.randint(1, 16)))


def _extreme(message: Message, index: int, rng: Random) -> Message:
    new = WireField(message[index].number, VARINT, rng.choice(EXTREME_VARINTS))
    return _with(message, index, new)


def _padded_varint(message: Message, index: int, rng: Random) -> Message:
    """A number in more bytes than it needs, or in more than there are."""
    number = write_varint(message[index].number << 3)
    padding = b"\x80" * rng.choice((1, 4, 9, 10))
    return _with(message, index, WireField(0, VERBATIM, number + b"\x81" + padding + b"\x00"))


def _odd_text(message: Message, index: int, rng: Random) -> Message:
    return _with(message, index, WireField(message[index].number, LENGTH, rng.choice(ODD_TEXTS)))


def _damage(message: Message, index: int, rng: Random) -> Message:
    chosen = message[index]
    if isinstance(chosen.value, int):
        changed = replace(chosen, value=chosen.value ^ 1 << rng.randrange(64))
    elif chosen.wire_type == VERBATIM:
        changed = chosen
    else:
        content = chosen.value if isinstance(chosen.value, bytes) else write_message(chosen.value)
        changed = WireField(chosen.number, LENGTH, change_bytes(content, rng))
    return _with(message, index, changed)


def _lying_length(message: Message, index: int, rng: Random) -> Message:
    tag = write_varint(message[index].number << 3 | LENGTH)
    claimed = write_varint(rng.choice((1, 100, 2**31 - 1, 2**32 - 1, 2**63, 2**64 - 1)))
    return _with(message, index, WireField(0, VERBATIM, tag + claimed + b"x"))


def _group(message: Message, index: int, rng: Random) -> Message:
    """Groups are not used by any schema here, opened and closed or only opened."""
    number = message[index].number
    start, end = (write_varint(number << 3 | kind) for kind in (START_GROUP, END_GROUP))
    depth = rng.choice((1, 50, NESTINGS_MAX))
    content = start * depth + end * rng.choice((0, 1, depth))
    return _with(message, index, WireField(0, VERBATIM, content))


def _nest(message: Message, index: int, rng: Random) -> Message:
    """The field inside itself, many times."""
    chosen = message[index]
    content = write_field(chosen)[:NESTED_BYTES_MAX]
    tag = write_varint(chosen.number << 3 | LENGTH)
    for _ in range(rng.choice((1, 2, 30, 120, NESTINGS_MAX))):
        content = tag + write_varint(len(content)) + content
    return _with(message, index, WireField(0, VERBATIM, content))


def _with(message: Message, index: int, new: WireField) -> Message:
    return (*message[:index], new, *message[index + 1 :])


FIELD_CHANGES: Sequence[FieldChange] = (
    _drop,
    _repeat,
    _swap,
    _move,
    _unknown,
    _renumber,
    _extreme,
    _extreme,
    _padded_varint,
    _odd_text,
    _damage,
    _damage,
    _lying_length,
    _group,
    _nest,
)
