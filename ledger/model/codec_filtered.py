"""Blocks with less in them, for streams.

Filtered: who changed what is left out, ids, codes and event names stay. Headers only: for who
wants a block's signatures.
"""

from ledger.errors import TransactionInvalid
from ledger.model.block import SLOT_TRANSACTIONS_FILTER, Block
from ledger.model.codec import decode_envelope
from ledger.model.codes import HeaderType, ValidationCode
from ledger.model.transaction import Envelope
from ledger.wire import common_pb2, protos_pb2


def filtered_block(channel_id: str, block: Block) -> protos_pb2.FilteredBlock:
    """A committed block as filtered streams send it; events come without their payload."""
    flags = block.metadata[SLOT_TRANSACTIONS_FILTER]
    filtered = protos_pb2.FilteredBlock(channel_id=channel_id, number=block.number)
    for index, raw in enumerate(block.entries):
        code = flags[index] if index < len(flags) else ValidationCode.NOT_VALIDATED
        transaction = filtered.filtered_transactions.add()
        transaction.tx_validation_code = code  # type: ignore[assignment] # equal numbers
        try:
            _fill(transaction, decode_envelope(raw))
        except TransactionInvalid:
            continue  # its code already says that it is unreadable
    return filtered


def without_transactions(block_raw: bytes) -> bytes:
    """A stored block's header and metadata; one that carries a configuration stays whole."""
    wire = common_pb2.Block.FromString(block_raw)
    if len(wire.data.data) == 1 and _is_config(wire.data.data[0]):
        return block_raw
    wire.ClearField("data")
    return wire.SerializeToString()


def _is_config(entry: bytes) -> bool:
    try:
        return decode_envelope(entry).is_config
    except TransactionInvalid:
        return False


def _fill(filtered: protos_pb2.FilteredTransaction, envelope: Envelope) -> None:
    filtered.txid = envelope.tx_id
    filtered.type = envelope.header.channel.type  # type: ignore[assignment] # equal numbers
    if envelope.header.channel.type != HeaderType.ENDORSER_TRANSACTION:
        return
    filtered.transaction_actions.SetInParent()
    event = envelope.transaction.action.event if envelope.transaction else None
    if event is not None:
        action = filtered.transaction_actions.chaincode_actions.add()
        action.chaincode_event.chaincode_id = event.chaincode_name
        action.chaincode_event.tx_id = event.tx_id
        action.chaincode_event.event_name = event.name
