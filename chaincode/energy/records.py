"""How every record of the energy contracts stands in the world state: one encoding.

A record is a frozen dataclass as canonical JSON: UTF-8, keys sorted, no spaces, whole numbers
only, so that all peers write equal bytes. The records themselves are in `records.py` of each
part: registry, tokens, market, oracle.
"""

import json
from typing import TypeVar

from chaincode.shim.json_values import canonical_json

T = TypeVar("T")


def encode(record: object) -> bytes:
    """Canonical JSON of a record."""
    return canonical_json(record)


def decode(kind: type[T], raw: bytes) -> T:
    """The record from the bytes `encode` made, by this version or an earlier one.

    Fields an earlier version did not have take their default; unknown ones raise `TypeError`.
    """
    return kind(**json.loads(raw.decode()))
