"""What every part of a peer stands on: configuration, identities, store, and worker threads."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ledger.consensus.messages import SigningDomain
from ledger.crypto.certificates import parse_certificate
from ledger.crypto.channel_policies import ChannelPolicies
from ledger.crypto.hashing import block_hash
from ledger.crypto.msp import MspRegistry
from ledger.crypto.signing import Signer, SigningIdentity
from ledger.errors import NodeFault
from ledger.model.block import Block
from ledger.model.codec_block import decode_block
from ledger.model.config import ChannelConfig
from ledger.model.config_codec import decode_config_block
from ledger.node.chaincode_definitions import CommittedDefinitions
from ledger.node.config import NodeConfig
from ledger.node.files import read_private_key
from ledger.node.signatures import SignatureVerifier
from ledger.ordering.envelopes import EnvelopeMemory
from ledger.ordering.pool import BlockLimits, PoolLimits, TransactionPool
from ledger.ordering.validator_set import ValidatorSet, validator_set
from ledger.rpc.transport import TlsMaterial
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
    channel: ChannelConfig
    genesis: Block
    tls: TlsMaterial
    identity: SigningIdentity
    registry: MspRegistry
    policies: ChannelPolicies
    validators: ValidatorSet
    kv: LevelDbStore
    store: LedgerStore
    definitions: CommittedDefinitions
    workers: Workers
    signatures: SignatureVerifier
    memory: EnvelopeMemory
    pool: TransactionPool
    block_limits: BlockLimits

    @property
    def signing_domain(self) -> SigningDomain:
        """What binds consensus signatures to this ledger."""
        return SigningDomain(
            network_id=self.channel.network_id,
            channel_id=self.channel.channel_id,
            genesis_hash=block_hash(self.genesis.header),
            validator_set_hash=self.validators.set_hash,
        )

    def consenter_by_tls_certificate(self, der: bytes) -> int | None:
        """Which consenter connects with this TLS certificate (DER)."""
        for consenter in self.channel.consenters:
            if parse_certificate(consenter.client_tls_cert).der == der:
                return consenter.consenter_id
        return None


def lay_foundation(config: NodeConfig) -> Foundation:
    """Read and open everything a peer needs; raises NodeFault naming what is wrong."""
    genesis = decode_block(config.genesis.read_bytes())
    channel = decode_config_block(genesis)
    if channel.channel_id != config.channel_id:
        raise NodeFault(f"{config.genesis} is of channel {channel.channel_id!r}")
    registry = MspRegistry(channel)
    policies = ChannelPolicies(channel, registry)
    workers = _workers()
    config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    kv = LevelDbStore(config.data_dir / DATABASE_FOLDER)
    store = open_ledger(kv, channel_id=channel.channel_id, genesis=genesis)
    return Foundation(
        config=config,
        channel=channel,
        genesis=genesis,
        tls=_tls(config),
        identity=_identity(config, channel),
        registry=registry,
        policies=policies,
        validators=validator_set(channel),
        kv=kv,
        store=store,
        definitions=CommittedDefinitions(store, policies),
        workers=workers,
        signatures=SignatureVerifier(registry, workers.signatures),
        memory=EnvelopeMemory(),
        pool=TransactionPool(PoolLimits()),
        block_limits=BlockLimits(
            transactions_max=channel.batch_limits.max_transactions,
            bytes_max=channel.batch_limits.max_bytes,
        ),
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
