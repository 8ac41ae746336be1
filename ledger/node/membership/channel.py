"""The channel as its newest configuration block has it: one value, replaced as a whole.

Whatever in the node depends on members, validators, policies or limits asks `CurrentChannel` at
the moment it needs them, so a committed configuration is in force everywhere at once (Fabric
calls the value a bundle).
"""

from collections.abc import Callable
from dataclasses import dataclass

from ledger.consensus.messages import SigningDomain
from ledger.crypto.certificates import parse_certificate
from ledger.crypto.channel_policies import ChannelPolicies
from ledger.crypto.hashing import block_hash
from ledger.crypto.msp import MspRegistry
from ledger.errors import NodeFault
from ledger.model.block import Block
from ledger.model.config import VALIDATORS_MIN, ChannelConfig
from ledger.model.config_codec import decode_config_block
from ledger.model.config_update import tree_of_block
from ledger.ordering.pool import BlockLimits
from ledger.ordering.validator_set import ValidatorSet, validator_set
from ledger.storage.ledger_store import LedgerStore
from ledger.validation.config_transaction import ConfigInForce


@dataclass(frozen=True, slots=True)
class ChannelState:
    """What one configuration block says, ready to be used."""

    config: ChannelConfig
    config_block: int
    """Number of the block that carries it; in force for the blocks after it."""
    registry: MspRegistry
    policies: ChannelPolicies
    validators: ValidatorSet
    block_limits: BlockLimits
    domain: SigningDomain
    """What binds consensus signatures to this ledger and this validator set."""
    tree_raw: bytes
    """common.Config bytes: what an update changes."""
    validators_min: int
    """Four, or fewer on a channel founded with fewer (for development)."""
    validator_keys: frozenset[bytes]
    """SubjectPublicKeyInfo of the key each validator signs with."""

    @property
    def in_force(self) -> ConfigInForce:
        """What the rules for updates ask for."""
        return ConfigInForce(
            tree_raw=self.tree_raw,
            channel=self.config,
            registry=self.registry,
            policies=self.policies,
            validators_min=self.validators_min,
            validator_keys=self.validator_keys,
        )


def channel_state(
    block: Block, *, genesis_hash: bytes, validators_min: int = VALIDATORS_MIN
) -> ChannelState:
    """The state after a configuration block; raises InvalidMessage when it has none."""
    config = decode_config_block(block)
    registry = MspRegistry(config)
    validators = validator_set(config)
    return ChannelState(
        config=config,
        config_block=block.number,
        registry=registry,
        policies=ChannelPolicies(config, registry),
        validators=validators,
        block_limits=BlockLimits(
            transactions_max=config.batch_limits.max_transactions,
            bytes_max=config.batch_limits.max_bytes,
            absolute_bytes_max=config.batch_limits.absolute_max_bytes,
        ),
        domain=SigningDomain(
            network_id=config.network_id,
            channel_id=config.channel_id,
            genesis_hash=genesis_hash,
            validator_set_hash=validators.set_hash,
        ),
        tree_raw=tree_of_block(block),
        validators_min=validators_min,
        validator_keys=frozenset(
            parse_certificate(one.identity_pem).public_key_der for one in config.consenters
        ),
    )


class CurrentChannel:
    """Holds the state in force. The consensus thread replaces it; any thread reads."""

    def __init__(self, state: ChannelState, read: Callable[[Block], ChannelState]) -> None:
        """`read` makes the state of a later configuration block."""
        self._state = state
        self._read = read
        self._listeners: list[Callable[[ChannelState], None]] = []

    @property
    def state(self) -> ChannelState:
        """For the block after the newest one; take it once where two facts must agree."""
        return self._state

    def consenter_by_tls_key(self, key: bytes) -> int | None:
        """Which consenter connects with this TLS key (SubjectPublicKeyInfo)."""
        for consenter in self._state.config.consenters:
            if parse_certificate(consenter.client_tls_cert).public_key_der == key:
                return consenter.consenter_id
        return None

    def address(self, consenter_id: int) -> tuple[str, str]:
        """(host:port, MSP id) of a consenter; empty texts for one that is none any more."""
        for consenter in self._state.config.consenters:
            if consenter.consenter_id == consenter_id:
                return f"{consenter.host}:{consenter.port}", consenter.mspid
        return "", ""

    def advance(self, block: Block) -> None:
        """A configuration block is durable: what it says is in force from now on."""
        self._state = self._read(block)
        for listener in self._listeners:
            listener(self._state)

    def subscribe(self, listener: Callable[[ChannelState], None]) -> None:
        """Hear of every new state, in the consensus thread, before the next height begins."""
        self._listeners.append(listener)


def open_channel(store: LedgerStore, genesis: Block) -> CurrentChannel:
    """The channel at the newest configuration block of a ledger; raises NodeFault without one."""
    number = store.last_config_number()
    block = store.block(number)
    if block is None:
        raise NodeFault(f"the ledger lacks its newest configuration block {number}")
    genesis_hash = block_hash(genesis.header)
    founders = len(decode_config_block(genesis).consenters)

    def read(later: Block) -> ChannelState:
        return channel_state(
            later, genesis_hash=genesis_hash, validators_min=min(VALIDATORS_MIN, founders)
        )

    return CurrentChannel(read(block), read)
