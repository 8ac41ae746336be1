"""What a committed block says, as rows: read once, before the database is touched. Pure.

A block holds whatever its proposer put there, valid or not, so nothing here fails for its
contents: an entry that cannot be read becomes a row with its code and nothing else.
"""

import json
from dataclasses import dataclass
from functools import lru_cache

from gateway.database.declarations import LONG_MAX, LONG_MIN
from gateway.readmodel.records import IdentityRecord, TransactionRecord
from ledger.crypto.certificates import parse_certificate
from ledger.crypto.hashing import block_hash, sha256
from ledger.errors import InvalidMessage, TransactionInvalid
from ledger.model.block import (
    SLOT_COMMIT_HASH,
    SLOT_SIGNATURES,
    SLOT_TRANSACTIONS_FILTER,
    Block,
)
from ledger.model.codec import decode_envelope
from ledger.model.codec_block import (
    consenter_metadata,
    decode_block_signatures,
    decode_commit_hash,
)
from ledger.model.codec_header import decode_identity
from ledger.model.codes import HeaderType, ValidationCode
from ledger.model.rwset import KeyWrite
from ledger.model.transaction import Envelope

SHOWN_CHARACTERS_MAX = 128
"""Of names that the read model is searched by; an index of PostgreSQL takes 2,700 bytes."""
ARGUMENTS_CHARACTERS_MAX = 100_000
IDENTITIES_REMEMBERED = 4_096
"""Certificates that are not parsed again."""
NUL = "\0"


@dataclass(frozen=True, slots=True)
class StateWrite:
    """A public write of a valid transaction; an empty value deletes."""

    namespace: str
    write: KeyWrite


@dataclass(frozen=True, slots=True)
class TransactionFacts:
    """An entry of a block: its record, and if it is valid what it wrote."""

    record: TransactionRecord
    writes: tuple[StateWrite, ...] = ()


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """A block's header and consensus fields are in `block`; `transactions` are in its order."""

    block: Block
    hash: bytes
    commit_hash: bytes
    signers: tuple[int, ...]
    transactions: tuple[TransactionFacts, ...]
    identities: tuple[IdentityRecord, ...]


def facts_of(block: Block) -> BlockFacts:
    """Everything the read model keeps of a block."""
    filter_raw = block.metadata[SLOT_TRANSACTIONS_FILTER]
    creators: dict[bytes, IdentityRecord] = {}
    transactions = []
    for index, entry in enumerate(block.entries):
        code = _code(filter_raw, index)
        try:
            envelope = decode_envelope(entry)
        except (TransactionInvalid, InvalidMessage):
            transactions.append(TransactionFacts(_unreadable(block.number, index, code)))
            continue
        identity = _identity(envelope.header.creator)
        creators.setdefault(identity.digest, identity)
        record = _record(envelope, block.number, index, code, identity)
        transactions.append(TransactionFacts(record, _writes(envelope, code)))
    seals = decode_block_signatures(block.metadata[SLOT_SIGNATURES]).signatures
    return BlockFacts(
        block=block,
        hash=block_hash(block.header),
        commit_hash=decode_commit_hash(block.metadata[SLOT_COMMIT_HASH]),
        signers=tuple(seal.consenter_id for seal in seals),
        transactions=tuple(transactions),
        identities=tuple(creators.values()),
    )


def block_columns(facts: BlockFacts, size_bytes: int) -> dict[str, object]:
    """The row of `BlockRow`."""
    header, consensus = facts.block.header, consenter_metadata(facts.block)
    return {
        "number": header.number,
        "hash": facts.hash,
        "previous_hash": header.previous_hash,
        "data_hash": header.data_hash,
        "commit_hash": facts.commit_hash,
        "signers": " ".join(map(str, facts.signers)),
        "transaction_count": len(facts.block.entries),
        "size_bytes": size_bytes,
        "round": consensus.round if consensus else None,
        "proposer": consensus.proposer if consensus else None,
        "block_time_ms": consensus.block_time_ms if consensus else None,
        "transactions_root": consensus.transactions_root if consensus else None,
        "validator_set_hash": consensus.validator_set_hash if consensus else None,
        "previous_commit_hash": consensus.previous_commit_hash if consensus else None,
    }


def transaction_columns(record: TransactionRecord) -> dict[str, object]:
    """The row of `TransactionRow`."""
    return {
        "block_number": record.block_number,
        "tx_index": record.index,
        "tx_id": record.tx_id,
        "code": int(record.code),
        "header_type": record.header_type,
        "chaincode": record.chaincode,
        "function": record.function,
        "arguments": json.dumps(record.arguments),
        "member": record.member,
        "creator": record.creator,
        "timestamp_ms": record.timestamp_ms,
        "event_name": record.event_name,
        "event_payload": record.event_payload,
    }


def shown(text: str) -> str:
    """Text that any database stores and indexes: shortened, NUL replaced."""
    return text[:SHOWN_CHARACTERS_MAX].replace(NUL, "�")


def _code(filter_raw: bytes, index: int) -> ValidationCode:
    """Genesis and configuration blocks may have no flags: their one entry counts as valid."""
    return ValidationCode(filter_raw[index]) if index < len(filter_raw) else ValidationCode.VALID


def _writes(envelope: Envelope, code: ValidationCode) -> tuple[StateWrite, ...]:
    if code is not ValidationCode.VALID or envelope.transaction is None:
        return ()
    return tuple(
        StateWrite(namespace.namespace, write)
        for namespace in envelope.transaction.action.results.namespaces
        for write in namespace.writes
    )


@lru_cache(maxsize=IDENTITIES_REMEMBERED)
def _identity(serialized: bytes) -> IdentityRecord:
    """The signer; fields that cannot be read stay empty."""
    member, subject, role, idgrid = "", "", "", ""
    try:
        member, pem = decode_identity(serialized)
        certificate = parse_certificate(pem)
        subject = certificate.subject
        role = certificate.attributes.get("role", "")
        idgrid = certificate.attributes.get("idgrid", "")
    except InvalidMessage:
        pass  # an invalid transaction's signer may be anything
    return IdentityRecord(
        digest=sha256(serialized),
        member=shown(member),
        subject=shown(subject),
        role=shown(role),
        idgrid=shown(idgrid),
        serialized=serialized,
    )


def _record(
    envelope: Envelope,
    block_number: int,
    index: int,
    code: ValidationCode,
    identity: IdentityRecord,
) -> TransactionRecord:
    channel, transaction = envelope.header.channel, envelope.transaction
    chaincode, function, event_name, event_payload = "", "", "", b""
    arguments: tuple[str, ...] = ()
    if channel.type == HeaderType.ENDORSER_TRANSACTION and transaction is not None:
        chaincode = transaction.chaincode_name
        texts = tuple(argument.decode(errors="replace") for argument in transaction.args)
        function, arguments = (texts[0], _shortened(texts[1:])) if texts else ("", ())
        event = transaction.action.event
        if event is not None:
            event_name, event_payload = event.name, event.payload
    return TransactionRecord(
        tx_id=shown(channel.tx_id),
        block_number=block_number,
        index=index,
        code=code,
        header_type=channel.type,
        chaincode=shown(chaincode),
        function=shown(function),
        arguments=arguments,
        member=identity.member,
        creator=identity.digest,
        timestamp_ms=min(max(channel.timestamp_ns // 1_000_000, LONG_MIN), LONG_MAX),
        event_name=shown(event_name),
        event_payload=event_payload,
    )


def _shortened(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Arguments up to a length all together; the whole ones are in the block."""
    left = ARGUMENTS_CHARACTERS_MAX
    kept = []
    for text in texts:
        kept.append(text[:left])
        left -= len(kept[-1])
    return tuple(kept)


def _unreadable(block_number: int, index: int, code: ValidationCode) -> TransactionRecord:
    return TransactionRecord(
        tx_id="",
        block_number=block_number,
        index=index,
        code=code,
        header_type=0,
        chaincode="",
        function="",
        arguments=(),
        member="",
        creator=b"",
        timestamp_ms=0,
        event_name="",
        event_payload=b"",
    )
