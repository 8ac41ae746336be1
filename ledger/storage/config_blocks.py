"""The blocks with a configuration, found without the blocks between them."""

from ledger.errors import NodeFault
from ledger.model.block import Block
from ledger.model.codec_block import consenter_metadata
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
    metadata = consenter_metadata(block)
    number = metadata.config_before if metadata is not None else 0
    if number >= block.number:
        raise NodeFault(
            f"block {block.number} names block {number} as the configuration before it"
        )
    return number
