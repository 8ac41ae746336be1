"""What stands around a simulated validator's shipped parts and tells the world of what they do."""

from typing import TYPE_CHECKING

from ledger.consensus.effects import Intent
from ledger.consensus.messages import Message, Payload, Signed
from ledger.node.consensus.intents import IntentSigner
from ledger.storage.fail_points import FailPoint, FailPoints
from ledger.wire.validator_pb2 import Item

if TYPE_CHECKING:
    from tests.simulation.node import SimNode


class Crashed(BaseException):
    """The process died at this point; nothing in the shipped code may catch it."""


class NodeFailPoints(FailPoints):
    """Dies at a fail point when its time has come."""

    def __init__(self, node: "SimNode") -> None:
        self._node = node
        self.left = node.world.reaches_until_crash()

    def reach(self, point: FailPoint) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crashed(point)


class NodeLinks:
    """`ValidatorLinks` as far as catch-up uses it."""

    def __init__(self, node: "SimNode") -> None:
        self._node = node

    @property
    def connected_ids(self) -> list[int]:
        return self._node.world.network.connected_ids(self._node)

    def send(self, consenter_id: int, item: Item) -> bool:
        self._node.world.send(self._node, consenter_id, item)
        return True

    def broadcast(self, item: Item) -> None:
        """To the validators in force; of our height hear those who only follow, too."""
        node = self._node
        validators = node.channel.state.validators.ids
        hearers = node.world.everyone if item.HasField("status") else validators
        for identity in hearers:
            if identity != node.identity:
                node.world.send(node, identity, item)


class WatchedSigner(IntentSigner):
    """Tells the world what was signed."""

    node: "SimNode"

    def sign(self, intent: Intent) -> Message:
        message = super().sign(intent)
        self.node.world.signed(self.node, message)
        return message

    def forgot_signing(self, message: Message) -> Signed[Payload] | None:
        """A twin knows that there is another with its key; everyone else wonders as shipped."""
        if self.node.is_twin:
            return None
        forgotten = super().forgot_signing(message)
        trusted = self.node.vote_memory.journal.content.is_trusted_at
        if forgotten is not None and trusted(forgotten.payload.height):
            self.node.world.forgot(self.node, forgotten)
        return forgotten


class EvidenceCount:
    """Stands where the evidence file is."""

    def __init__(self, node: "SimNode") -> None:
        self._node = node

    def record(self, author: int, first: object, second: object) -> None:
        self._node.world.evidence(self._node, author)
