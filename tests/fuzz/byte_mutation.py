"""Changes to bytes that know nothing of what the bytes mean."""

from collections.abc import Callable
from random import Random

INTERESTING_BYTES = (0x00, 0x01, 0x0A, 0x0D, 0x1B, 0x20, 0x7F, 0x80, 0xC0, 0xFE, 0xFF)
INTERESTING_WORDS = (0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
CHUNK_BYTES_MAX = 64

Change = Callable[[bytes, Random], bytes]


def flip_bit(data: bytes, rng: Random) -> bytes:
    """One bit the other way."""
    at = rng.randrange(len(data))
    return data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]


def set_byte(data: bytes, rng: Random) -> bytes:
    """One byte with a value that borders on something."""
    at = rng.randrange(len(data))
    return data[:at] + bytes((rng.choice(INTERESTING_BYTES),)) + data[at + 1 :]


def set_word(data: bytes, rng: Random) -> bytes:
    """Four bytes, as a length or a number at the edge of its type."""
    at = rng.randrange(len(data))
    order = rng.choice(("big", "little"))
    return data[:at] + rng.choice(INTERESTING_WORDS).to_bytes(4, order) + data[at + 4 :]


def truncate(data: bytes, rng: Random) -> bytes:
    """Cut off the end."""
    return data[: rng.randrange(len(data))]


def insert(data: bytes, rng: Random) -> bytes:
    """Random bytes in between."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.randint(1, CHUNK_BYTES_MAX)) + data[at:]


def drop_chunk(data: bytes, rng: Random) -> bytes:
    """Some bytes gone."""
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randint(1, CHUNK_BYTES_MAX) :]


def repeat_chunk(data: bytes, rng: Random) -> bytes:
    """Some bytes twice."""
    at = rng.randrange(len(data))
    end = at + rng.randint(1, CHUNK_BYTES_MAX)
    return data[:end] + data[at:]


BYTE_CHANGES: tuple[Change, ...] = (
    flip_bit,
    set_byte,
    set_word,
    truncate,
    insert,
    drop_chunk,
    repeat_chunk,
)


def change_bytes(data: bytes, rng: Random) -> bytes:
    """One of the changes above; empty input grows."""
    return rng.choice(BYTE_CHANGES)(data, rng) if data else rng.randbytes(rng.randint(1, 8))


def splice(data: bytes, other: bytes, rng: Random) -> bytes:
    """The beginning of one and the end of another."""
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]
