"""What every part of a peer stands on: configuration, identities, store, and worker threads."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ledger.errors import NodeFault
from ledger.model.block import Block
from ledger.model.codec_block import decode_block
from ledger.model.config_codec import decode_config_block
from ledger.node.endorsing.chaincode_definitions import CommittedDefinitions
from ledger.node.membership.channel import CurrentChannel, open_channel
from ledger.node.membership.credentials import Credentials
from ledger.node.membership.signatures import SignatureVerifier
from ledger.node.settings.config import NodeConfig
from ledger.ordering.envelopes import EnvelopeMemory
from ledger.ordering.pool import PoolLimits, TransactionPool
from ledger.storage.fail_points import FailPoints, fail_points_of_environment
from ledger.storage.ledger_folder import open_ledger_folder
from ledger.storage.ledger_store import LedgerStore
from ledger.storage.leveldb import LevelDbStore
from ledger.storage.transient_store import TransientStore

SIGNATURE_THREADS = 1
"""One: more would only compete with the other processes of a small machine."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Threads with one kind of work each, so that none waits behind another."""

    signatures: ThreadPoolExecutor
    consensus: ThreadPoolExecutor
    """One thread that owns the consensus core, its journal and the ledger store's blocks."""
    private: ThreadPoolExecutor
    """Private data outside blocks: what is stored, and what other members' peers ask for."""

    def close(self) -> None:
        """Finish what runs and end the threads."""
        for executor in (self.signatures, self.consensus, self.private):
            executor.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Foundation:
    """Made once at start; nothing here knows the network."""

    config: NodeConfig
    genesis: Block
    channel: CurrentChannel
    credentials: Credentials
    kv: LevelDbStore
    store: LedgerStore
    transient: TransientStore
    definitions: CommittedDefinitions
    workers: Workers
    signatures: SignatureVerifier
    memory: EnvelopeMemory
    pool: TransactionPool
    fail_points: FailPoints


def lay_foundation(config: NodeConfig) -> Foundation:
    """Read and open everything a peer needs; raises NodeFault naming what is wrong."""
    genesis = decode_block(config.genesis.read_bytes())
    channel_id = decode_config_block(genesis).channel_id
    if channel_id != config.channel_id:
        raise NodeFault(f"{config.genesis} is of channel {channel_id!r}")
    workers = _workers()
    config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    fail_points = fail_points_of_environment()
    ledger = open_ledger_folder(
        config.data_dir, channel_id=channel_id, genesis=genesis, fail_points=fail_points
    )
    store = ledger.store
    channel = open_channel(store, genesis)
    return Foundation(
        config=config,
        genesis=genesis,
        channel=channel,
        credentials=Credentials(config, channel),
        kv=ledger.kv,
        store=store,
        transient=TransientStore(ledger.kv),
        definitions=CommittedDefinitions(store, channel),
        workers=workers,
        signatures=SignatureVerifier(lambda: channel.state.registry, workers.signatures),
        memory=EnvelopeMemory(),
        pool=TransactionPool(PoolLimits()),
        fail_points=fail_points,
    )


def _workers() -> Workers:
    def executor(name: str, threads: int = 1) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)

    return Workers(
        signatures=executor("signatures", SIGNATURE_THREADS),
        consensus=executor("consensus"),
        private=executor("private-data"),
    )
