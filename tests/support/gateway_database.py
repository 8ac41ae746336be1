"""A gateway's database of one test: SQLite, with all tables, in a folder that goes at the end."""

import atexit
import itertools
import shutil
import tempfile
from functools import cache
from pathlib import Path

from gateway.database import Database, migrate, open_database

_numbers = itertools.count(1)


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="gridledger-databases-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _template() -> Path:
    """Migrating takes longer than copying the file."""
    path = _folder() / "template.db"
    database = open_database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    return path


def fresh_database() -> Database:
    path = _folder() / f"{next(_numbers)}.db"
    shutil.copyfile(_template(), path)
    return open_database(f"sqlite:///{path}")
