"""Telling the parts of a node that a block is durable, in the order they asked to be told."""

from collections.abc import Callable

from ledger.node.committing.committer import CommittedBlock

Listener = Callable[[CommittedBlock], None]


class Announcements:
    """Published on the event loop, right after each commit."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Hear of every block committed from now on."""
        self._listeners.append(listener)

    def publish(self, committed: CommittedBlock) -> None:
        """Tell everyone."""
        for listener in self._listeners:
            listener(committed)
