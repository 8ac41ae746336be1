"""Blocks of the test ledger, judged by the ledger's own validator."""

from collections.abc import Sequence

from chaincode.shim.testing.channel import TestChannel
from chaincode.shim.testing.simulation import Simulation
from chaincode.shim.testing.world_state import WorldState
from ledger.endorsement.lifecycle.definitions import committed_definition
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec import decode_envelope, encode_envelope, prepared_transaction_payload
from ledger.model.codes import ValidationCode
from ledger.model.rwset import Version
from ledger.model.state import HistoryEntry
from ledger.model.transaction import Envelope
from ledger.validation.block import validate_block
from ledger.validation.context import BlockValidation, SignatureChecker, ValidationContext


def validation_context(channel: TestChannel, world: "WorldHolder") -> ValidationContext:
    """What validation asks of the test ledger."""
    return ValidationContext(
        channel_id=channel.channel_id,
        signatures=channel,
        policies=channel,
        definition=lambda name: committed_definition(name, world.state),
        is_recorded=lambda tx_id: tx_id in world.state.transactions,
        check_config=_refuse_config,
    )


class WorldHolder:
    """The present state; replaced as a whole when a test goes back to a snapshot."""

    def __init__(self) -> None:
        self.state = WorldState()


def signed_envelope(simulation: Simulation, channel: TestChannel) -> bytes:
    """The transaction as its client sends it to be ordered."""
    payload = prepared_transaction_payload(
        simulation.proposal, simulation.payload, simulation.endorsements
    )
    return encode_envelope(payload, channel.signed(simulation.client, payload))


def commit_block(
    simulations: Sequence[Simulation],
    world: WorldState,
    context: ValidationContext,
    channel: TestChannel,
) -> BlockValidation:
    """Validate the transactions as the next block and apply the valid ones."""
    envelopes = [
        decode_envelope(signed_envelope(simulation, channel)) for simulation in simulations
    ]
    validation = validate_block(world.height, envelopes, world, context)
    number = world.height
    world.apply(validation.updates)
    for one in validation.recorded:
        world.transactions[one.tx_id] = one.code
    for index, simulation in enumerate(simulations):
        if validation.codes[index] == ValidationCode.VALID:
            version = Version(number, index)
            _remember(envelopes[index], version, world)
            world.apply_private(simulation.private, version)
    world.height = number + 1
    return validation


def _remember(envelope: Envelope, version: Version, world: WorldState) -> None:
    assert envelope.transaction is not None
    for rwset in envelope.transaction.action.results.namespaces:
        for write in rwset.writes:
            entry = HistoryEntry(
                version=version,
                tx_id=envelope.tx_id,
                timestamp_ns=envelope.header.channel.timestamp_ns,
                value=write.value,
                is_delete=write.is_delete,
            )
            world.remember((rwset.namespace, write.key), entry)


def _refuse_config(_envelope: Envelope, _signatures: SignatureChecker) -> None:
    raise InvalidMessage(Reason.ROLE_NOT_ALLOWED, "the test channel keeps its configuration")
