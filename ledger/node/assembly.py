"""The whole peer: foundation, ordering, contracts and services, connected."""

from dataclasses import dataclass

import grpc

from ledger.errors import InvalidMessage
from ledger.model.config import APPLICATION_READERS_POLICY
from ledger.node.chaincode_host import ChaincodeHost
from ledger.node.committing.announcements import Announcements
from ledger.node.committing.committer import CommittedBlock
from ledger.node.committing.transaction_lookup import LedgerLookup
from ledger.node.endorsing.connection_watch import ConnectionWatch
from ledger.node.endorsing.remote_endorsers import RemoteEndorsers
from ledger.node.foundation import Foundation, lay_foundation
from ledger.node.gateway_parts import GatewayParts, gateway_parts
from ledger.node.membership.certificate_watch import CertificateWatch
from ledger.node.ordering_parts import OrderingParts, ordering_parts
from ledger.node.private_data.delivery import PrivateDelivery
from ledger.node.private_parts import PrivateStreams, private_streams
from ledger.node.process.clock import now_ms, steady_ms
from ledger.node.settings.config import NodeConfig
from ledger.node.stream_items import StreamItems
from ledger.node.telemetry import Telemetry
from ledger.rpc.access import RequestAccess
from ledger.rpc.block_source import BlockSource
from ledger.rpc.broadcast_service import BroadcastService, broadcast_handlers
from ledger.rpc.client_limits import RefusalCounter
from ledger.rpc.commit_notifier import CommitNotifier
from ledger.rpc.deliver_service import DeliverService
from ledger.rpc.endorser_service import EndorserService, Process
from ledger.rpc.event_stream import ChaincodeEventStream
from ledger.rpc.gateway_service import GatewayService
from ledger.rpc.misbehaviour import Misbehaviour, RejectionHandler
from ledger.rpc.validator_links import LinkHandlers
from ledger.rpc.validator_service import ValidatorService

Handlers = tuple[grpc.GenericRpcHandler, ...]


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer ready to serve."""

    base: Foundation
    ordering: OrderingParts
    contracts: ChaincodeHost
    private: PrivateStreams
    items: StreamItems
    watch: ConnectionWatch
    misbehaviour: Misbehaviour
    certificates: CertificateWatch
    client_handlers: Handlers
    validator_handlers: Handlers

    async def run_links(self) -> None:
        """Keep the streams to the other validators open."""

        def connected(consenter_id: int) -> None:
            self.items.on_connected(consenter_id)
            self.watch.connected()

        await self.ordering.links.run(
            LinkHandlers(
                on_item=self.items.on_answer,
                on_connected=connected,
                on_disconnected=self.items.on_disconnected,
                on_rejected=self.items.on_rejected,
                is_barred=self.misbehaviour.is_barred,
            )
        )

    async def close(self) -> None:
        """End contracts and threads, then close the files."""
        await self.contracts.stop()
        self.base.workers.close()
        self.ordering.ports.journal.close()
        self.base.kv.close()


async def assemble(config: NodeConfig) -> Peer:
    """Make a peer from its configuration; raises NodeFault naming what is wrong."""
    base = lay_foundation(config)
    telemetry = Telemetry()
    announcements = Announcements()
    notifier = CommitNotifier(base.store.height())
    misbehaviour = Misbehaviour(steady_ms=steady_ms)
    rejected = _both(telemetry.rejected, misbehaviour.rejected)
    ordering = ordering_parts(base, telemetry, announcements, rejected)
    private = private_streams(base, ordering.links, rejected)
    contracts = ChaincodeHost(base, private)
    _announce(announcements, private, notifier, contracts)
    await contracts.start()
    remote = RemoteEndorsers(
        channel_id=config.channel_id,
        links=ordering.links,
        process=contracts.process,
        notifier=notifier,
    )
    watch = ConnectionWatch()
    items = _stream_items(base, ordering, private, remote, rejected)
    validators = _validator_service(ordering, items, misbehaviour, announcements)
    ordering.channel_links.refresh()
    return Peer(
        base=base,
        ordering=ordering,
        contracts=contracts,
        private=private,
        items=items,
        watch=watch,
        misbehaviour=misbehaviour,
        certificates=CertificateWatch(
            credentials=base.credentials,
            channel=base.channel,
            clock_ms=now_ms,
            on_reloaded=ordering.channel_links.refresh,
        ),
        client_handlers=_client_handlers(
            base,
            ordering,
            private,
            notifier,
            contracts.process,
            gateway_parts(base, ordering, contracts, remote, watch),
            RefusalCounter(telemetry.counters),
        ),
        validator_handlers=(validators.rpc_handlers(),),
    )


def _announce(
    announcements: Announcements,
    private: PrivateStreams,
    notifier: CommitNotifier,
    contracts: ChaincodeHost,
) -> None:
    """Who hears of a block, in this order."""
    # Before clients: what the block lacks is on its way when they ask for it.
    announcements.subscribe(private.on_committed)
    announcements.subscribe(
        lambda committed: notifier.committed(committed.block.number + 1, committed.transactions)
    )
    announcements.subscribe(contracts.committed)


def _both(first: RejectionHandler, second: RejectionHandler) -> RejectionHandler:
    def rejected(sender: int, error: InvalidMessage) -> None:
        first(sender, error)
        second(sender, error)

    return rejected


def _stream_items(
    base: Foundation,
    ordering: OrderingParts,
    private: PrivateStreams,
    remote: RemoteEndorsers,
    on_rejected: RejectionHandler,
) -> StreamItems:
    return StreamItems(
        queue=ordering.queue,
        submission=ordering.submission,
        endorsers=remote,
        catch_up=ordering.catch_up,
        observers=ordering.observers,
        private=private,
        is_validator=lambda: base.credentials.now.is_validator,
        on_rejected=on_rejected,
    )


def _validator_service(
    ordering: OrderingParts,
    items: StreamItems,
    misbehaviour: Misbehaviour,
    announcements: Announcements,
) -> ValidatorService:
    """The receiving end of the others' streams; who may have one follows the channel."""
    service = ValidatorService(
        identify=ordering.observers.identify,
        on_item=items.on_request,
        on_closed=ordering.observers.closed,
        on_rejected=items.on_rejected,
        is_barred=misbehaviour.is_barred,
    )

    def bar(sender: int) -> None:
        service.end_streams_of(sender)
        ordering.links.cut(sender)

    misbehaviour.on_barred = bar

    def follow_channel(committed: CommittedBlock) -> None:
        if committed.validation.is_config:
            ordering.channel_links.refresh()
            service.end_changed_streams()

    announcements.subscribe(follow_channel)
    return service


def _client_handlers(
    base: Foundation,
    ordering: OrderingParts,
    private: PrivateStreams,
    notifier: CommitNotifier,
    process: Process,
    proposals: GatewayParts,
    refusals: RefusalCounter,
) -> Handlers:
    access = RequestAccess(
        channel_id=base.config.channel_id,
        signatures=base.signatures,
        clock_ms=now_ms,
        require_reader=lambda member: base.channel.state.policies.require_path(
            APPLICATION_READERS_POLICY, [member]
        ),
    )
    source = BlockSource(base.store, notifier)
    lookup = LedgerLookup(base.store)
    gateway = GatewayService(
        access=access,
        endorsements=proposals.endorsements,
        evaluations=proposals.evaluations,
        submission=ordering.submission,
        lookup=lookup,
        notifier=notifier,
        events=ChaincodeEventStream(source, lookup),
        refusals=refusals,
        own=(proposals.own.address, proposals.own.mspid),
    )
    deliver = DeliverService(
        channel_id=base.config.channel_id,
        source=source,
        access=access,
        clock_ms=now_ms,
        refusals=refusals,
        private_data=PrivateDelivery(base.store, base.channel, private.reconciler.settled),
    )
    broadcast = BroadcastService(ordering.updates, calls=gateway.calls, refusals=refusals)
    return (
        gateway.rpc_handlers(),
        EndorserService(process, refusals=refusals).rpc_handlers(),
        deliver.rpc_handlers(),
        broadcast_handlers(broadcast, deliver.orderer_handler()),
    )
