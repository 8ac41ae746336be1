"""JSON of strangers, read strictly: what two readers could understand differently is refused.

UTF-8, no key twice, no NaN or Infinity, no text that is not Unicode, at most `DEPTH_MAX` levels.
Contracts read their arguments with it (`chaincode.shim.json_values`), the gateway what it is sent
(`gateway.strict_json`).
"""

import json
from collections.abc import Callable
from typing import Any, NoReturn

DEPTH_MAX = 32
"""Nesting of a JSON value, in levels."""


class BadJson(ValueError):  # noqa: N818 - the sender's fault
    """The bytes are no JSON that is taken here; the text says why."""


def strict_json(
    raw: bytes | str,
    *,
    read_integer: Callable[[str], int] = int,
    read_fraction: Callable[[str], float] = float,
) -> Any:
    """The value of a JSON text; raises BadJson, also for what the two readers of numbers raise."""
    try:
        value = json.loads(
            raw.decode("utf-8") if isinstance(raw, bytes) else raw,
            object_pairs_hook=_unique,
            parse_constant=_no_number,
            parse_int=read_integer,
            parse_float=read_fraction,
        )
        _check(value, DEPTH_MAX)
    except BadJson:
        raise
    except RecursionError:
        raise BadJson(f"nested more than {DEPTH_MAX} levels") from None
    except ValueError as error:
        raise BadJson(f"not JSON: {error}") from None
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadJson("a name is given twice in an object")
    return found


def _no_number(text: str) -> NoReturn:
    raise BadJson(f"{text} is no number in JSON")


def _check(value: Any, levels_left: int) -> None:
    if isinstance(value, str):
        _require_unicode(value)
    elif isinstance(value, dict | list):
        if not levels_left:
            raise BadJson(f"nested more than {DEPTH_MAX} levels")
        for item in value if isinstance(value, list) else (*value.keys(), *value.values()):
            _check(item, levels_left - 1)


def _require_unicode(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise BadJson("a text has half a surrogate pair") from None
