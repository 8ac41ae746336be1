"""Whether a configuration update may take effect, and what it leads to.

The same function answers the validator that wraps an update and everyone who validates the block:
versions, signatures under each element's policy, then our own rules over old and new.
"""

from dataclasses import dataclass

from ledger.crypto.channel_policies import ChannelPolicies
from ledger.crypto.config_rules import check_successor
from ledger.crypto.msp import Identity, MspRegistry
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec import decode_request
from ledger.model.config import ChannelConfig
from ledger.model.config_update import (
    SignedUpdate,
    channel_of_tree,
    decode_config_transaction,
    decode_update,
    updated_tree,
)
from ledger.model.transaction import Envelope
from ledger.validation.context import SignatureChecker


@dataclass(frozen=True, slots=True)
class ConfigInForce:
    """The configuration that an update changes."""

    tree_raw: bytes
    """common.Config bytes."""
    channel: ChannelConfig
    registry: MspRegistry
    policies: ChannelPolicies
    validators_min: int
    """Four, or fewer on a channel founded with fewer."""
    validator_keys: frozenset[bytes]
    """SubjectPublicKeyInfo of every validator."""


@dataclass(frozen=True, slots=True)
class NextConfig:
    """The result of an update."""

    tree_raw: bytes
    """common.Config bytes."""
    channel: ChannelConfig


def next_config(
    update: Envelope, current: ConfigInForce, signatures: SignatureChecker
) -> NextConfig:
    """The configuration after a CONFIG_UPDATE envelope; raises InvalidMessage.

    Reasons: those of `apply_update` and of `check_successor`.
    """
    channel_id = current.channel.channel_id
    if update.header.channel.channel_id != channel_id:
        raise InvalidMessage(
            Reason.WRONG_CHANNEL, f"no channel {update.header.channel.channel_id!r} here"
        )
    signed = decode_update(update)
    signers = update_signers(signed, current.registry, signatures)
    tree_raw = updated_tree(
        current.tree_raw,
        signed.update_raw,
        channel_id=channel_id,
        check_policy=lambda path: current.policies.require_path(path, signers),
    )
    channel = channel_of_tree(tree_raw, channel_id=channel_id)
    check_successor(current.channel, channel, validators_min=current.validators_min)
    return NextConfig(tree_raw, channel)


def check_config_transaction(
    envelope: Envelope, current: ConfigInForce, signatures: SignatureChecker
) -> None:
    """Raise InvalidMessage unless a CONFIG envelope is exactly what its update leads to now.

    Its creator must be a validator, by key. Reasons: ROLE_NOT_ALLOWED, CONFIG_MISMATCH, and those
    of `next_config`.
    """
    creator = current.registry.identity(envelope.header.creator)
    if creator.public_key_der not in current.validator_keys:
        raise InvalidMessage(
            Reason.ROLE_NOT_ALLOWED, f"{creator.subject} is no validator of the channel"
        )
    carried = decode_config_transaction(envelope)
    update = decode_request(carried.last_update_raw)
    if next_config(update, current, signatures).tree_raw != carried.tree_raw:
        raise InvalidMessage(
            Reason.CONFIG_MISMATCH,
            "ConfigEnvelope LastUpdate did not produce the supplied config result",
        )


def update_signers(
    update: SignedUpdate, registry: MspRegistry, signatures: SignatureChecker
) -> list[Identity]:
    """Members whose signature on the update is good; a bad one counts as absent."""
    signers = []
    for one in update.signatures:
        try:
            if signatures.verify(one.creator, one.message(update.update_raw), one.signature):
                signers.append(registry.identity(one.creator))
        except InvalidMessage:
            continue  # a stranger's signature neither helps nor harms
    return signers
