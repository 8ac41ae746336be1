"""Who may stand at a slot of the simulated network."""

from collections.abc import Callable
from typing import Any, Protocol

from ledger.ordering.consensus_codec import decode_message
from ledger.wire.validator_pb2 import Item


class Place(Protocol):
    """A node or an adversary: something at a slot of the network."""

    slot: int
    identity: int
    alive: bool

    def start(self) -> None: ...
    def work(self, act: Callable[..., None], *arguments: Any) -> None: ...
    def receive(self, item: Item, sender: int) -> None: ...
    def submit(self, raw: bytes) -> None: ...
    def on_connected(self, consenter_id: int) -> None: ...


class Silent:
    """A validator that never says a word."""

    def __init__(self, *, slot: int, identity: int) -> None:
        self.slot = slot
        self.identity = identity
        self.alive = False

    def start(self) -> None:
        """Stays down."""


def describe(item: Item) -> str:
    """For the event log."""
    kind = item.WhichOneof("kind")
    if kind != "consensus_message":
        return f"{kind} {str(getattr(item, kind))[:60]!r}"
    return str(decode_message(item.consensus_message).signed.payload)
