"""What the gateway asks of the channel's peers: endorsements and evaluations, connected."""

from dataclasses import dataclass

from ledger.node.chaincode_host import ChaincodeHost
from ledger.node.endorsing.connection_watch import ConnectionWatch
from ledger.node.endorsing.endorsements import EndorsementCollector
from ledger.node.endorsing.endorsing_peers import OtherEndorsers, client_addresses
from ledger.node.endorsing.evaluation import Evaluator
from ledger.node.endorsing.organizations import EndorsingPeer, PeersByOrganization
from ledger.node.endorsing.peer_answers import PeerQuestions
from ledger.node.endorsing.remote_endorsers import RemoteEndorsers
from ledger.node.foundation import Foundation
from ledger.node.ordering_parts import OrderingParts


@dataclass(frozen=True, slots=True)
class GatewayParts:
    """Behind Endorse and Evaluate of gateway.Gateway."""

    own: EndorsingPeer
    endorsements: EndorsementCollector
    evaluations: Evaluator


def gateway_parts(
    base: Foundation,
    ordering: OrderingParts,
    contracts: ChaincodeHost,
    remote: RemoteEndorsers,
    watch: ConnectionWatch,
) -> GatewayParts:
    """Both over one view of the channel's peers."""
    config = base.config
    addresses = client_addresses(base.channel.state.config)
    own = EndorsingPeer(
        config.mspid, config.consenter_id, addresses.get(config.consenter_id, config.listen)
    )

    def height(consenter_id: int) -> int:
        if consenter_id == own.consenter_id:
            return remote.own_height
        return ordering.catch_up.claims.get(consenter_id, 0)

    peers = PeersByOrganization(
        own=own,
        others=OtherEndorsers(base.channel, config.consenter_id),
        is_reachable=ordering.links.is_connected,
        height=height,
    )
    questions = PeerQuestions(own=own, process=contracts.process, remote=remote)
    return GatewayParts(
        own=own,
        endorsements=EndorsementCollector(
            channel_id=config.channel_id,
            peers=peers,
            questions=questions,
            layouts=base.definitions.layouts,
            is_defined=base.definitions.is_defined,
            runs_here=contracts.runs,
            watch=watch,
        ),
        evaluations=Evaluator(
            channel_id=config.channel_id,
            peers=peers,
            questions=questions,
            is_defined=base.definitions.is_defined,
            runs_here=contracts.runs,
        ),
    )
