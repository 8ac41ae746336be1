"""Counters of a running node and its logging, one line per event on standard error."""

import logging
from collections import Counter
from dataclasses import dataclass, field

from ledger import log_lines
from ledger.errors import InvalidMessage
from ledger.model.codes import ValidationCode
from ledger.node.committing.committer import CommittedBlock

log = logging.getLogger(__name__)

# A validator that sends nonsense must not fill the disk with what we say about it.
LOGGED_REJECTIONS_MAX = 20
LOGGED_REJECTIONS_EACH = 1_000


@dataclass(slots=True)
class Telemetry:
    """Counted events by name."""

    counters: Counter[str] = field(default_factory=Counter)

    def committed(self, committed: CommittedBlock) -> None:
        """Count a block, its transactions and why some are invalid."""
        self.counters["blocks"] += 1
        self.counters["transactions"] += len(committed.validation.codes)
        for code, detail in zip(
            committed.validation.codes, committed.validation.details, strict=True
        ):
            if code != ValidationCode.VALID:
                self.counters[f"invalid.{code.name}"] += 1
                log.info("block %d: %s: %s", committed.block.number, code.name, detail)

    def rejected(self, author: int, error: InvalidMessage) -> None:
        """Count a message that broke a rule, against its sender."""
        name = f"rejected.{author}.{error.reason}"
        self.counters[name] += 1
        count = self.counters[name]
        if count <= LOGGED_REJECTIONS_MAX or count % LOGGED_REJECTIONS_EACH == 0:
            log.warning("refused message %d of consenter %d: %s", count, author, error)


def configure_logging(level: str = "INFO") -> None:
    """Human-readable lines on standard error; the process manager keeps them in a file."""
    log_lines.configure(level, "%(asctime)s %(levelname)-7s %(name)s: %(message)s")
