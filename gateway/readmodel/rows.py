"""From rows of the tables to the records of `gateway.readmodel.records`."""

import json
from typing import Any

from sqlalchemy import Row

from gateway.readmodel.records import (
    BlockRecord,
    Cause,
    EventRecord,
    IdentityRecord,
    ListingSummary,
    Movement,
    OrderRecord,
    Position,
    SettlementSummary,
    TransactionRecord,
)
from ledger.model.block import ConsenterMetadata
from ledger.model.codes import ValidationCode


def block(row: Row[Any]) -> BlockRecord:
    """Of `BlockRow`."""
    consensus = None
    if row.block_time_ms is not None:
        consensus = ConsenterMetadata(
            round=row.round,
            proposer=row.proposer,
            block_time_ms=row.block_time_ms,
            transactions_root=row.transactions_root,
            validator_set_hash=row.validator_set_hash,
            previous_commit_hash=row.previous_commit_hash,
        )
    return BlockRecord(
        number=row.number,
        hash=row.hash,
        previous_hash=row.previous_hash,
        data_hash=row.data_hash,
        commit_hash=row.commit_hash,
        consensus=consensus,
        signers=tuple(int(number) for number in row.signers.split()),
        transaction_count=row.transaction_count,
        size_bytes=row.size_bytes,
    )


def transaction(row: Row[Any]) -> TransactionRecord:
    """Of `TransactionRow`."""
    return TransactionRecord(
        tx_id=row.tx_id,
        block_number=row.block_number,
        index=row.tx_index,
        code=ValidationCode(row.code),
        header_type=row.header_type,
        chaincode=row.chaincode,
        function=row.function,
        arguments=tuple(json.loads(row.arguments)),
        member=row.member,
        creator=row.creator,
        timestamp_ms=row.timestamp_ms,
        event_name=row.event_name,
        event_payload=row.event_payload,
    )


def event(record: TransactionRecord) -> EventRecord:
    """What a valid transaction announced."""
    return EventRecord(
        block_number=record.block_number,
        index=record.index,
        tx_id=record.tx_id,
        function=record.function,
        name=record.event_name,
        payload=record.event_payload,
    )


def identity(row: Row[Any]) -> IdentityRecord:
    """Of `Identity`."""
    return IdentityRecord(
        digest=row.digest,
        member=row.member,
        subject=row.subject,
        role=row.role,
        idgrid=row.idgrid,
        serialized=row.serialized,
    )


def listing(row: Row[Any]) -> ListingSummary:
    """Of `ListingRow`."""
    return ListingSummary(
        listing_id=row.listing_id,
        state=row.state,
        opens_at_ms=row.opens_at_ms,
        gate_closure_ms=row.gate_closure_ms,
        delivery_start_ms=row.delivery_start_ms,
        delivery_end_ms=row.delivery_end_ms,
        price_utoken_per_kwh=row.price_utoken_per_kwh,
        matched_wh=row.matched_wh,
    )


def order(row: Row[Any]) -> OrderRecord:
    """Of `OrderRow`."""
    cancelled = None
    if row.cancelled_block_number is not None:
        cancelled = Position(row.cancelled_block_number, row.cancelled_tx_index)
    return OrderRecord(
        listing_id=row.listing_id,
        idgrid=row.idgrid,
        order_id=row.order_id,
        side=row.side,
        energy_wh=row.energy_wh,
        price_utoken_per_kwh=row.price_utoken_per_kwh,
        source=row.source,
        placed=Position(row.block_number, row.tx_index),
        cancelled=cancelled,
    )


def settlement(row: Row[Any]) -> SettlementSummary:
    """Of `SettlementRow`."""
    return SettlementSummary(
        idgrid=row.idgrid,
        listing_id=row.listing_id,
        revision=row.revision,
        sold_wh=row.sold_wh,
        bought_wh=row.bought_wh,
        received_utoken=row.received_utoken,
        paid_utoken=row.paid_utoken,
        refunded_utoken=row.refunded_utoken,
        network_charge_utoken=row.network_charge_utoken,
        pool_share_utoken=row.pool_share_utoken,
        owed_to_utility_utoken=row.owed_to_utility_utoken,
        owed_by_utility_utoken=row.owed_by_utility_utoken,
        position=Position(row.block_number, row.tx_index),
    )


def movement(row: Row[Any]) -> Movement:
    """Of `MovementRow`."""
    return Movement(
        cause=Cause(row.cause),
        subject=row.subject,
        group_id=row.group_id,
        at_ms=row.at_ms,
        free_utoken=row.free_utoken,
        locked_utoken=row.locked_utoken,
        sold_wh=row.sold_wh,
        bought_wh=row.bought_wh,
        tx_id=row.tx_id,
        block_number=row.block_number,
        index=row.tx_index,
    )
