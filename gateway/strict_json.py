"""JSON of strangers, read strictly: what two readers could understand differently is refused.

No key twice, no NaN or Infinity, no number beyond 64 bits, no text that is not Unicode, at most
`DEPTH_MAX` levels.
"""

import json
from typing import Any, NoReturn

DEPTH_MAX = 32
INTEGER_MAX = 2**63 - 1


class BadJson(ValueError):  # noqa: N818 - the sender's fault
    """The bytes are no JSON this service takes; the text says why."""


def parse_strictly(raw: bytes) -> Any:
    """The value of a UTF-8 JSON text; raises BadJson."""
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_int=_integer,
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


def _refuse(text: str) -> NoReturn:
    raise BadJson(f"{text} is no number in JSON")


def _integer(text: str) -> int:
    # The digits are counted first: a long text takes long to convert.
    if len(text) > len(str(-INTEGER_MAX)) or not -INTEGER_MAX - 1 <= int(text) <= INTEGER_MAX:
        raise BadJson("a number does not fit into 64 bits")
    return int(text)


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
