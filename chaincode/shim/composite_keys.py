"""Composite keys: several attributes in one state key, scanned by prefix.

Fabric's form: U+0000 type U+0000 attribute U+0000 …; all keys that begin with given attributes
lie in [prefix, prefix + U+10FFFF).
"""

from collections.abc import Sequence

from chaincode.shim.errors import ContractError

SEPARATOR = "\x00"
MAX_CHARACTER = "\U0010ffff"
MIN_SIMPLE_KEY = "\x01"
"""Simple keys sort after every composite key, so an empty start means this."""


def create_composite_key(object_type: str, attributes: Sequence[str]) -> str:
    """The key of `attributes` (each without U+0000 and U+10FFFF) under `object_type`."""
    parts = [object_type, *attributes]
    if not object_type:
        raise ContractError("INVALID_KEY", "the object type of a composite key is empty")
    for part in parts:
        if SEPARATOR in part or MAX_CHARACTER in part:
            raise ContractError("INVALID_KEY", "U+0000 and U+10FFFF cannot be part of a key")
        _require_text(part)
    return SEPARATOR + SEPARATOR.join(parts) + SEPARATOR


def split_composite_key(key: str) -> tuple[str, list[str]]:
    """Object type and attributes of a composite key."""
    if len(key) < 3 or key[0] != SEPARATOR or key[-1] != SEPARATOR:  # noqa: PLR2004
        raise ContractError("INVALID_KEY", "not a composite key")
    object_type, *attributes = key[1:-1].split(SEPARATOR)
    return object_type, attributes


def composite_range(object_type: str, attributes: Sequence[str]) -> tuple[str, str]:
    """Start and end of the scan of all keys that begin with these attributes."""
    prefix = create_composite_key(object_type, attributes)
    return prefix, prefix + MAX_CHARACTER


def require_simple_key(key: str) -> None:
    """Refuse an empty key and a start with U+0000, which is the composite keys' room."""
    if not key:
        raise ContractError("INVALID_KEY", "a key must not be empty")
    _require_text(key)
    if key[0] == SEPARATOR and (len(key) < 3 or key[-1] != SEPARATOR):  # noqa: PLR2004
        raise ContractError("INVALID_KEY", "a simple key must not start with U+0000")


def is_text(text: str) -> bool:
    """Whether it can be sent: JSON may hold half a surrogate pair, UTF-8 may not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _require_text(part: str) -> None:
    if not is_text(part):
        raise ContractError("INVALID_KEY", "a key is Unicode text, without half surrogate pairs")
