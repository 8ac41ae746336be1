"""One height for several questions: a connection whose transaction sees one state."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

from sqlalchemy import Connection, select

from gateway.database import Database
from gateway.readmodel.tables import Progress

PAGE_MAX = 500
"""Rows of one page."""


class _Snapshot:
    """A connection that is opened by the first question, in the thread that asks it."""

    def __init__(self, database: Database, opened: ExitStack) -> None:
        self._database = database
        self._opened = opened
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The connection, open now."""
        if self._connection is None:
            self._connection = self._opened.enter_context(self._database.reading())
        return self._connection


class Snapshots:
    """Where every question gets its connection. `namespace` is that of the contracts."""

    def __init__(self, database: Database, namespace: str) -> None:
        self.database = database
        self.namespace = namespace
        self._snapshot: ContextVar[_Snapshot | None] = ContextVar("snapshot", default=None)

    @contextmanager
    def at_one_height(self) -> Iterator[None]:
        """Everything that is read inside, by this request or thread, is of one height."""
        if self._snapshot.get() is not None:
            yield
            return
        with ExitStack() as opened:
            token = self._snapshot.set(_Snapshot(self.database, opened))
            try:
                yield
            finally:
                self._snapshot.reset(token)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """For the query modules: the connection of `at_one_height`, or one for this question."""
        with self.at_one_height():
            snapshot = self._snapshot.get()
            assert snapshot is not None, "at_one_height has set it"
            yield snapshot.connection

    @property
    def height(self) -> int:
        """How many blocks are applied; the next one has this number."""
        with self.connection() as connection:
            return connection.execute(select(Progress.height)).scalar_one()


def page_rows(limit: int) -> int:
    """The limit, if a page may be so long; `ValueError` otherwise."""
    if not 0 < limit <= PAGE_MAX:
        raise ValueError(f"a page has 1 to {PAGE_MAX} rows")
    return limit
