"""One JSON text per value, so that every peer stores and hashes the same bytes.

Keys ascend, no white space, UTF-8; floating-point numbers are refused both ways because their
text depends on how they were computed: energy, money and prices are integers.
"""

import json
from dataclasses import fields, is_dataclass
from typing import Any, NoReturn

from chaincode.shim.errors import ContractError
from chaincode.strict_json import DEPTH_MAX, BadJson, strict_json


def canonical_json(value: Any) -> bytes:
    """The one encoding of `value` (dict with str keys, list, tuple, str, int, bool, None).

    Dataclass instances, wherever they stand, become objects. TypeError for anything else, floats
    included.
    """
    return _CANONICAL.encode(_plain(value, DEPTH_MAX)).encode("utf-8")


def parse_json(data: bytes | str, *, what: str = "argument") -> Any:
    """The value of a JSON text; ContractError INVALID_ARGUMENT if malformed.

    Floats are refused, and whatever `chaincode.strict_json` refuses.
    """
    try:
        return strict_json(data, read_fraction=_refuse_number)
    except BadJson as error:
        raise ContractError("INVALID_ARGUMENT", f"{what} is not valid JSON: {error}") from None


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any, depth_left: int) -> Any:
    """`value` with objects in place of records; TypeError for what has no exact text.

    `dataclasses.asdict` would copy everything deeply: that was a third of what a contract costs.
    """
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if depth_left == 0:
        raise TypeError(f"nested more than {DEPTH_MAX} levels")
    if (names := _field_names(kind)) is not None:
        return {name: _plain(getattr(value, name), depth_left - 1) for name in names}
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("object keys are text")
        return {key: _plain(item, depth_left - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth_left - 1) for item in value]
    if isinstance(value, str | int):
        return value
    raise TypeError(f"{kind.__name__} has no canonical JSON text")


_FIELD_NAMES: dict[type, tuple[str, ...] | None] = {}
"""Of each type met so far; a program has few. None for what is no dataclass."""


def _field_names(kind: type) -> tuple[str, ...] | None:
    if kind not in _FIELD_NAMES:
        names = tuple([field.name for field in fields(kind)]) if is_dataclass(kind) else None
        _FIELD_NAMES[kind] = names
    return _FIELD_NAMES[kind]


def _refuse_number(text: str) -> NoReturn:
    raise BadJson(f"{text[:20]} is not an integer")
