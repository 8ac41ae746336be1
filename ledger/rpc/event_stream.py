"""Chaincode events of valid transactions, replayed from any block or after a transaction."""

from collections import OrderedDict
from collections.abc import AsyncIterator

import grpc

from ledger.errors import TransactionInvalid
from ledger.model.block import SLOT_TRANSACTIONS_FILTER, Block
from ledger.model.codec import decode_envelope
from ledger.model.codes import ValidationCode
from ledger.model.transaction import ChaincodeEvent
from ledger.rpc.block_source import BlockSource
from ledger.rpc.ports import TransactionLookup
from ledger.rpc.status import GatewayError
from ledger.wire import gateway_pb2

BLOCKS_REMEMBERED_MAX = 8
"""Blocks whose events are kept decoded: followers are at the newest ones."""


class ChaincodeEventStream:
    """Serves gateway.Gateway/ChaincodeEvents (Fabric: one response per block that has any)."""

    def __init__(self, source: BlockSource, lookup: TransactionLookup) -> None:
        self._source = source
        self._lookup = lookup
        self._read: OrderedDict[int, list[ChaincodeEvent]] = OrderedDict()

    async def follow(self, request: gateway_pb2.ChaincodeEventsRequest) -> AsyncIterator[bytes]:
        """Encoded ChaincodeEventsResponse messages until the client leaves."""
        start = self._start(request)
        after_tx_id = request.after_transaction_id
        async for block in self._source.follow(start):
            if after_tx_id and block.number == start:
                events = valid_events(block, after_tx_id=after_tx_id)
            else:
                events = self._events(block)
            matching = [e for e in events if e.chaincode_name == request.chaincode_id]
            if matching:
                yield _response(block.number, matching)

    def _events(self, block: Block) -> list[ChaincodeEvent]:
        """A block's events, read once for everybody who follows."""
        events = self._read.get(block.number)
        if events is None:
            events = self._read[block.number] = valid_events(block)
            if len(self._read) > BLOCKS_REMEMBERED_MAX:
                self._read.popitem(last=False)
        return events

    def _start(self, request: gateway_pb2.ChaincodeEventsRequest) -> int:
        if request.after_transaction_id:
            fate = self._lookup.committed(request.after_transaction_id)
            if fate is not None:
                return fate.block_number
        kind = request.start_position.WhichOneof("Type")
        if kind in (None, "next_commit"):
            return self._source.height
        if kind == "specified":
            return request.start_position.specified.number
        raise GatewayError(
            grpc.StatusCode.INVALID_ARGUMENT, f"invalid start position type: {kind}"
        )


def valid_events(block: Block, after_tx_id: str = "") -> list[ChaincodeEvent]:
    """Events of the block's valid transactions, in block order.

    With `after_tx_id` only those behind that transaction, if the block has it; the transaction
    itself may be invalid or without an event.
    """
    flags = block.metadata[SLOT_TRANSACTIONS_FILTER]
    events: list[ChaincodeEvent] = []
    for index, raw in enumerate(block.entries):
        try:
            envelope = decode_envelope(raw)
        except TransactionInvalid:
            continue
        if after_tx_id and envelope.tx_id == after_tx_id:
            events.clear()
            after_tx_id = ""  # the first of this id is meant, a later one is a duplicate
        elif flags[index] == ValidationCode.VALID and envelope.transaction is not None:
            event = envelope.transaction.action.event
            if event is not None:
                events.append(event)
    return events


def _response(block_number: int, events: list[ChaincodeEvent]) -> bytes:
    response = gateway_pb2.ChaincodeEventsResponse(block_number=block_number)
    for event in events:
        wire = response.events.add()
        wire.chaincode_id = event.chaincode_name
        wire.tx_id = event.tx_id
        wire.event_name = event.name
        wire.payload = event.payload
    return response.SerializeToString()
