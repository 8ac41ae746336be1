"""Chaincode events of valid transactions, replayed from any block or after a transaction."""

from collections.abc import AsyncIterator
from typing import Protocol

import grpc

from ledger.errors import TransactionInvalid
from ledger.model.block import SLOT_TRANSACTIONS_FILTER, Block
from ledger.model.codec import decode_envelope
from ledger.model.codes import ValidationCode
from ledger.model.transaction import ChaincodeEvent
from ledger.rpc.block_source import BlockSource
from ledger.rpc.commit_notifier import CommittedTransaction
from ledger.rpc.status import GatewayError
from ledger.wire import gateway_pb2


class TransactionLookup(Protocol):
    """Where committed transactions are."""

    def committed(self, tx_id: str) -> CommittedTransaction | None:
        """The first recorded fate of a transaction id."""


class ChaincodeEventStream:
    """Serves gateway.Gateway/ChaincodeEvents (Fabric: one response per block that has any)."""

    def __init__(self, source: BlockSource, lookup: TransactionLookup) -> None:
        self._source = source
        self._lookup = lookup

    async def follow(self, request: gateway_pb2.ChaincodeEventsRequest) -> AsyncIterator[bytes]:
        """Encoded ChaincodeEventsResponse messages until the client leaves."""
        start = self._start(request)
        after_tx_id = request.after_transaction_id
        async for block in self._source.follow(start):
            events = valid_events(block)
            if after_tx_id and block.number == start:
                events = _after(events, block, after_tx_id)
            matching = [e for e in events if e.chaincode_name == request.chaincode_id]
            if matching:
                yield _response(block.number, matching)

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


def valid_events(block: Block) -> list[ChaincodeEvent]:
    """Events of the block's valid transactions, in block order."""
    flags = block.metadata[SLOT_TRANSACTIONS_FILTER]
    events = []
    for index, raw in enumerate(block.entries):
        if flags[index] != ValidationCode.VALID:
            continue
        event = _event(raw)
        if event is not None:
            events.append(event)
    return events


def _event(raw: bytes) -> ChaincodeEvent | None:
    try:
        envelope = decode_envelope(raw)
    except TransactionInvalid:
        # A configuration envelope is valid and is not an endorser transaction.
        return None
    return envelope.transaction.action.event if envelope.transaction else None


def _after(events: list[ChaincodeEvent], block: Block, tx_id: str) -> list[ChaincodeEvent]:
    """Events behind the transaction, which itself may have none."""
    order = {}
    for index, raw in enumerate(block.entries):
        try:
            order[decode_envelope(raw).tx_id] = index
        except TransactionInvalid:
            continue
    position = order.get(tx_id)
    if position is None:
        return events
    return [event for event in events if order[event.tx_id] > position]


def _response(block_number: int, events: list[ChaincodeEvent]) -> bytes:
    response = gateway_pb2.ChaincodeEventsResponse(block_number=block_number)
    for event in events:
        wire = response.events.add()
        wire.chaincode_id = event.chaincode_name
        wire.tx_id = event.tx_id
        wire.event_name = event.name
        wire.payload = event.payload
    return response.SerializeToString()
