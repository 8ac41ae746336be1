"""What a leaf of the outcome tree says: a transaction's code, or one write of a valid one."""

import struct
from dataclasses import dataclass

from ledger.model.rwset import Version

_LENGTH = struct.Struct(">I")
_POSITION = struct.Struct(">QI")


@dataclass(frozen=True, slots=True)
class TransactionStatement:
    """This transaction id stands here with this validation code."""

    tx_id: str
    position: Version
    code: int


@dataclass(frozen=True, slots=True)
class WriteStatement:
    """The transaction at this position wrote this value; an empty value deleted the key."""

    namespace: str
    key: str
    position: Version
    value: bytes


Statement = TransactionStatement | WriteStatement


def read_statement(element: bytes) -> Statement:
    """Inverse of the elements in `ledger.validation.outcome`; ValueError for anything else."""
    kind, rest = element[:1], element[1:]
    try:
        if kind == b"T":
            tx_id, rest = _sized(rest)
            position, rest = _place(rest)
            (code,) = rest
            return TransactionStatement(tx_id.decode(), position, code)
        if kind == b"W":
            namespace, rest = _sized(rest)
            key, rest = _sized(rest)
            position, rest = _place(rest)
            value, rest = _sized(rest)
            if not rest:
                return WriteStatement(namespace.decode(), key.decode(), position, value)
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"a leaf cannot be read: {error}") from error
    raise ValueError("a leaf is neither a transaction nor a write")


def _sized(raw: bytes) -> tuple[bytes, bytes]:
    (length,) = _LENGTH.unpack_from(raw)
    end = _LENGTH.size + length
    if end > len(raw):
        raise ValueError("a leaf ends too early")
    return raw[_LENGTH.size : end], raw[end:]


def _place(raw: bytes) -> tuple[Version, bytes]:
    number, index = _POSITION.unpack_from(raw)
    return Version(number, index), raw[_POSITION.size :]
