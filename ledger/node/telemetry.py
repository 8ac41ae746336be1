"""Counters of a running node and its logging, one line per event on standard error."""

import logging
import sys
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Telemetry:
    """Counted events by name; read by `gridledger network status`."""

    counters: Counter[str] = field(default_factory=Counter)

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        self.counters[name] += amount


def configure_logging(level: str = "INFO") -> None:
    """Human-readable lines on standard error; the process manager keeps them in a file."""
    logging.basicConfig(
        stream=sys.stderr,
        level=level,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
    )
