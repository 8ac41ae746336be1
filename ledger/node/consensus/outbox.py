"""The way out of the consensus thread: everything for the event loop, in order, in one wake-up."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ledger.consensus.messages import Message
from ledger.errors import InvalidMessage
from ledger.node.committing.committer import CommittedBlock
from ledger.ordering.consensus_codec import encode_message
from ledger.storage.fail_points import FailPoint, FailPoints
from ledger.wire.validator_pb2 import Item

Action = Callable[[], None]


@dataclass(frozen=True, slots=True)
class OutboxHandlers:
    """What happens on the event loop."""

    broadcast: Callable[[Item], None]
    on_committed: Callable[[CommittedBlock], None]
    on_behind: Callable[[int, int], None]
    """(first missing height, consenter that claimed to have it)"""
    tell_status: Callable[[int], None]
    on_rejected: Callable[[int, InvalidMessage], None]
    on_stuck: Callable[[], None]
    """Transactions wait and nothing has been decided for a while."""


class Outbox:
    """Collects what the consensus thread has to say; `flush` hands it to the event loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handlers: OutboxHandlers,
        fail_points: FailPoints | None = None,
    ) -> None:
        self._loop = loop
        self._handlers = handlers
        self._fail_points = fail_points or FailPoints()
        self._actions: list[Action] = []

    def broadcast(self, message: Message) -> None:
        """Send a signed message to every other validator."""
        item = Item(consensus_message=encode_message(message))
        self._actions.append(partial(self._handlers.broadcast, item))

    def committed(self, block: CommittedBlock) -> None:
        """Tell the rest of the node that a block is durable."""
        self._actions.append(partial(self._handlers.on_committed, block))

    def behind(self, height: int, source: int) -> None:
        """Others are ahead: fetch blocks."""
        self._actions.append(partial(self._handlers.on_behind, height, source))

    def tell_status(self, to: int) -> None:
        """Another validator is behind: tell it our height."""
        self._actions.append(partial(self._handlers.tell_status, to))

    def rejected(self, author: int, error: InvalidMessage) -> None:
        """A message broke a rule."""
        self._actions.append(partial(self._handlers.on_rejected, author, error))

    def stuck(self) -> None:
        """A round lasts longer than it should."""
        self._actions.append(self._handlers.on_stuck)

    def flush(self) -> None:
        """Hand everything over."""
        if self._actions:
            actions, self._actions = self._actions, []
            self._loop.call_soon_threadsafe(self._run_all, actions)

    def _run_all(self, actions: list[Action]) -> None:
        """Each by itself: a listener that fails must not keep the next from hearing."""
        self._fail_points.reach(FailPoint.SEND_BEFORE)
        for action in actions[:-1]:
            self._loop.call_soon(self._act, action, FailPoint.SEND_BETWEEN)
        self._loop.call_soon(self._act, actions[-1], FailPoint.SEND_AFTER)

    def _act(self, action: Action, then: FailPoint) -> None:
        action()
        self._fail_points.reach(then)
