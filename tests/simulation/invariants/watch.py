"""Every invariant at once, fed by what a world tells."""

import zlib
from typing import TYPE_CHECKING

from ledger.consensus.messages import (
    Commit,
    Message,
    Payload,
    PrepareMessage,
    ProposalMessage,
    Signed,
)
from ledger.errors import InvalidMessage, NodeFault, Reason
from ledger.model.codes import ValidationCode
from ledger.node.committing.committer import CommittedBlock
from ledger.ordering.consensus_codec import encode_message
from ledger.wire.validator_pb2 import Item
from tests.simulation.invariants.bounds import Bounds, Effort, i13_bounded_work, i16_no_storm
from tests.simulation.invariants.journals import Journals
from tests.simulation.invariants.ledgers import (
    Ledgers,
    i07_all_stored,
    i09_acknowledged_is_there,
)
from tests.simulation.invariants.mail import MailReader
from tests.simulation.invariants.proposals import Proposals
from tests.simulation.invariants.signatures import SecondOpinion
from tests.simulation.invariants.votes import Monitor
from tests.simulation.observer import Observer, Position, Violation

if TYPE_CHECKING:
    from tests.simulation.node import SimNode
    from tests.simulation.world import World


class WorldMonitor(Observer):
    """Watches one world; raises `Violation` at the step that breaks an invariant."""

    def __init__(self, world: "World") -> None:
        self._world = world
        opinion = SecondOpinion(world.consortium)
        self.ledgers = Ledgers(opinion.seal_is_good, members=len(world.consortium.members))
        self.monitor = Monitor(world.identities, world.byzantine, sets=self.ledgers.validators)
        self.mail = MailReader(world.parcels)
        self.proposals = Proposals(self.ledgers.situations, opinion.signature_is_good)
        self.journals = Journals()
        self.bounds = Bounds(
            validators=len(world.everyone), repeat_ms=max(1, world.swarm.base_timeout_ms // 2)
        )
        keys = () if world.consortium.real_signatures else world.consortium.members
        self.effort = Effort(tuple(m.cheap for m in keys), validators=len(world.everyone))
        self.trace = 0
        """I18: of everything that is sent and committed; a seed has one."""
        self.contradictions = 0
        """Statements of faulty nodes that contradict what their key said before."""
        self._said: dict[tuple[int, int, int, type], bytes] = {}
        self._new_runs: set[int] = set()

    # -- processes --------------------------------------------------------------------------------

    def started(self, node: "SimNode") -> None:
        if not self.ledgers.heads:
            genesis = node.store.block_raw(0)
            assert genesis is not None, "every ledger has its genesis block"
            self.ledgers.begin(genesis)
        self._new_runs.add(node.slot)
        if node.is_honest:
            self.journals.on_started(node)
            self.ledgers.on_started(node)

    def progress(self, node: "SimNode", position: Position) -> None:
        self.monitor.on_progress((node.slot, node.run), position)
        newest = self.ledgers.heads[-1]
        self.bounds.on_progress(
            node, position, may_build=newest.block_time_ms <= self._world.now_ms
        )
        if self.effort.is_due():
            i13_bounded_work(self.effort)

    def stopped(self, node: "SimNode", fault: NodeFault) -> None:
        self.trace = zlib.crc32(str(fault).encode(), self.trace)

    # -- messages ---------------------------------------------------------------------------------

    def signed(self, node: "SimNode", message: Message) -> None:
        if not node.is_honest:
            self._count_contradiction(message)
            return
        self.monitor.on_signed(message)
        if isinstance(message, ProposalMessage):
            self.proposals.on_message(node.slot, self.mail.bytes(encode_message(message)))
        elif isinstance(message, PrepareMessage):
            payload = message.signed.payload
            self.proposals.on_prepare(node.slot, (payload.height, payload.round, payload.digest))

    def forgot(self, node: "SimNode", forgotten: Signed[Payload]) -> None:
        if node.is_honest:
            raise Violation(
                f"I3: honest node {node.slot} forgot that it signed {forgotten.payload}"
            )

    def _count_contradiction(self, message: Message) -> None:
        """Of twins, or of a validator whose disk forgot."""
        signed = message.signed
        slot = (signed.author, signed.payload.height, signed.payload.round, type(signed.payload))
        known = self._said.setdefault(slot, signed.payload_raw)
        if known != signed.payload_raw and not isinstance(signed.payload, Commit):
            self.contradictions += 1

    def sent(self, node: "SimNode", to: int, item: Item) -> None:
        mail = self.mail.item(item)
        if mail is None:
            return
        self.trace = (31 * self.trace + mail.checksum + to) & 0xFFFFFFFF
        if not node.is_honest:
            return
        self.journals.on_sent(node, mail)
        now = node.core.state.now
        i16_no_storm(
            self.bounds,
            node.slot,
            self._world.now_ms,
            (now.height, now.round),
            is_new_run=node.slot in self._new_runs,
        )
        self._new_runs.discard(node.slot)

    def received(self, node: "SimNode", sender: int, item: Item) -> None:
        mail = self.mail.item(item)
        if mail is None:
            self.effort.on_blocks(len(item.block_response.blocks))
            return
        self.effort.on_mail(mail)
        if node.is_honest and mail.is_proposal:
            self.proposals.on_message(node.slot, mail)

    def evidence(self, node: "SimNode", author: int) -> None:
        if author not in self._world.byzantine:
            raise Violation(f"I3: node {node.slot} holds evidence against honest {author}")

    def rejected(self, node: "SimNode", author: int, error: InvalidMessage) -> None:
        if error.reason is Reason.TIMESTAMP_OUT_OF_WINDOW:  # clocks may differ
            return
        if node.is_honest and author not in self._world.byzantine:
            raise Violation(f"honest message of {author} refused by node {node.slot}: {error}")

    # -- ledgers ----------------------------------------------------------------------------------

    def submitted(self, raw: bytes) -> None:
        self.ledgers.submitted.add(raw)

    def committed(self, node: "SimNode", committed: CommittedBlock) -> None:
        if node.is_honest:
            number = committed.block.number
            self.ledgers.on_committed(node, number)
            self.monitor.on_committed(node.slot, number, self.ledgers.blocks[number].block_id)
            self.trace = zlib.crc32(self.ledgers.blocks[number].commit_hash, self.trace)

    def acknowledged(self, node: "SimNode", tx_id: str, code: ValidationCode, number: int) -> None:
        if node.is_honest:
            self.ledgers.on_acknowledged(node, tx_id, number, int(code))

    # -- phases -----------------------------------------------------------------------------------

    def calm(self) -> None:
        self.bounds.on_calm([node.position for node in self._world.honest if node.alive])

    def finished(self) -> None:
        for node in self._world.honest:
            i07_all_stored(self.ledgers, node)
            i09_acknowledged_is_there(self.ledgers, node)
