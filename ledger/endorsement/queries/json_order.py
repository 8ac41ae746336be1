"""JSON values as rich queries see them: parsed within bounds, and in CouchDB's order of kinds.

null < false < true < numbers < text < arrays < objects. Text is ordered by code points, not by a
language's rules as in CouchDB: every peer has to find the same order.
"""

import json
import math
from collections.abc import Iterable
from typing import Any

OrderKey = tuple[Any, ...]
"""Keys of two values compare as the values do."""


def parse_object(raw: bytes) -> dict[str, Any] | None:
    """The JSON object in a value; None for anything else, which no rich query sees."""
    if not raw.startswith(b"{"):
        return None
    try:
        found = json.loads(raw, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def parse_text(text: str) -> Any:
    """JSON of a query; ValueError or RecursionError when it is none."""
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def encode_value(value: Any) -> bytes:
    """JSON with ascending names and without spaces, the same on every peer."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")  # half a surrogate pair as JSON's escape


def order_key(value: Any) -> OrderKey:
    """Where a value stands among all JSON values; equal values have equal keys."""
    if value is None:
        return (0,)
    if isinstance(value, bool):
        return (1, value)
    if isinstance(value, (int, float)):
        return (2, value)
    if isinstance(value, str):
        return (3, value)
    if isinstance(value, list):
        return array_key(order_key(item) for item in value)
    return object_key((name, order_key(value[name])) for name in sorted(value))


def array_key(items: Iterable[OrderKey]) -> OrderKey:
    """`order_key` of an array whose items have these."""
    return (4, tuple(items))


def object_key(fields: Iterable[tuple[str, OrderKey]]) -> OrderKey:
    """`order_key` of an object whose fields, by ascending name, have these."""
    return (5, tuple(fields))


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large")
    return number
