"""One JSON text per value, so that every peer stores and hashes the same bytes.

Keys ascend, no white space, UTF-8; floating-point numbers are refused both ways because their
text depends on how they were computed: energy, money and prices are integers.
"""

import json
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, NoReturn

from chaincode.shim.errors import ContractError

DEPTH_MAX = 32
"""Nesting of a JSON value, in levels."""
_TOO_DEEP = f"nested more than {DEPTH_MAX} levels"


def canonical_json(value: Any) -> bytes:
    """The one encoding of `value` (dict with str keys, list, tuple, str, int, bool, None).

    Dataclass instances become objects. TypeError for anything else, floats included.
    """
    if is_dataclass(value) and not isinstance(value, type):
        value = _without_dataclasses(value, DEPTH_MAX)
    _require_exact(value, DEPTH_MAX)
    return _CANONICAL.encode(value).encode("utf-8")


def parse_json(data: bytes | str, *, what: str = "argument") -> Any:
    """The value of a JSON text; ContractError INVALID_ARGUMENT if malformed.

    Floats, NaN, repeated keys and more than `DEPTH_MAX` levels are refused.
    """
    try:
        value = json.loads(
            data,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
            object_pairs_hook=_unique_keys,
        )
        _require_exact(value, DEPTH_MAX)
    except (ValueError, TypeError, RecursionError) as error:
        raise ContractError("INVALID_ARGUMENT", f"{what} is not valid JSON: {error}") from None
    return value


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _without_dataclasses(value: Any, depth_left: int) -> Any:
    """Objects in place of dataclass instances, which `dataclasses.asdict` would copy deeply too.

    Records are most of what a contract encodes, and copying them was most of what that cost.
    """
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if depth_left < 0:
        raise TypeError(_TOO_DEEP)
    if names := _field_names(kind):
        return {n: _without_dataclasses(getattr(value, n), depth_left - 1) for n in names}
    if isinstance(value, dict):
        return {key: _without_dataclasses(item, depth_left - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_dataclasses(item, depth_left - 1) for item in value]
    return value


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    """Of a dataclass; empty for any other type."""
    return tuple([field.name for field in fields(kind)]) if is_dataclass(kind) else ()


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:20]} is not an integer")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is given twice")
    return result


def _require_exact(value: Any, depth_left: int) -> None:
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return
    if depth_left == 0:
        raise TypeError(_TOO_DEEP)
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"object keys are text, not {type(key).__name__}")
            _require_exact(item, depth_left - 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _require_exact(item, depth_left - 1)
    elif not isinstance(value, str | int):
        raise TypeError(f"{kind.__name__} has no canonical JSON text")
