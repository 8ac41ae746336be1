"""The blocks with a configuration, found without the blocks between them."""

from ledger.errors import NodeFault
from ledger.model.block import SLOT_SIGNATURES, Block
from ledger.model.codec_block import decode_block_signatures
from ledger.storage.ledger_store import LedgerStore


def config_blocks(store: LedgerStore, newest: int) -> list[Block]:
    """Those after the genesis block up to number `newest`, which is one of them; ascending.

    Each block's seals sign the number of the newest configuration before it. Raises NodeFault when
    one is missing, InvalidMessage when one does not parse.
    """
    found: list[Block] = []
    number = newest
    while number > 0:
        block = store.block(number)
        if block is None:
            raise NodeFault(f"block {number}, which has a configuration, is missing")
        found.append(block)
        number = last_config_before(block)
    return found[::-1]


def last_config_before(block: Block) -> int:
    """Number of the newest configuration block when this one was sealed."""
    number = decode_block_signatures(block.metadata[SLOT_SIGNATURES]).last_config_number
    if number >= block.number:
        raise NodeFault(
            f"block {block.number} names block {number} as the configuration before it"
        )
    return number
