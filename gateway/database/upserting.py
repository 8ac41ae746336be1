"""Insert where a row may be there already; both databases have it, each in its own dialect."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Insert
from sqlalchemy.dialects import postgresql, sqlite

from gateway.database.declarations import Base

_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def insert_or_replace(
    connection: Connection, table: type[Base], values: Mapping[str, object]
) -> None:
    """The row has these values now, whether or not one with its primary key was there."""
    insert: Any = _INSERTS[connection.dialect.name](table)
    keys = [column.name for column in table.__table__.primary_key]
    changed = {name: insert.excluded[name] for name in values if name not in keys}
    statement: Insert = insert.on_conflict_do_update(index_elements=keys, set_=changed)
    connection.execute(statement, dict(values))


def insert_or_keep(
    connection: Connection, table: type[Base], values: Mapping[str, object]
) -> bool:
    """Whether the row is new; one with its primary key stays as it is."""
    insert: Any = _INSERTS[connection.dialect.name](table)
    key = next(iter(table.__table__.primary_key))
    statement = insert.values(**values).on_conflict_do_nothing().returning(key)
    return connection.execute(statement).first() is not None
