"""What a proposal must satisfy before a contract runs for it; no I/O, no waiting."""

from collections.abc import Callable
from dataclasses import dataclass

from ledger.crypto.channel_policies import ChannelPolicies
from ledger.crypto.hashing import transaction_id
from ledger.crypto.msp import MspRegistry
from ledger.endorsement.limits import SimulationLimits
from ledger.endorsement.packages.package import PACKAGE_ARCHIVE
from ledger.endorsement.simulation.simulator import LIFECYCLE_NAMESPACE
from ledger.endorsement.system.chaincodes import SYSTEM_CHAINCODES
from ledger.errors import InvalidMessage, Reason
from ledger.model.config import WRITERS_POLICY
from ledger.model.transaction import SignedProposal

TIMESTAMP_WINDOW_MS = 15 * 60 * 1000
"""How far a client's clock may be from this peer's."""
NANOSECONDS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class ProposalRules:
    """Everything a proposal is checked against, in the configuration in force."""

    channel_id: str
    registry: MspRegistry
    policies: ChannelPolicies
    is_recorded: Callable[[str], bool]
    """Whether a transaction id is in the ledger."""
    limits: SimulationLimits


def check_proposal(proposal: SignedProposal, rules: ProposalRules, now_ms: int) -> None:
    """Everything but the signature; raises InvalidMessage with the precise reason."""
    header = proposal.header
    is_system = proposal.chaincode_name in SYSTEM_CHAINCODES
    if not _is_served(header.channel.channel_id, rules.channel_id, is_system=is_system):
        raise InvalidMessage(
            Reason.WRONG_CHANNEL, f"channel {header.channel.channel_id!r} is not on this peer"
        )
    if proposal.tx_id != transaction_id(header.nonce, header.creator):
        raise InvalidMessage(
            Reason.BAD_TRANSACTION_ID, "the transaction id is not the hash of nonce and creator"
        )
    identity = rules.registry.identity(header.creator)
    identity.check_validity(now_ms)
    if not is_system:  # they decide themselves, for each function
        rules.policies.require_path(WRITERS_POLICY, [identity])
    _check_time(header.channel.timestamp_ns // NANOSECONDS_PER_MS, now_ms)
    _check_size(proposal, rules.limits)
    if rules.is_recorded(proposal.tx_id):
        raise InvalidMessage(Reason.REPLAYED, f"duplicate transaction found [{proposal.tx_id}]")


def _is_served(channel_id: str, served: str, *, is_system: bool) -> bool:
    """What is the peer's own may be asked for without a channel, as Fabric's CLI does."""
    return channel_id == served or (is_system and not channel_id)


def _check_time(timestamp_ms: int, now_ms: int) -> None:
    distance_ms = timestamp_ms - now_ms
    if abs(distance_ms) > TIMESTAMP_WINDOW_MS:
        raise InvalidMessage(
            Reason.TIMESTAMP_OUT_OF_WINDOW,
            f"the client's clock is {distance_ms / 1000:+.0f} s from this peer's",
        )


def _check_size(proposal: SignedProposal, limits: SimulationLimits) -> None:
    size = sum(map(len, proposal.args)) + sum(map(len, proposal.transient.values()))
    allowed = limits.argument_bytes_max
    if proposal.chaincode_name == LIFECYCLE_NAMESPACE:
        allowed += PACKAGE_ARCHIVE.packed_bytes_max
    if size > allowed:
        raise InvalidMessage(Reason.OVERSIZED, f"arguments are {size} bytes, {allowed} allowed")
