"""A copy of the database while the gateway runs, and back: SQLite's own way, or PostgreSQL's."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import IO

from psycopg.conninfo import make_conninfo
from sqlalchemy import inspect
from sqlalchemy.engine import URL, make_url

from gateway.database import open_database

PRIVATE_FILE_MODE = 0o600
MIGRATED = "alembic_version"
"""The table that every database of a gateway has."""
HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE name = ?"
DUMP, RESTORE = "pg_dump", "pg_restore"
FAILURE_CHARACTERS_MAX = 500


class CopyFailed(Exception):  # noqa: N818 - an answer for a person
    """The copy was not made, or not put back; nothing was overwritten. The text says why."""


def back_up(url: str, target: Path) -> None:
    """Write one state of the database to a new file, mode 0600; writers may go on meanwhile.

    Of PostgreSQL it is an archive for `pg_restore`, of SQLite a database. Raises `CopyFailed`.
    """
    source = make_url(url)
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE_MODE)
    except FileExistsError:
        raise CopyFailed(f"{target} exists and is never overwritten") from None
    with os.fdopen(handle, "wb") as file:
        try:
            if source.get_backend_name() == "sqlite":
                _copy_sqlite(Path(source.database or ""), target)
            else:
                command = ["--format=custom", "--no-owner"]
                _run(DUMP, source, command, role="any", stdout=file)
            os.fsync(file.fileno())
        except BaseException:
            target.unlink()
            raise


def restore(url: str, source: Path) -> None:
    """Put a copy into a database that is empty; raises `CopyFailed` for any other.

    Everything or nothing. A gateway that starts then brings the tables to its own version.
    """
    if not source.is_file():
        raise CopyFailed(f"there is no file {source}")
    database = open_database(url)
    try:
        with database.reading() as connection:
            if inspect(connection).get_table_names():
                raise CopyFailed("the database has tables; restore into an empty one")
    finally:
        database.close()
    target = make_url(url)
    if target.get_backend_name() == "sqlite":
        file = Path(target.database or "")
        try:
            _copy_sqlite(source, file)
        except BaseException:
            file.unlink()
            raise
    else:
        options = ["--no-owner", "--exit-on-error", "--single-transaction"]
        _run(RESTORE, target, options, role="read-write", last=str(source.absolute()))


def _copy_sqlite(source: Path, target: Path) -> None:
    """SQLite's online copy, checked; the target becomes one file, without a log beside it."""
    if not source.is_file():
        raise CopyFailed(f"there is no file {source}")
    try:
        with (
            closing(sqlite3.connect(source.absolute().as_uri() + "?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
            new.execute("PRAGMA journal_mode = DELETE")
            if new.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                raise CopyFailed(f"{source} is damaged")
            if new.execute(HAS_TABLE, [MIGRATED]).fetchone() is None:
                raise CopyFailed(f"{source} is no database of a gateway")
    except sqlite3.DatabaseError as error:
        raise CopyFailed(f"{source} is damaged, or no database: {error}") from None


def _run(
    name: str,
    url: URL,
    options: list[str],
    *,
    role: str,
    stdout: IO[bytes] | None = None,
    last: str | None = None,
) -> None:
    program = shutil.which(name)
    if program is None:
        raise CopyFailed(f"{name} is missing: apt install postgresql-client")
    conninfo, secret = _connection(url, role)
    command = [program, *options, f"--dbname={conninfo}", *([last] if last else [])]
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own program
        command,
        stdout=stdout,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=os.environ | secret,
        check=False,
    )
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip()[-FAILURE_CHARACTERS_MAX:]
        raise CopyFailed(f"{name} failed: {words}")


def _connection(url: URL, role: str) -> tuple[str, Mapping[str, str]]:
    """What the programs are told on their command line, and the password, in the environment."""
    wanted = url.set(drivername="postgresql+psycopg").update_query_dict(
        {"target_session_attrs": role}
    )
    _, fields = wanted.get_dialect()().create_connect_args(wanted)
    password = fields.pop("password", None)
    return make_conninfo(**fields), {"PGPASSWORD": password} if password else {}
