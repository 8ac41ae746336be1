"""Insert where a row may be there already; both databases have it, each in its own dialect."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from gateway.database.declarations import Base

_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def insert_or_replace(
    connection: Connection, table: type[Base], rows: Sequence[Mapping[str, object]]
) -> None:
    """The rows have these values now, whether or not some with their primary keys were there.

    All have the same columns, and no two the same primary key.
    """
    if rows:
        statement = _replacing(connection.dialect.name, table, tuple(rows[0]))
        connection.execute(statement, [dict(row) for row in rows])


def insert_or_keep(
    connection: Connection, table: type[Base], values: Mapping[str, object]
) -> bool:
    """Whether the row is new; one with its primary key stays as it is."""
    statement = _keeping(connection.dialect.name, table)
    return connection.execute(statement, dict(values)).first() is not None


@cache
def _replacing(dialect: str, table: type[Base], columns: tuple[str, ...]) -> Any:
    insert: Any = _INSERTS[dialect](table)
    keys = [column.name for column in table.__table__.primary_key]
    changed = {name: insert.excluded[name] for name in columns if name not in keys}
    return insert.on_conflict_do_update(index_elements=keys, set_=changed)


@cache
def _keeping(dialect: str, table: type[Base]) -> Any:
    insert: Any = _INSERTS[dialect](table)
    return insert.on_conflict_do_nothing().returning(next(iter(table.__table__.primary_key)))
