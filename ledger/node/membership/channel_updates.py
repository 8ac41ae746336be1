"""From a client's CONFIG_UPDATE to the CONFIG transaction that this validator orders.

What the update leads to is computed here under the configuration in force, so a client hears at
once why it would not do; every validator computes it again when the block is validated.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from ledger.crypto.hashing import transaction_id
from ledger.crypto.signing import SigningIdentity
from ledger.model.codec import decode_request, encode_envelope
from ledger.model.codec_header import NONCE_BYTES
from ledger.model.codes import HeaderType
from ledger.model.config import WRITERS_POLICY, ChannelConfig
from ledger.model.config_update import ConfigTransaction, encode_config_payload
from ledger.model.transaction import Envelope
from ledger.node.membership.channel import CurrentChannel
from ledger.node.membership.signatures import SignaturesAt, SignatureVerifier
from ledger.validation.config_transaction import NextConfig, next_config

NANOSECONDS_PER_MS = 1_000_000

CheckReadiness = Callable[[ChannelConfig, ChannelConfig], None]
"""(old, new): raises InvalidMessage when the validators that can be reached would not do."""


@dataclass(frozen=True, slots=True)
class UpdatePorts:
    """What wrapping an update needs of the node."""

    identity: Callable[[], SigningIdentity]
    """This validator's; it signs what it orders."""
    clock_ms: Callable[[], int]
    random_bytes: Callable[[int], bytes]
    require_validator: Callable[[], None]
    """Raises GatewayError on a node that only follows: who is ready does not show there."""
    check_readiness: CheckReadiness
    executor: Executor
    """For work that must not hold up the event loop."""
    submit: Callable[[bytes], Awaitable[None]]
    """Hands an envelope to ordering; returns when a quorum of validators holds it."""


class ChannelUpdates:
    """Judges and wraps configuration updates."""

    def __init__(
        self, channel: CurrentChannel, signatures: SignatureVerifier, ports: UpdatePorts
    ) -> None:
        self._channel = channel
        self._signatures = signatures
        self._ports = ports

    async def submit(self, envelope_raw: bytes) -> None:
        """Order a CONFIG envelope for a CONFIG_UPDATE, and anything else as it came.

        Raises InvalidMessage: see `ledger.validation.config_transaction`, VALIDATOR_NOT_READY and
        QUORUM_AT_RISK; GatewayError on a node that only follows; and whatever ordering raises.
        """
        envelope = decode_request(envelope_raw)
        if envelope.header.channel.type == HeaderType.CONFIG_UPDATE:
            envelope_raw = await self._transaction(envelope)
        await self._ports.submit(envelope_raw)

    async def _transaction(self, update: Envelope) -> bytes:
        self._ports.require_validator()
        loop = asyncio.get_running_loop()
        following = await loop.run_in_executor(self._ports.executor, self._judge, update)
        self._ports.check_readiness(self._channel.state.config, following.channel)
        return self._wrap(update, following)

    def _judge(self, update: Envelope) -> NextConfig:
        state = self._channel.state
        sender = state.registry.identity(update.header.creator)
        sender.check_validity(self._ports.clock_ms())
        state.policies.require_path(WRITERS_POLICY, [sender])
        self._signatures.check(update.header.creator, update.payload_raw, update.signature)
        now = SignaturesAt(self._signatures, state.registry, self._ports.clock_ms())
        return next_config(update, state.in_force, now)

    def _wrap(self, update: Envelope, following: NextConfig) -> bytes:
        identity = self._ports.identity()
        nonce = self._ports.random_bytes(NONCE_BYTES)
        payload = encode_config_payload(
            ConfigTransaction(following.tree_raw, update.raw),
            channel_id=following.channel.channel_id,
            creator=identity.serialized,
            nonce=nonce,
            tx_id=transaction_id(nonce, identity.serialized),
            timestamp_ns=self._ports.clock_ms() * NANOSECONDS_PER_MS,
        )
        return encode_envelope(payload, identity.sign(payload))
