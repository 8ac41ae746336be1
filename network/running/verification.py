"""Re-checking a member's whole ledger: links, hashes, seals, codes, state, from block 0 on."""

from collections.abc import Callable

from ledger.errors import NodeFault
from ledger.model.block import SLOT_TRANSACTIONS_FILTER, Block
from ledger.model.codec import decode_request
from ledger.model.codec_block import decode_block
from ledger.model.codes import ValidationCode
from ledger.model.config import ChannelConfig
from ledger.model.config_codec import decode_config_block
from ledger.ordering.seals import check_certificate
from ledger.ordering.validator_set import validator_set
from ledger.storage.chain_check import verify_chain
from ledger.storage.leveldb import LevelDbStore
from ledger.storage.opening import DATABASE_FOLDER, open_ledger
from network.layout import MemberLayout, NetworkLayout
from network.running.lifecycle import LifecycleError
from network.running.processes import read_pid_file


def verify_member(
    folder: MemberLayout,
    network: NetworkLayout,
    on_block: Callable[[int, int], None] = lambda _done, _all: None,
) -> int:
    """Number of blocks found good.

    Raises ChainBroken naming the block that is not, LifecycleError while the validator runs (its
    database is locked), and NodeFault for a database that cannot be read at all. `on_block` is
    told how many blocks are read, of how many.
    """
    if read_pid_file(folder.pid_file) is not None:
        name = folder.root.name
        raise LifecycleError(f"{name} runs; first: gridledger network down {name}")
    if not (folder.ledger_dir / DATABASE_FOLDER).exists():
        raise NodeFault(f"{folder.root.name} has no ledger yet")
    genesis = decode_block(network.genesis_block.read_bytes())
    channel = decode_config_block(genesis)
    seals = _SealsAlongTheChain(channel)
    database = LevelDbStore(folder.ledger_dir / DATABASE_FOLDER)
    try:
        store = open_ledger(database, channel_id=channel.channel_id, genesis=genesis)
        height = store.height()

        def check_seals(block: Block) -> None:
            seals.check(block)
            on_block(block.number + 1, height)

        return verify_chain(store, check_seals)
    finally:
        database.close()


class _SealsAlongTheChain:
    """Each block's seals by the validator set of its height."""

    def __init__(self, founding: ChannelConfig) -> None:
        self._validators = validator_set(founding)

    def check(self, block: Block) -> None:
        """`ledger.storage.chain_check.CheckSeals`; blocks come in order."""
        check_certificate(block, self._validators)
        if _is_valid_config(block):
            self._validators = validator_set(decode_config_block(block))


def _is_valid_config(block: Block) -> bool:
    flags = block.metadata[SLOT_TRANSACTIONS_FILTER]
    if len(block.entries) != 1 or flags != bytes((ValidationCode.VALID,)):
        return False
    return decode_request(block.entries[0]).is_config
