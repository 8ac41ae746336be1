"""Private data of a peer: sent out, asked for, fetched; connected to each other."""

from dataclasses import dataclass

from ledger.model.definition_keys import LIFECYCLE_NAMESPACE
from ledger.node.committing.committer import CommittedBlock
from ledger.node.foundation import Foundation
from ledger.node.private_data.dissemination import PrivateDissemination
from ledger.node.private_data.members import PrivateMembers
from ledger.node.private_data.reconciler import PrivateReconciler
from ledger.node.private_data.requests import PrivateRequests
from ledger.rpc.misbehaviour import RejectionHandler
from ledger.rpc.validator_links import ValidatorLinks


@dataclass(frozen=True, slots=True)
class PrivateStreams:
    """What private data needs of the streams between validators."""

    dissemination: PrivateDissemination
    requests: PrivateRequests
    reconciler: PrivateReconciler

    def on_disconnected(self, consenter_id: int) -> None:
        """A stream of ours broke."""
        self.dissemination.on_disconnected(consenter_id)
        self.requests.on_disconnected(consenter_id)

    def on_committed(self, committed: CommittedBlock) -> None:
        """A block is durable: fetch what it lacks; its definitions may give us collections."""
        if committed.lacks_private:
            self.reconciler.on_missing()
        changed = committed.validation.updates.keys
        if committed.validation.is_config or any(ns == LIFECYCLE_NAMESPACE for ns, _ in changed):
            self.reconciler.on_connected()


def private_streams(
    base: Foundation, links: ValidatorLinks, on_rejected: RejectionHandler
) -> PrivateStreams:
    """On top of the foundation and the links to the other validators."""
    members = PrivateMembers(
        mspid=base.config.mspid,
        own_id=base.config.consenter_id,
        channel=base.channel,
        state=base.store,
    )
    requests = PrivateRequests(
        members=members,
        links=links,
        view=base.store.snapshot,
        transient=base.transient,
        executor=base.workers.private,
        on_rejected=on_rejected,
    )
    return PrivateStreams(
        dissemination=PrivateDissemination(
            channel_id=base.config.channel_id,
            members=members,
            links=links,
            transient=base.transient,
            height=base.store.height,
            executor=base.workers.private,
            on_rejected=on_rejected,
        ),
        requests=requests,
        reconciler=PrivateReconciler(
            store=base.store,
            members=members,
            requests=requests,
            is_connected=links.is_connected,
            executor=base.workers.private,
            on_rejected=on_rejected,
        ),
    )
