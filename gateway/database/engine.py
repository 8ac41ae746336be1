"""Connections: a reader sees one state of the database, a writer is alone."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from gateway.database.outages import DatabaseUnavailable, told_apart
from gateway.database.replicas import ReadingOn

BUSY_TIMEOUT_MS = 10_000
"""How long a writer of SQLite waits: once for those of its process, then for other processes."""
POOL_CONNECTIONS = 8
POOL_CONNECTIONS_MORE = 12
"""Opened on top when all are in use; three replicas stay below PostgreSQL's default of 100."""
POOL_TIMEOUT_S = 10
SQLITE_CACHE_KIB = 8_192
CONNECT_TIMEOUT_S = 3
"""For each server in turn."""
LOST_AFTER_MS = 10_000
KEEPALIVE_S, KEEPALIVES = 3, 3
"""A server that acknowledges nothing for some ten seconds is taken as gone."""
ROLE = "target_session_attrs"
"""What libpq asks of a server: `any`, or `read-write`, which only the primary is."""
PRIVATE_FILE_MODE = 0o600
BEGIN = "gridledger_begin"
"""Execution option: how a transaction of SQLite begins."""
SYNCHRONOUS = "gridledger_synchronous"
"""Execution option: FULL, or NORMAL, where a power cut may undo SQLite's last transactions."""


@dataclass(frozen=True, slots=True)
class Database:
    """One database; safe to use from several threads.

    A server of PostgreSQL that is away raises `DatabaseUnavailable`, and so does a file of SQLite
    that somebody else writes to for longer than `BUSY_TIMEOUT_MS`. Where the URL names several
    servers, writing needs the primary among them, and reading goes on at a replica without it.
    """

    engine: Engine
    """Of the file, or of the primary."""
    reading_on: ReadingOn | None = None
    sqlite_writers: "threading.Lock | None" = None
    """The writers of this process. SQLite lets who waits ask again now and then, and the unlucky
    one of many never gets in; at a lock they are woken one after another."""

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of this machine."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of everything, however long it reads."""
        with told_apart(), self._connected_for_reading() as connection:
            if not self.is_sqlite:
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            yield connection

    @contextmanager
    def writing(self, *, is_synced: bool = False) -> Iterator[Connection]:
        """A transaction: committed at the end, rolled back by an exception.

        On SQLite writers wait for each other from the beginning; on PostgreSQL at a locked row.
        With `is_synced` it survives a power cut, whatever was committed before it likewise.
        Without, SQLite may lose the newest transactions then (never tear one); PostgreSQL syncs
        always, unless its own settings say otherwise.
        """
        with told_apart(), self._alone(), self.engine.connect() as connection:
            synchronous = "FULL" if is_synced else "NORMAL"
            connection.execution_options(**{BEGIN: "IMMEDIATE", SYNCHRONOUS: synchronous})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()
        if self.reading_on is not None:
            self.reading_on.close()

    def _connected_for_reading(self) -> Connection:
        return self.reading_on.connect() if self.reading_on else self.engine.connect()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self.sqlite_writers is None:
            yield
            return
        if not self.sqlite_writers.acquire(timeout=BUSY_TIMEOUT_MS / 1_000):
            raise DatabaseUnavailable(f"another writer took longer than {BUSY_TIMEOUT_MS} ms")
        try:
            yield
        finally:
            self.sqlite_writers.release()


def open_database(url: str) -> Database:
    """By URL: `sqlite:////path/file.db` or `postgresql://user:password@host/name`.

    A primary and its replicas: `postgresql://user:password@/name?host=a:5432&host=b:5432`.
    Another kind, or a URL that is none, raises `ValueError`. A file of SQLite is made with mode
    0600.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ValueError(f"this is no database URL: {error}") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return Database(_sqlite(parsed), sqlite_writers=threading.Lock())
    if backend == "postgresql":
        return _of_servers(parsed)
    raise ValueError(f"{backend} is not supported; use sqlite or postgresql")


def _sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ValueError("SQLite needs a file: sqlite:////path/file.db")
    path = Path(url.database)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE_MODE))
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        pool_size=POOL_CONNECTIONS,
        max_overflow=POOL_CONNECTIONS_MORE,
        pool_timeout=POOL_TIMEOUT_S,
        hide_parameters=True,  # an error's text is logged, and rows hold what is nobody's business
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say so
        for pragma in (
            "journal_mode = WAL",
            "synchronous = NORMAL",
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "foreign_keys = ON",
            f"cache_size = -{SQLITE_CACHE_KIB}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        how = options.get(BEGIN, "DEFERRED")
        if SYNCHRONOUS in options:
            connection.exec_driver_sql(f"PRAGMA synchronous = {options[SYNCHRONOUS]}")
        connection.exec_driver_sql(f"BEGIN {how}")

    return engine


def _of_servers(url: URL) -> Database:
    hosts = url.normalized_query.get("host", ())
    if len(",".join(hosts).split(",")) == 1:
        return Database(_postgresql(url))
    primary = _postgresql(url.update_query_dict({ROLE: "read-write"}))
    any_server = _postgresql(url.update_query_dict({ROLE: "any"}))
    return Database(primary, ReadingOn(primary, any_server))


def _postgresql(url: URL) -> Engine:
    limits = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": LOST_AFTER_MS,
        "keepalives_idle": KEEPALIVE_S,
        "keepalives_interval": KEEPALIVE_S,
        "keepalives_count": KEEPALIVES,
    }
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={name: value for name, value in limits.items() if name not in url.query},
        pool_size=POOL_CONNECTIONS,
        max_overflow=POOL_CONNECTIONS_MORE,
        pool_timeout=POOL_TIMEOUT_S,
        hide_parameters=True,  # an error's text is logged, and rows hold what is nobody's business
        pool_pre_ping=True,
    )
