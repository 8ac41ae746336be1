"""What an operator hears about a validator that follows without voting."""

import logging
from pathlib import Path

from ledger.errors import NodeFault

NOTICE_FILE = "observer.txt"
"""In the data folder during a quarantine; `gridledger network status` reads it."""

log = logging.getLogger(__name__)


class ObserverNotice:
    """One sentence, in the log and in a file, for as long as it is true."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NOTICE_FILE
        self.is_observing = False
        self.tell("")

    def tell(self, news: str) -> None:
        """What is the case now; an empty text ends the notice."""
        if news:
            log.warning("%s", news)
        elif self.is_observing:
            log.warning("this validator votes again")
        self.is_observing = bool(news)
        try:
            if news:
                self._path.write_text(news + "\n", encoding="utf-8")
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            raise NodeFault(f"cannot write {self._path}: {error}") from error
