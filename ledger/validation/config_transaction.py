"""Whether a configuration update may take effect, and what it leads to.

The same function answers the validator that wraps an update and everyone who validates the block:
versions, signatures under each element's policy, then our own rules over old and new.
"""

from dataclasses import dataclass

from ledger.crypto.certificates import parse_certificate
from ledger.crypto.channel_policies import ChannelPolicies
from ledger.crypto.config_rules import check_successor
from ledger.crypto.msp import Identity, MspRegistry
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec import decode_request
from ledger.model.codec_parsing import parse_message
from ledger.model.config import ChannelConfig
from ledger.model.config_codec import decode_config
from ledger.model.config_tree import apply_update
from ledger.model.config_update import (
    config_signature_message,
    decode_config_transaction,
    decode_update,
)
from ledger.model.transaction import Envelope
from ledger.validation.context import SignatureChecker
from ledger.wire import common_pb2


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

    def validator_keys(self) -> frozenset[bytes]:
        """SubjectPublicKeyInfo of every validator."""
        return frozenset(
            parse_certificate(one.identity_pem).public_key_der for one in self.channel.consenters
        )


@dataclass(frozen=True, slots=True)
class NextConfig:
    """The result of an update."""

    tree: common_pb2.Config
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
    tree = apply_update(
        parse_message(common_pb2.Config, current.tree_raw),
        parse_message(common_pb2.ConfigUpdate, signed.config_update),
        channel_id=channel_id,
        check_policy=lambda path: current.policies.require_path(path, signers),
    )
    raw = common_pb2.ConfigEnvelope(config=tree).SerializeToString()
    channel = decode_config(raw, channel_id=channel_id)
    check_successor(current.channel, channel, validators_min=current.validators_min)
    return NextConfig(tree, channel)


def check_config_transaction(
    envelope: Envelope, current: ConfigInForce, signatures: SignatureChecker
) -> None:
    """Raise InvalidMessage unless a CONFIG envelope is exactly what its update leads to now.

    Its creator must be a validator, by key. Reasons: ROLE_NOT_ALLOWED, CONFIG_MISMATCH, and those
    of `next_config`.
    """
    creator = current.registry.identity(envelope.header.creator)
    if creator.public_key_der not in current.validator_keys():
        raise InvalidMessage(
            Reason.ROLE_NOT_ALLOWED, f"{creator.subject} is no validator of the channel"
        )
    carried = decode_config_transaction(envelope)
    update = decode_request(carried.last_update.SerializeToString())
    expected = next_config(update, current, signatures).tree
    if _bytes(expected) != _bytes(carried.config):
        raise InvalidMessage(
            Reason.CONFIG_MISMATCH,
            "ConfigEnvelope LastUpdate did not produce the supplied config result",
        )


def update_signers(
    update: common_pb2.ConfigUpdateEnvelope, registry: MspRegistry, signatures: SignatureChecker
) -> list[Identity]:
    """Members whose signature on the update is good; a bad one counts as absent."""
    signers = []
    for item in update.signatures:
        try:
            header = parse_message(common_pb2.SignatureHeader, item.signature_header)
            message = config_signature_message(item.signature_header, update.config_update)
            if signatures.verify(header.creator, message, item.signature):
                signers.append(registry.identity(header.creator))
        except InvalidMessage:
            continue  # a stranger's signature neither helps nor harms
    return signers


def _bytes(config: common_pb2.Config) -> bytes:
    return config.SerializeToString(deterministic=True)
