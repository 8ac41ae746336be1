"""A database that is away or held by others: told apart from our own faults, and waited for."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

PAUSE_MS_MIN, PAUSE_MS_MAX = 200, 5_000
READ_ONLY_TRANSACTION = "25006"
"""SQLSTATE of a server that was the primary and is a replica now."""

SQLITE_PRIMARY_CODE = 0xFF
"""SQLite's extended codes carry the plain one in these bits."""

logger = logging.getLogger(__name__)


class DatabaseUnavailable(Exception):  # noqa: N818 - it is away, which is no fault of ours
    """No server answers that could do what was asked, or it went away meanwhile.

    What a transaction wrote is undone, unless the server was lost in the moment of its commit.
    """


@contextmanager
def told_apart() -> Iterator[None]:
    """Raise `DatabaseUnavailable` for what a server that is away makes of a connection.

    Of SQLite only a file that others write to for too long counts; all else is our own fault.
    """
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        if not _is_outage(error):
            raise
        raise DatabaseUnavailable(f"the database does not answer: {in_one_line(error)}") from error


async def outlasting(
    work: Callable[[], Awaitable[None]],
    *,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Run `work`, which runs for ever; again, a little later each time, while a server is away.

    The outage is logged once; it is over when `work` ran for longer than the longest pause.
    """
    pause_ms, is_away = PAUSE_MS_MIN, False
    while True:
        begun = asyncio.get_running_loop().time()
        try:
            await work()
        except* DatabaseUnavailable as outage:
            if not is_away:
                logger.warning("%s; trying on", outage.exceptions[0])
        if asyncio.get_running_loop().time() - begun > PAUSE_MS_MAX / 1_000:
            pause_ms, is_away = PAUSE_MS_MIN, False
        else:
            pause_ms, is_away = min(2 * pause_ms, PAUSE_MS_MAX), True
        await pause(pause_ms / 1_000)


def _is_outage(error: DBAPIError | PoolTimeout) -> bool:
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorcode & SQLITE_PRIMARY_CODE == sqlite3.SQLITE_BUSY
    if isinstance(error, OperationalError | PoolTimeout):
        return True
    assert isinstance(error, DBAPIError), "the only other kind"
    return error.connection_invalidated or _sqlstate(error) == READ_ONLY_TRANSACTION


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def in_one_line(error: DBAPIError | PoolTimeout) -> str:
    """What the servers, or their absence, said."""
    return "; ".join(str(error.orig if isinstance(error, DBAPIError) else error).splitlines())
