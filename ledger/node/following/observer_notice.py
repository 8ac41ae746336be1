"""What an operator hears about a validator that follows without voting."""

import logging
from pathlib import Path

from ledger.errors import NodeFault
from ledger.node.process.notice_file import put_notice
from ledger.storage.journal import Journal

NOTICE_FILE = "observer.txt"
"""In the data folder during a quarantine; `gridledger network status` reads it."""

log = logging.getLogger(__name__)


class ObserverNotice:
    """What is the case and why, in the log and in a file, for as long as it is true."""

    def __init__(self, folder: Path, journal: Journal, *, next_height: int) -> None:
        """Tells at once whether the validator starts as an observer."""
        self._path = folder / NOTICE_FILE
        self._journal = journal
        self.is_observing = False
        is_trusted = journal.content.is_trusted_at(next_height)
        self.tell("" if is_trusted else "observer: asks the others for their newest blocks")

    def tell(self, news: str) -> None:
        """What is the case now; an empty text ends the notice."""
        note = self._journal.content.quarantine
        text = news if note is None else f"{news}; why: {note.cause}"
        if news:
            log.warning("%s", text)
        elif self.is_observing:
            log.warning("this validator votes again")
        self.is_observing = bool(news)
        try:
            put_notice(self._path, text if news else "")
        except OSError as error:
            raise NodeFault(f"cannot write {self._path}: {error}") from error
