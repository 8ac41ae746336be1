"""What the log says about one outgoing link: one line for each change of its state.

A link is tried again many times a minute for as long as the other side is down or refuses; a line
for each attempt would fill the disk and tell nothing new.
"""

import logging

log = logging.getLogger(__name__)

REASONS_TOLD_MAX = 8
"""Different reasons told between two connections; what the other side writes is among them."""

CLOSED = "it closes the connection; perhaps it does not know the TLS key of this peer"
_PLAIN = (
    ("Connection refused", "nobody listens at its address"),
    ("CERTIFICATE_VERIFY_FAILED", "it does not hold the TLS key that the channel records for it"),
    ("is not in peer certificate", "it does not hold the TLS key that the channel records for it"),
    ("andshake", "the TLS handshake with it failed"),
    ("ALERT", "it accepts no TLS key of this peer"),
    ("No route to host", "there is no route to its address"),
    ("Network is unreachable", "there is no route to its address"),
    ("DNS", "nobody knows its host name"),
    ("Domain name", "nobody knows its host name"),
    ("imed out", "it does not answer"),
    ("imeout", "it does not answer"),
    ("Socket closed", CLOSED),
    ("Connection reset", CLOSED),
    ("Broken pipe", CLOSED),
)


def in_plain_words(details: str) -> str:
    """What an operator can act on, for gRPC's own words about a failed connection."""
    for words, plain in _PLAIN:
        if words in details:
            return plain
    return details


class LinkNews:
    """Tells news of one link once; belongs to the event loop."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._failures = 0
        self._told: set[str] = set()

    def failed(self, reason: str) -> None:
        """An attempt came to nothing; `reason` in plain words."""
        self._failures += 1
        if reason not in self._told and len(self._told) < REASONS_TOLD_MAX:
            self._told.add(reason)
            count = f" ({self._failures} attempts failed)" if self._failures > 1 else ""
            log.warning("no connection to %s%s: %s", self._name, count, reason)

    def connected(self) -> None:
        """The stream is open."""
        count = f" ({self._failures} attempts failed before)" if self._failures else ""
        log.info("connected to %s%s", self._name, count)
        self._failures = 0
        self._told.clear()

    def lost(self) -> None:
        """An open stream ended."""
        log.info("lost %s", self._name)
