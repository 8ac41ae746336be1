"""Selectors of rich queries: CouchDB's conditions on JSON values, compiled once for many rows.

A field that is not there meets no condition but `{"$exists": false}`, negated or not. Regular
expressions run in time linear in the text (RE2), so none can hold a peer up.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import re2  # type: ignore[import-untyped]

from ledger.endorsement.queries.json_order import order_key
from ledger.endorsement.queries.work import QueryWork, refused

DEPTH_MAX = 20
"""Selectors within selectors."""
CONDITIONS_MAX = 100
PATTERN_CHARACTERS_MAX = 1_000
SEARCHED_CHARACTERS_MAX = 128 * 1024
"""Of a text in which a pattern is looked for; a search cannot be stopped once it runs."""
SEARCHED_CHARACTERS_PER_STEP = 16
PLACE_DIGITS_MAX = 9
PATTERN_MEMORY_BYTES = 1024 * 1024

Predicate = Callable[[Any, QueryWork], bool]
Path = tuple[str, ...]

MISSING = object()
"""What a path finds where there is no such field."""

_DOT = re.compile(r"(?<!\\)\.")
_OPPOSITES = {"$eq": "$ne", "$gt": "$lte", "$gte": "$lt", "$in": "$nin"}
_OPPOSITES |= {there: here for here, there in _OPPOSITES.items()}


def compile_selector(selector: Any) -> Predicate:
    """Whether a document matches; raises SimulationRefused naming what is wrong."""
    return _Compiler().selector(selector, negated=False, depth=0)


def field_path(name: str) -> Path:
    r"""`a.b` is field b of a; `a\.b` is one field."""
    return tuple(part.replace("\\.", ".") for part in _DOT.split(name))


def look_up(value: Any, path: Path) -> Any:
    """What is at a path; numbers are places in arrays."""
    for name in path:
        if isinstance(value, dict):
            value = value.get(name, MISSING)
        elif isinstance(value, list) and (place := _place(name)) < len(value):
            value = value[place]
        else:
            return MISSING
    return value


def _place(name: str) -> int:
    """The place in an array that a name means; beyond any array if it means none."""
    is_number = name.isdecimal() and len(name) <= PLACE_DIGITS_MAX
    return int(name) if is_number else sys.maxsize


class _Compiler:
    """Negations are carried down to the single conditions, as CouchDB does."""

    def __init__(self) -> None:
        self._conditions = 0

    def selector(self, selector: Any, *, negated: bool, depth: int) -> Predicate:
        """Several conditions that must all hold."""
        if not isinstance(selector, Mapping):
            raise refused("a selector is a JSON object")
        if depth > DEPTH_MAX:
            raise refused(f"selectors are nested deeper than {DEPTH_MAX}")
        parts = [
            self._condition(name, argument, negated=negated, depth=depth + 1)
            for name, argument in selector.items()
        ]
        return _any(parts) if negated else _all(parts)

    def _condition(self, name: str, argument: Any, *, negated: bool, depth: int) -> Predicate:
        self._conditions += 1
        if self._conditions > CONDITIONS_MAX:
            raise refused(f"more than {CONDITIONS_MAX} conditions")
        if name in ("$and", "$or", "$nor"):
            return self._combination(name, argument, negated=negated, depth=depth)
        if name == "$not" and isinstance(argument, Mapping):
            return self.selector(argument, negated=not negated, depth=depth)
        if name == "$not":
            return self._field(argument, negated=not negated, depth=depth)
        if name == "$elemMatch":
            return self._element(argument, negated=negated, depth=depth)
        if name.startswith("$"):
            return _operator(name, argument, negated=negated)
        path = field_path(name)
        inner = self._field(argument, negated=negated, depth=depth)

        def of_field(value: Any, work: QueryWork) -> bool:
            work.step(len(path))
            return inner(look_up(value, path), work)

        return of_field

    def _field(self, argument: Any, *, negated: bool, depth: int) -> Predicate:
        """What a field has to be: a value, or conditions on it."""
        if isinstance(argument, Mapping) and argument:
            return self.selector(argument, negated=negated, depth=depth)
        return _operator("$eq", argument, negated=negated)

    def _combination(self, name: str, argument: Any, *, negated: bool, depth: int) -> Predicate:
        if not isinstance(argument, list):
            raise refused(f"{name} takes an array of selectors")
        parts = [
            self.selector(part, negated=negated != (name == "$nor"), depth=depth)
            for part in argument
        ]
        return _all(parts) if negated == (name == "$or") else _any(parts)

    def _element(self, argument: Any, *, negated: bool, depth: int) -> Predicate:
        inner = self.selector(argument, negated=False, depth=depth)

        def has_one(value: Any, work: QueryWork) -> bool:
            if not isinstance(value, list):
                return False
            work.step(len(value))
            return any(inner(item, work) for item in value)

        return _present(has_one, negated=negated)


def _any(parts: Sequence[Predicate]) -> Predicate:
    if len(parts) == 1:
        return parts[0]

    def matches(value: Any, work: QueryWork) -> bool:
        work.step(1 + len(parts))
        return any(part(value, work) for part in parts)

    return matches


def _all(parts: Sequence[Predicate]) -> Predicate:
    if len(parts) == 1:
        return parts[0]

    def matches(value: Any, work: QueryWork) -> bool:
        work.step(1 + len(parts))
        return all(part(value, work) for part in parts)

    return matches


def _present(predicate: Predicate, *, negated: bool = False) -> Predicate:
    """Never true of a missing field."""

    def matches(value: Any, work: QueryWork) -> bool:
        work.step()
        return value is not MISSING and predicate(value, work) != negated

    return matches


# -- single conditions ----------------------------------------------------------------------------


def _operator(name: str, argument: Any, *, negated: bool) -> Predicate:
    if name == "$exists":
        if not isinstance(argument, bool):
            raise refused("$exists takes true or false")
        return lambda value, _work: (value is not MISSING) == (argument != negated)
    if negated and name in _OPPOSITES:
        return _operator(_OPPOSITES[name], argument, negated=False)
    make = _OPERATORS.get(name)
    if make is None:
        raise refused(f"operator {name[:40]} is not supported")
    return _present(make(argument), negated=negated)


def _equal(argument: Any) -> Predicate:
    wanted = order_key(argument)
    return lambda value, work: work.key(value) == wanted


def _unequal(argument: Any) -> Predicate:
    wanted = order_key(argument)
    return lambda value, work: work.key(value) != wanted


def _greater(argument: Any) -> Predicate:
    bound = order_key(argument)
    return lambda value, work: work.key(value) > bound


def _at_least(argument: Any) -> Predicate:
    bound = order_key(argument)
    return lambda value, work: work.key(value) >= bound


def _less(argument: Any) -> Predicate:
    bound = order_key(argument)
    return lambda value, work: work.key(value) < bound


def _at_most(argument: Any) -> Predicate:
    bound = order_key(argument)
    return lambda value, work: work.key(value) <= bound


def _one_of(argument: Any) -> Predicate:
    """The value itself, or one item of an array."""
    wanted = {order_key(item) for item in _array("$in", argument)}

    def matches(value: Any, work: QueryWork) -> bool:
        if work.key_to_hash(value) in wanted:
            return True
        return isinstance(value, list) and any(work.key_to_hash(item) in wanted for item in value)

    return matches


def _none_of(argument: Any) -> Predicate:
    is_one = _one_of(argument)
    return lambda value, work: not is_one(value, work)


def _has_all(argument: Any) -> Predicate:
    wanted = {order_key(item) for item in _array("$all", argument)}

    def matches(value: Any, work: QueryWork) -> bool:
        return isinstance(value, list) and wanted <= {work.key_to_hash(item) for item in value}

    return matches


def _of_size(argument: Any) -> Predicate:
    if not isinstance(argument, int) or isinstance(argument, bool):
        raise refused("$size takes a whole number")
    return lambda value, _work: isinstance(value, list) and len(value) == argument


def _matches_pattern(argument: Any) -> Predicate:
    if not isinstance(argument, str) or len(argument) > PATTERN_CHARACTERS_MAX:
        raise refused(f"$regex takes text of at most {PATTERN_CHARACTERS_MAX} characters")
    options = re2.Options()
    options.max_mem = PATTERN_MEMORY_BYTES
    options.log_errors = False
    options.never_capture = True
    try:
        search = re2.compile(argument, options).search
    except (re2.error, UnicodeEncodeError) as error:
        raise refused(
            f"$regex {argument[:80]!r} is not supported (no look-around, no back references)"
        ) from error

    def matches(value: Any, work: QueryWork) -> bool:
        if not isinstance(value, str):
            return False
        if len(value) > SEARCHED_CHARACTERS_MAX:
            raise refused(f"$regex does not search more than {SEARCHED_CHARACTERS_MAX} characters")
        work.step(len(value) // SEARCHED_CHARACTERS_PER_STEP)
        try:
            return search(value) is not None
        except UnicodeEncodeError:
            return False  # half a surrogate pair

    return matches


def _array(name: str, argument: Any) -> list[Any]:
    if not isinstance(argument, list):
        raise refused(f"{name} takes an array")
    return argument


_OPERATORS: dict[str, Callable[[Any], Predicate]] = {
    "$eq": _equal,
    "$ne": _unequal,
    "$gt": _greater,
    "$gte": _at_least,
    "$lt": _less,
    "$lte": _at_most,
    "$in": _one_of,
    "$nin": _none_of,
    "$all": _has_all,
    "$size": _of_size,
    "$regex": _matches_pattern,
}
