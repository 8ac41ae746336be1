"""Parsing of untrusted bytes: the only two errors that come out are the agreed ones."""

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from ledger.errors import InvalidMessage, Reason, TransactionInvalid
from ledger.model.codes import ValidationCode

M = TypeVar("M", bound=Message)

NANOSECONDS_PER_SECOND = 1_000_000_000


def parse_message(message_type: type[M], raw: bytes) -> M:
    """A message from outside; raises InvalidMessage MALFORMED."""
    try:
        return message_type.FromString(raw)
    except DecodeError:
        name = message_type.DESCRIPTOR.name
        raise InvalidMessage(Reason.MALFORMED, f"the {name} does not parse") from None


def parse_part(message_type: type[M], raw: bytes, code: ValidationCode) -> M:
    """A part of a transaction; raises TransactionInvalid with the code that part has."""
    try:
        return message_type.FromString(raw)
    except DecodeError:
        name = message_type.DESCRIPTOR.name
        raise TransactionInvalid(code, f"the {name} does not parse") from None


def length_delimited(field_number: int, content: bytes) -> bytes:
    """One `bytes` or message field on the wire, to wrap bytes that must stay as they are."""
    assert 1 <= field_number <= 15  # noqa: PLR2004 - its tag is one byte
    return bytes((field_number << 3 | 2,)) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
