"""Making a receipt: from a block, the block after it, and nothing else."""

from collections.abc import Sequence

from ledger.crypto.merkle import merkle_path, merkle_root
from ledger.errors import InvalidMessage
from ledger.model.block import (
    SLOT_SIGNATURES,
    SLOT_STATE_HASH,
    SLOT_TRANSACTIONS_FILTER,
    Block,
)
from ledger.model.codec import decode_entry
from ledger.model.codec_block import (
    consenter_metadata,
    decode_block_signatures,
    decode_commit_hash,
)
from ledger.model.codes import ValidationCode
from ledger.model.rwset import Version
from ledger.model.state import StateKey
from ledger.receipts.receipt import ProvenLeaf, Receipt, ReceiptSeal
from ledger.receipts.refusals import NotProvable
from ledger.receipts.statement import TransactionStatement, read_statement
from ledger.validation.outcome import Leaf, outcome_leaves


def make_receipt(
    block: Block,
    sealing: Block,
    *,
    genesis_hash: bytes,
    index: int,
    written: StateKey | None = None,
) -> Receipt:
    """Proof of the code of entry `index` of `block`, and of what it wrote under `written`.

    `block` is as a peer delivers it, with codes and state hash; `sealing` is the next one. Raises
    NotProvable when the entry has no proof (its signature or id was bad), did not write the key,
    or the blocks are not two in a row.
    """
    metadata = consenter_metadata(block)
    if metadata is None or sealing.number != block.number + 1:
        raise NotProvable(f"block {sealing.number} does not seal what block {block.number} did")
    leaves = _leaves(block)
    raw = [blinding + element for blinding, element in leaves]
    numbers = [_transaction_leaf(leaves, Version(block.number, index))]
    if written is not None:
        numbers.append(_write_leaf(leaves, Version(block.number, index), written))
    signed = decode_block_signatures(sealing.metadata[SLOT_SIGNATURES])
    return Receipt(
        genesis_hash=genesis_hash,
        sealing_header=sealing.header,
        signed_value=signed.value_raw,
        seals=tuple(
            ReceiptSeal(one.identifier_header_raw, one.signature) for one in signed.signatures
        ),
        commit_hash_before=metadata.previous_commit_hash,
        codes=block.metadata[SLOT_TRANSACTIONS_FILTER],
        state_hash=decode_commit_hash(block.metadata[SLOT_STATE_HASH]),
        leaf_count=len(leaves),
        outcome_root=merkle_root(raw),
        leaves=tuple(
            ProvenLeaf(number, *leaves[number], path=merkle_path(raw, number))
            for number in numbers
        ),
    )


def _leaves(block: Block) -> list[Leaf]:
    try:
        codes = [ValidationCode(code) for code in block.metadata[SLOT_TRANSACTIONS_FILTER]]
        entries = [decode_entry(raw) for raw in block.entries]
        return outcome_leaves(block.number, block.entries, entries, codes)
    except (ValueError, InvalidMessage) as error:
        raise NotProvable(f"block {block.number} has no codes that fit it: {error}") from error


def _transaction_leaf(leaves: Sequence[Leaf], position: Version) -> int:
    for number, (_, element) in enumerate(leaves):
        found = read_statement(element)
        if isinstance(found, TransactionStatement) and found.position == position:
            return number
    raise NotProvable(
        f"entry {position.tx_number} of block {position.block_number} has no proof: it was "
        "refused before its signature and id were found good"
    )


def _write_leaf(leaves: Sequence[Leaf], position: Version, written: StateKey) -> int:
    for number in reversed(range(len(leaves))):
        found = read_statement(leaves[number][1])
        if isinstance(found, TransactionStatement) or found.position != position:
            continue
        if (found.namespace, found.key) == written:
            return number
    raise NotProvable(
        f"entry {position.tx_number} of block {position.block_number} did not write {written[1]}"
    )
