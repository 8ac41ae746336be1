"""Which server is asked for reading: the primary, or a replica while the primary is away."""

import logging
import time
from collections.abc import Callable

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from gateway.database.outages import in_one_line

ASK_AGAIN_S = 1.0
"""How often a primary that is away is asked by somebody who only reads."""

logger = logging.getLogger(__name__)


class ReadingOn:
    """Connections for reading, of a primary while it is there: a replica may be a little behind.

    So who has just signed in is known to the next request, and no page goes back in time, but for
    the moment in which the primary goes away.
    """

    def __init__(
        self, primary: Engine, any_server: Engine, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._primary = primary
        self._any_server = any_server
        self._clock_s = clock_s
        self._ask_again_s = 0.0
        self._is_away = False

    def connect(self) -> Connection:
        """A connection that can read; raises `OperationalError` when no server answers."""
        if not self._is_away or self._clock_s() >= self._ask_again_s:
            self._ask_again_s = self._clock_s() + ASK_AGAIN_S  # by one of us, not by all
            try:
                connection = self._primary.connect()
            except OperationalError as error:
                self._note(is_away=True, why=in_one_line(error))
            else:
                self._note(is_away=False)
                return connection
        return self._any_server.connect()

    def close(self) -> None:
        """Give back the replicas' connections."""
        self._any_server.dispose()

    def _note(self, *, is_away: bool, why: str = "") -> None:
        if is_away and not self._is_away:
            logger.warning("the primary database is away, replicas are read: %s", why)
        elif self._is_away and not is_away:
            logger.warning("there is a primary database again")
        self._is_away = is_away
