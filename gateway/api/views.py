"""Blocks and transactions as the API shows them."""

from gateway.api.ledger_answers import BlockAnswer
from gateway.api.schemas import TransactionStatus
from gateway.ledger_access.refusals import RETRYABLE
from gateway.readmodel.records import BlockRecord, TransactionRecord
from gateway.strict_json import BadJson, parse_strictly
from ledger.model.codes import ValidationCode


def transaction_status(record: TransactionRecord, *, inside: bool) -> TransactionStatus:
    """A committed transaction as the API shows it; with what it says if `inside`."""
    is_valid = record.code is ValidationCode.VALID
    return TransactionStatus(
        transaction_id=record.tx_id,
        status="valid" if is_valid else "invalid",
        code=record.code.name,
        is_retryable=record.code in RETRYABLE,
        block_number=record.block_number,
        index=record.index,
        function=record.function or None,
        arguments=list(record.arguments) if inside else None,
        member=record.member,
        timestamp_ms=record.timestamp_ms,
        event=record.event_name or None,
        event_payload=event_payload(record.event_payload) if inside else None,
    )


def event_payload(raw: bytes) -> object | None:
    """A contract event's JSON; `None` for no or other content."""
    if not raw:
        return None
    try:
        content: object = parse_strictly(raw)
    except BadJson:
        return None
    return content


def block_view(block: BlockRecord, transaction_ids: list[str]) -> BlockAnswer:
    """A block as the API shows it; hashes in hex."""
    consensus = block.consensus
    return BlockAnswer(
        number=block.number,
        hash=block.hash.hex(),
        previous_hash=block.previous_hash.hex(),
        data_hash=block.data_hash.hex(),
        commit_hash=block.commit_hash.hex(),
        transaction_ids=transaction_ids,
        signers=list(block.signers),
        round=consensus.round if consensus else None,
        proposer=consensus.proposer if consensus else None,
        block_time_ms=consensus.block_time_ms if consensus else None,
        transactions_root=consensus.transactions_root.hex() if consensus else None,
        validator_set_hash=consensus.validator_set_hash.hex() if consensus else None,
        previous_commit_hash=consensus.previous_commit_hash.hex() if consensus else None,
    )
