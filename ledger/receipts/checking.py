"""Checking a receipt against the validators one trusts; asks nobody, reads no clock.

The argument in docs/receipts.md, step by step: a quorum of the validators of that height signed
the sealing block; what they signed names the commit hash after the block before; that hash covers
the codes and the root of the outcome tree; the path leads from the statement to this root.
"""

from dataclasses import dataclass

from ledger.consensus.quorum import quorum
from ledger.crypto.hashing import block_hash, block_signature_message
from ledger.crypto.merkle import verify_merkle_path
from ledger.crypto.signing import verify_signature
from ledger.errors import InvalidMessage
from ledger.model.block import ConsenterMetadata
from ledger.model.codec_block import decode_identifier_header, decode_signed_value
from ledger.model.codes import ValidationCode
from ledger.receipts.receipt import Receipt, decode_receipt
from ledger.receipts.refusals import Problem, ReceiptRefused, Step
from ledger.receipts.statement import (
    Statement,
    TransactionStatement,
    WriteStatement,
    read_statement,
)
from ledger.receipts.trust import TrustedSet, TrustedValidators
from ledger.validation.commit_hash import commit_hash
from ledger.validation.outcome import outcome_of_root


@dataclass(frozen=True, slots=True)
class Proven:
    """What a good receipt proves: that a quorum of validators vouches for these statements."""

    channel_id: str
    block_number: int
    block_hash: bytes
    """Of the block with the transaction."""
    sealing_block_hash: bytes
    sealed_at_ms: int
    """Block time of the block after it, milliseconds since 1970, UTC."""
    sealed_by: tuple[tuple[int, str], ...]
    """(validator id, member) ascending by id."""
    validators: int
    transaction: TransactionStatement
    write: WriteStatement | None
    is_newer_than_trust: bool
    """The block is later than what the list of trusted validators was made of."""


def check_receipt(raw: bytes, trusted: TrustedValidators) -> Proven:
    """What the receipt in `raw` proves; raises ReceiptRefused naming the first step that fails."""
    receipt = decode_receipt(raw)
    if receipt.genesis_hash != trusted.genesis_hash:
        raise ReceiptRefused(
            Step.CHAIN, Problem.OTHER_CHAIN, "it is of a ledger with another genesis block"
        )
    metadata = _signed_metadata(receipt)
    validators = _validators(receipt, metadata, trusted)
    signers = _check_seals(receipt, validators)
    _check_commitment(receipt, metadata)
    _check_paths(receipt)
    transaction, write = _check_statements(receipt)
    names = {one.consenter_id: one.mspid for one in validators.validators}
    return Proven(
        channel_id=trusted.channel_id,
        block_number=transaction.position.block_number,
        block_hash=receipt.sealing_header.previous_hash,
        sealing_block_hash=block_hash(receipt.sealing_header),
        sealed_at_ms=metadata.block_time_ms,
        sealed_by=tuple((signer, names[signer]) for signer in sorted(signers)),
        validators=len(validators.validators),
        transaction=transaction,
        write=write,
        is_newer_than_trust=receipt.sealing_header.number > trusted.as_of_block,
    )


def _signed_metadata(receipt: Receipt) -> ConsenterMetadata:
    try:
        return decode_signed_value(receipt.signed_value)
    except InvalidMessage as error:
        raise ReceiptRefused(
            Step.FILE, Problem.MALFORMED, f"what was sealed cannot be read: {error.detail}"
        ) from error


def _validators(
    receipt: Receipt, metadata: ConsenterMetadata, trusted: TrustedValidators
) -> TrustedSet:
    number = receipt.sealing_header.number
    expected = trusted.sealing(number)
    if expected is not None and metadata.validator_set_hash == expected.set_hash:
        return expected
    if any(metadata.validator_set_hash == one.set_hash for one in trusted.sets):
        raise ReceiptRefused(
            Step.VALIDATORS,
            Problem.OLD_VALIDATORS,
            f"block {number} was not theirs to seal: another set of validators was in charge",
        )
    raise ReceiptRefused(
        Step.VALIDATORS,
        Problem.UNKNOWN_VALIDATORS,
        f"block {number} names validators that are not in your list; a newer list may have them",
    )


def _check_seals(receipt: Receipt, trusted: TrustedSet) -> set[int]:
    """Ids of the validators whose seals are good; raises ReceiptRefused."""
    keys = {one.consenter_id: one.public_key for one in trusted.validators}
    signers: set[int] = set()
    for seal in receipt.seals:
        try:
            signer, _ = decode_identifier_header(seal.identifier_header)
        except InvalidMessage as error:
            raise _seals(Problem.MALFORMED, error.detail) from error
        key = keys.get(signer)
        if key is None:
            raise _seals(Problem.STRANGERS_SEAL, f"{signer} is no validator of this block")
        if signer in signers:
            raise _seals(Problem.SEALED_TWICE, f"validator {signer} is counted twice")
        message = block_signature_message(
            receipt.signed_value, seal.identifier_header, receipt.sealing_header
        )
        try:
            verify_signature(key, message, seal.signature)
        except InvalidMessage as error:
            raise _seals(
                Problem.BAD_SEAL, f"the seal of validator {signer} is not good: {error.detail}"
            ) from error
        signers.add(signer)
    needed = quorum(len(keys))
    if len(signers) < needed:
        raise _seals(Problem.TOO_FEW_SEALS, f"{len(signers)} of {needed} needed seals")
    return signers


def _check_commitment(receipt: Receipt, metadata: ConsenterMetadata) -> None:
    computed = commit_hash(
        genesis_hash=receipt.genesis_hash,
        previous=receipt.commit_hash_before,
        codes=receipt.codes,
        outcome=outcome_of_root(receipt.leaf_count, receipt.outcome_root),
        state=receipt.state_hash,
    )
    if computed != metadata.previous_commit_hash:
        raise ReceiptRefused(
            Step.STATE_COMMITMENT,
            Problem.OTHER_STATE,
            "codes and outcome are not those the validators sealed",
        )


def _check_paths(receipt: Receipt) -> None:
    for leaf in receipt.leaves:
        try:
            verify_merkle_path(
                leaf=leaf.blinding + leaf.element,
                index=leaf.index,
                leaf_count=receipt.leaf_count,
                path=leaf.path,
                root=receipt.outcome_root,
            )
        except InvalidMessage as error:
            raise ReceiptRefused(Step.MERKLE_PATH, Problem.OTHER_ROOT, error.detail) from error


def _check_statements(receipt: Receipt) -> tuple[TransactionStatement, WriteStatement | None]:
    """The transaction's code, then what it wrote; both of one entry of the block before."""
    try:
        found: list[Statement] = [read_statement(leaf.element) for leaf in receipt.leaves]
    except ValueError as error:
        raise _statement(Problem.MALFORMED, str(error)) from error
    transaction, write = (*found, None, None)[:2]
    if not isinstance(transaction, TransactionStatement) or isinstance(
        write, TransactionStatement
    ):
        raise _statement(Problem.MALFORMED, "it takes a transaction, and one write at most")
    position = transaction.position
    if position.block_number != receipt.sealing_header.number - 1:
        raise _statement(Problem.OTHER_BLOCK, f"it speaks of block {position.block_number}")
    if write is not None and write.position != position:
        raise _statement(Problem.OTHER_BLOCK, "another transaction wrote this")
    if receipt.codes[position.tx_number : position.tx_number + 1] != bytes([transaction.code]):
        raise _statement(Problem.OTHER_CODE, "the block's codes have another code for it")
    if write is not None and transaction.code != ValidationCode.VALID:
        raise _statement(Problem.OTHER_CODE, "the transaction that wrote this is not valid")
    return transaction, write


def _seals(problem: Problem, detail: str) -> ReceiptRefused:
    return ReceiptRefused(Step.SEALS, problem, detail)


def _statement(problem: Problem, detail: str) -> ReceiptRefused:
    return ReceiptRefused(Step.STATEMENT, problem, detail)
