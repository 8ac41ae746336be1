"""Rich queries: JSON selectors over the values of a namespace, with sort, fields and pages.

CouchDB's queries as Fabric's contracts use them, without an index: every row is looked at, within
limits. Rows found are recorded as reads; which rows exist is not, so validation does not notice
what appeared or went meanwhile (no protection from phantoms), as in Fabric.
"""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ledger.endorsement.limits import QueryLimits
from ledger.endorsement.queries.json_order import (
    OrderKey,
    encode_value,
    order_key,
    parse_object,
    parse_text,
)
from ledger.endorsement.queries.query_selectors import (
    MISSING,
    Path,
    Predicate,
    compile_selector,
    field_path,
    look_up,
)
from ledger.endorsement.queries.work import QueryWork, refused
from ledger.model.state import VersionedValue

Row = tuple[str, VersionedValue]

KEY_FIELD = "_id"
"""The key of a row, as CouchDB names it; selectors and sorts may use it."""
FIELDS_MAX = 100
# Known to CouchDB and without effect here.
_IGNORED = {"use_index", "r", "update", "stable", "stale", "execution_stats", "conflicts"}
_KNOWN = {"selector", "sort", "fields", "limit", "skip"}


@dataclass(frozen=True, slots=True)
class RichQuery:
    """A query that was understood."""

    matches: Predicate
    sort: tuple[Path, ...] = ()
    descending: bool = False
    fields: tuple[Path, ...] = ()
    """Of the values found; none: whole values."""
    limit: int | None = None
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Position:
    """Where a row stands in a query's order; `values` are those it is sorted by."""

    values: tuple[Any, ...]
    key: str

    def order(self) -> OrderKey:
        """Compares as positions do."""
        return (*(order_key(value) for value in self.values), self.key)


@dataclass(frozen=True, slots=True)
class _Place:
    """A position among others; comparing is work too."""

    order: OrderKey
    steps: int
    work: QueryWork

    def __lt__(self, other: "_Place") -> bool:
        self.work.step(min(self.steps, other.steps))
        return self.order < other.order


@dataclass(frozen=True, slots=True)
class Found:
    """A row that matches, its value as the contract gets it."""

    key: str
    versioned: VersionedValue
    value: bytes
    position: Position
    place: _Place


def parse_rich_query(text: str, limits: QueryLimits) -> RichQuery:
    """Understand a query; raises SimulationRefused naming what is wrong."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limits.text_bytes_max:
        raise refused(f"the query is {size} bytes, the limit is {limits.text_bytes_max}")
    try:
        wire = parse_text(text)
    except (ValueError, RecursionError) as error:
        raise refused("the query is not JSON") from error
    if not isinstance(wire, dict) or "selector" not in wire:
        raise refused("the query is no JSON object with a selector")
    unknown = sorted(wire.keys() - _KNOWN - _IGNORED)
    if unknown:
        raise refused(f"{unknown[0][:40]!r} is not supported")
    sort, descending = _sort(wire.get("sort", []))
    return RichQuery(
        matches=compile_selector(wire["selector"]),
        sort=sort,
        descending=descending,
        fields=tuple(field_path(name) for name in _texts("fields", wire.get("fields", []))),
        limit=_count("limit", wire["limit"]) if "limit" in wire else None,
        skip=_count("skip", wire.get("skip", 0)),
    )


def run_rich_query(
    query: RichQuery,
    rows: Iterable[Row],
    *,
    rows_max: int,
    after: Position | None,
    limits: QueryLimits,
    work: QueryWork | None = None,
) -> list[Found]:
    """At most `rows_max` rows that match and come after a position, in the query's order.

    Takes time: meant for a thread. Raises SimulationRefused beyond a limit. `work` is what the
    time is counted by, the limits' own if none is given.
    """
    work = work or QueryWork(limits.time_ms)
    found = _matching(query, rows, after, limits, work)
    wanted = rows_max if query.limit is None else min(rows_max, query.limit)
    last = query.skip + wanted
    if query.sort:
        in_order = sorted(found, key=_order_of, reverse=query.descending)
        return in_order[query.skip : last]
    taken = []
    for number, row in enumerate(found):
        if number >= last:
            break
        if number >= query.skip:
            taken.append(row)
    return taken


def encode_bookmark(position: Position) -> str:
    """Opaque to contracts, as CouchDB's are."""
    return base64.urlsafe_b64encode(encode_value([*position.values, position.key])).decode()


def decode_bookmark(query: RichQuery, bookmark: str) -> Position | None:
    """The position a page ended at; None for the first page. Raises SimulationRefused."""
    if not bookmark:
        return None
    try:
        parts = parse_text(base64.urlsafe_b64decode(bookmark.encode()).decode())
        *values, key = parts
    except (ValueError, TypeError, RecursionError) as error:
        raise refused("the bookmark is not one of a rich query") from error
    if not isinstance(key, str) or len(values) != len(query.sort):
        raise refused("the bookmark is not one of this query")
    return Position(tuple(values), key)


def _matching(
    query: RichQuery,
    rows: Iterable[Row],
    after: Position | None,
    limits: QueryLimits,
    work: QueryWork,
) -> Iterator[Found]:
    size = 0
    begins_after = None if after is None else after.order()
    for key, versioned in _bounded(rows, limits, work):
        document = parse_object(versioned.value)
        if document is None:
            continue
        document[KEY_FIELD] = key
        if not query.matches(document, work):
            continue
        values = tuple(look_up(document, path) for path in query.sort)
        if MISSING in values:
            continue  # CouchDB's index for the sort does not hold it
        place = _place_of(values, key, work)
        if begins_after is not None and not _is_after(
            place.order, begins_after, descending=query.descending
        ):
            continue
        value = _selected(document, query.fields) if query.fields else versioned.value
        size += len(key) + max(len(value), len(versioned.value))  # both are held
        if size > limits.found_bytes_max:
            raise refused(f"more than {limits.found_bytes_max} bytes found")
        yield Found(key, versioned, value, Position(values, key), place)


def _bounded(rows: Iterable[Row], limits: QueryLimits, work: QueryWork) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if number >= limits.rows_max:
            raise refused(f"more than {limits.rows_max} rows to look at")
        work.next_document()
        yield row


def _place_of(values: tuple[Any, ...], key: str, work: QueryWork) -> _Place:
    parts = [work.key_and_size(value) for value in values]
    order = (*(part for part, _ in parts), key)
    return _Place(order, 1 + sum(steps for _, steps in parts), work)


def _order_of(found: Found) -> _Place:
    return found.place


def _is_after(here: OrderKey, there: OrderKey, *, descending: bool) -> bool:
    return here < there if descending else here > there


def _selected(document: dict[str, Any], fields: tuple[Path, ...]) -> bytes:
    """The fields asked for, where they are; never the key itself, as in Fabric."""
    chosen: dict[str, Any] = {}
    for path in fields:
        value = look_up(document, path)
        if value is MISSING or path == (KEY_FIELD,):
            continue
        _place(chosen, path, value)
    return encode_value(chosen)


def _place(chosen: dict[str, Any], path: Path, value: Any) -> None:
    *parents, name = path
    place: Any = chosen
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            return  # the whole of it was asked for as well
    place[name] = value


def _sort(wire: Any) -> tuple[tuple[Path, ...], bool]:
    """Paths and direction; one direction for all, as in CouchDB."""
    paths, directions = [], set()
    for part in _array("sort", wire):
        if isinstance(part, str):
            name, direction = part, "asc"
        elif isinstance(part, dict) and len(part) == 1:
            [(name, direction)] = part.items()
        else:
            raise refused("sort takes names and objects of one name and a direction")
        paths.append(field_path(name))
        directions.add(str(direction))
    if len(directions) > 1 or not directions <= {"asc", "desc"}:
        raise refused("sort takes one direction for all fields, asc or desc")
    return tuple(paths), directions == {"desc"}


def _array(name: str, wire: Any) -> list[Any]:
    if not isinstance(wire, list) or len(wire) > FIELDS_MAX:
        raise refused(f"{name} takes an array of at most {FIELDS_MAX}")
    return wire


def _texts(name: str, wire: Any) -> list[str]:
    found = _array(name, wire)
    if not all(isinstance(text, str) for text in found):
        raise refused(f"{name} takes names of fields")
    return found


def _count(name: str, wire: Any) -> int:
    if not isinstance(wire, int) or isinstance(wire, bool) or wire < 0:
        raise refused(f"{name} takes a whole number")
    return wire
