"""What a world tells whoever watches it: the narrow interface of invariants and oracles.

The world calls these methods while it runs, each at the moment it happens and in one thread. A
watcher raises `Violation` when something must not be. Nodes are `SimNode`s; use `slot` (its place,
unique), `identity` (its consenter id, which twins share), `run` (counts restarts), `is_honest`,
`store` (the shipped LedgerStore, while it runs), `disk` (what a crash would leave) and
`driver`/`core` for what lies inside. Byzantine nodes are reported too: look at `is_honest`.
"""

from typing import TYPE_CHECKING

from ledger.consensus.messages import Message, Payload, Signed
from ledger.errors import InvalidMessage, NodeFault
from ledger.model.codes import ValidationCode
from ledger.node.committing.committer import CommittedBlock
from ledger.wire.validator_pb2 import Item

if TYPE_CHECKING:
    from tests.simulation.node import SimNode

Position = tuple[int, int, int]
"""(height under decision, round, round of the lock or -1)"""


class Violation(AssertionError):  # noqa: N818
    """An invariant does not hold; the text starts with its number."""


class Observer:
    """Does nothing; override what you watch."""

    def started(self, node: "SimNode") -> None:
        """The process runs (again); its ledger is open."""

    def signed(self, node: "SimNode", message: Message) -> None:
        """A vote was signed, durable, and may leave from now on (also again after a restart)."""

    def forgot(self, node: "SimNode", forgotten: Signed[Payload]) -> None:
        """A message holds this, which bears the node's signature and which it does not remember.

        Not called for twins, who know that there is another.
        """

    def sent(self, node: "SimNode", to: int, item: Item) -> None:
        """An item left for a consenter; the network may lose it."""

    def received(self, node: "SimNode", sender: int, item: Item) -> None:
        """An item reached a running node."""

    def rejected(self, node: "SimNode", author: int, error: InvalidMessage) -> None:
        """The node refused a message and blames `author`."""

    def evidence(self, node: "SimNode", author: int) -> None:
        """The node holds two contradicting signatures of `author`."""

    def committed(self, node: "SimNode", committed: CommittedBlock) -> None:
        """A block is durable on the node; what it holds is acknowledged to clients now."""

    def submitted(self, raw: bytes) -> None:
        """A client gave an envelope to some node."""

    def acknowledged(self, node: "SimNode", tx_id: str, code: ValidationCode, number: int) -> None:
        """A client was told by `node` that its transaction stands in block `number`."""

    def progress(self, node: "SimNode", position: Position) -> None:
        """After every piece of work of an honest node."""

    def crashed(self, node: "SimNode", reason: str) -> None:
        """The process died; memory is gone, `disk` is what it finds again."""

    def stopped(self, node: "SimNode", fault: NodeFault) -> None:
        """The node stopped by itself."""

    def calm(self) -> None:
        """The network has become calm."""

    def finished(self) -> None:
        """The run is over; every node's ledger is still open."""
