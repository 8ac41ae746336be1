"""What every part of a peer stands on: configuration, identities, store, and worker threads."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ledger.crypto.certificates import parse_certificate
from ledger.crypto.signing import Signer, SigningIdentity
from ledger.errors import NodeFault
from ledger.model.codec_block import decode_block
from ledger.model.config import ChannelConfig
from ledger.model.config_codec import decode_config_block
from ledger.node.chaincode_definitions import CommittedDefinitions
from ledger.node.channel import CurrentChannel, open_channel
from ledger.node.config import NodeConfig
from ledger.node.files import read_private_key
from ledger.node.signatures import SignatureVerifier
from ledger.ordering.envelopes import EnvelopeMemory
from ledger.ordering.pool import PoolLimits, TransactionPool
from ledger.rpc.transport import TlsMaterial
from ledger.storage.fail_points import FailPoints, fail_points_of_environment
from ledger.storage.ledger_store import LedgerStore
from ledger.storage.leveldb import LevelDbStore
from ledger.storage.opening import DATABASE_FOLDER, open_ledger

SIGNATURE_THREADS = 1
"""One: more would only compete with the other processes of a small machine."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Threads with one kind of work each, so that none waits behind another."""

    signatures: ThreadPoolExecutor
    consensus: ThreadPoolExecutor
    """One thread that owns the consensus core, its journal and the ledger store's writes."""

    def close(self) -> None:
        """Finish what runs and end the threads."""
        for executor in (self.signatures, self.consensus):
            executor.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Foundation:
    """Made once at start; nothing here knows the network."""

    config: NodeConfig
    channel: CurrentChannel
    tls: TlsMaterial
    identity: SigningIdentity
    kv: LevelDbStore
    store: LedgerStore
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
    kv = LevelDbStore(config.data_dir / DATABASE_FOLDER)
    fail_points = fail_points_of_environment()
    store = open_ledger(kv, channel_id=channel_id, genesis=genesis, fail_points=fail_points)
    channel = open_channel(store, genesis)
    return Foundation(
        config=config,
        channel=channel,
        tls=_tls(config),
        identity=_identity(config, channel.state.config),
        kv=kv,
        store=store,
        definitions=CommittedDefinitions(store, channel),
        workers=workers,
        signatures=SignatureVerifier(lambda: channel.state.registry, workers.signatures),
        memory=EnvelopeMemory(),
        pool=TransactionPool(PoolLimits()),
        fail_points=fail_points,
    )


def _identity(config: NodeConfig, channel: ChannelConfig) -> SigningIdentity:
    """The peer's identity, which must be the consenter's that the channel knows."""
    certificate_pem = config.identity_certificate.read_bytes()
    signer = Signer(read_private_key(config.identity_key))
    own = parse_certificate(certificate_pem)
    for consenter in channel.consenters:
        known = parse_certificate(consenter.identity_pem)
        if consenter.consenter_id == config.consenter_id:
            if own.public_key_der != known.public_key_der:
                raise NodeFault(
                    f"{config.identity_certificate} has another key than consenter "
                    f"{config.consenter_id} of the channel"
                )
            return SigningIdentity(config.mspid, certificate_pem, signer)
    raise NodeFault(f"the channel has no consenter {config.consenter_id}")


def _tls(config: NodeConfig) -> TlsMaterial:
    return TlsMaterial(
        certificate_pem=config.tls_certificate.read_bytes(),
        key_pem=read_private_key(config.tls_key),
        ca_bundle_pem=config.tls_ca_bundle.read_bytes(),
    )


def _workers() -> Workers:
    def executor(name: str, threads: int = 1) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)

    return Workers(
        signatures=executor("signatures", SIGNATURE_THREADS),
        consensus=executor("consensus"),
    )
