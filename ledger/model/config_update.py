"""Configuration transactions: CONFIG_UPDATE as clients sign it, CONFIG as validators order it.

A client sends a ConfigUpdate with the signatures that its changes need. The validator that gets it
computes the whole new configuration and wraps both, signed by itself, as a CONFIG transaction;
everybody who validates the block computes it again. Trees and updates travel through the rest of
the code as bytes; `tree` is always common.Config, `update` common.ConfigUpdate.
"""

from dataclasses import dataclass

from ledger.errors import InvalidMessage, Reason
from ledger.model.block import Block
from ledger.model.codec import decode_request, encode_request_payload
from ledger.model.codec_parsing import parse_message
from ledger.model.codes import HeaderType
from ledger.model.config import CONFIG_BYTES_MAX, CONFIG_SIGNATURES_MAX, ChannelConfig
from ledger.model.config_codec import decode_config
from ledger.model.config_codec_encode import encode_config
from ledger.model.config_difference import compute_update
from ledger.model.config_tree import CheckPolicy, apply_update
from ledger.model.transaction import Envelope
from ledger.wire import common_pb2


@dataclass(frozen=True, slots=True)
class UpdateSignature:
    """common.ConfigSignature: `signature` covers the header's bytes, then the update's."""

    header_raw: bytes
    signature: bytes

    @property
    def creator(self) -> bytes:
        """Who signed (SerializedIdentity bytes); raises InvalidMessage MALFORMED."""
        return parse_message(common_pb2.SignatureHeader, self.header_raw).creator

    def message(self, update_raw: bytes) -> bytes:
        """The bytes that are signed."""
        return self.header_raw + update_raw


@dataclass(frozen=True, slots=True)
class SignedUpdate:
    """common.ConfigUpdateEnvelope."""

    update_raw: bytes
    signatures: tuple[UpdateSignature, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigTransaction:
    """common.ConfigEnvelope: a configuration and the CONFIG_UPDATE envelope that led to it."""

    tree_raw: bytes
    last_update_raw: bytes


# -- trees and updates ----------------------------------------------------------------------------


def channel_of_tree(tree_raw: bytes, *, channel_id: str) -> ChannelConfig:
    """What a configuration tree says; raises InvalidMessage MALFORMED or OVERSIZED."""
    envelope = common_pb2.ConfigEnvelope(config=parse_message(common_pb2.Config, tree_raw))
    return decode_config(envelope.SerializeToString(), channel_id=channel_id)


def update_between(tree_raw: bytes, updated: ChannelConfig) -> bytes:
    """The update from a tree in force to a configuration; InvalidMessage CONFIG_UNCHANGED."""
    original = parse_message(common_pb2.Config, tree_raw)
    tree = common_pb2.ConfigEnvelope.FromString(encode_config(updated)).config
    update = compute_update(original, tree, channel_id=updated.channel_id)
    return update.SerializeToString(deterministic=True)


def updated_tree(
    tree_raw: bytes, update_raw: bytes, *, channel_id: str, check_policy: CheckPolicy
) -> bytes:
    """The tree after an update; see `ledger.model.config_tree.apply_update`."""
    result = apply_update(
        parse_message(common_pb2.Config, tree_raw),
        parse_message(common_pb2.ConfigUpdate, update_raw),
        channel_id=channel_id,
        check_policy=check_policy,
    )
    return _bytes(result)


def require_update(update_raw: bytes) -> None:
    """Raise InvalidMessage MALFORMED unless the bytes are an update."""
    parse_message(common_pb2.ConfigUpdate, update_raw)


# -- decoding -------------------------------------------------------------------------------------


def tree_of_block(block: Block) -> bytes:
    """The tree in a block with one CONFIG envelope; raises InvalidMessage."""
    if len(block.entries) != 1:
        raise _malformed(f"block {block.number} is not a configuration block")
    return decode_config_transaction(decode_request(block.entries[0])).tree_raw


def decode_config_transaction(envelope: Envelope) -> ConfigTransaction:
    """What a CONFIG envelope carries; raises InvalidMessage MALFORMED or OVERSIZED."""
    _require_type(envelope, HeaderType.CONFIG)
    wire = parse_message(common_pb2.ConfigEnvelope, envelope.data_raw)
    return ConfigTransaction(_bytes(wire.config), wire.last_update.SerializeToString())


def decode_update(envelope: Envelope) -> SignedUpdate:
    """What a CONFIG_UPDATE envelope carries; raises InvalidMessage MALFORMED or OVERSIZED."""
    _require_type(envelope, HeaderType.CONFIG_UPDATE)
    wire = parse_message(common_pb2.ConfigUpdateEnvelope, envelope.data_raw)
    if len(wire.signatures) > CONFIG_SIGNATURES_MAX:
        raise InvalidMessage(
            Reason.OVERSIZED,
            f"{len(wire.signatures)} signatures, at most {CONFIG_SIGNATURES_MAX} are looked at",
        )
    return SignedUpdate(
        wire.config_update,
        tuple(UpdateSignature(one.signature_header, one.signature) for one in wire.signatures),
    )


# -- encoding -------------------------------------------------------------------------------------


def encode_update_payload(
    signed: SignedUpdate, *, channel_id: str, creator: bytes, nonce: bytes, timestamp_ns: int
) -> bytes:
    """Payload of a CONFIG_UPDATE envelope, for its sender to sign."""
    wire = common_pb2.ConfigUpdateEnvelope(config_update=signed.update_raw)
    for one in signed.signatures:
        wire.signatures.add(signature_header=one.header_raw, signature=one.signature)
    return encode_request_payload(
        header_type=HeaderType.CONFIG_UPDATE,
        channel_id=channel_id,
        creator=creator,
        nonce=nonce,
        timestamp_ns=timestamp_ns,
        data=wire.SerializeToString(),
    )


def encode_config_payload(
    content: ConfigTransaction,
    *,
    channel_id: str,
    creator: bytes,
    nonce: bytes,
    tx_id: str,
    timestamp_ns: int,
) -> bytes:
    """Payload of a CONFIG envelope, for the validator that orders it to sign."""
    wire = common_pb2.ConfigEnvelope(
        config=parse_message(common_pb2.Config, content.tree_raw),
        last_update=parse_message(common_pb2.Envelope, content.last_update_raw),
    )
    return encode_request_payload(
        header_type=HeaderType.CONFIG,
        channel_id=channel_id,
        creator=creator,
        nonce=nonce,
        timestamp_ns=timestamp_ns,
        data=wire.SerializeToString(deterministic=True),
        tx_id=tx_id,
    )


def _require_type(envelope: Envelope, expected: HeaderType) -> None:
    if len(envelope.raw) > CONFIG_BYTES_MAX:
        raise InvalidMessage(
            Reason.OVERSIZED, f"a configuration takes at most {CONFIG_BYTES_MAX} bytes"
        )
    found = envelope.header.channel.type
    if found != expected:
        raise _malformed(f"an envelope of type {found} is no {expected.name}")


def _bytes(config: common_pb2.Config) -> bytes:
    return config.SerializeToString(deterministic=True)


def _malformed(detail: str) -> InvalidMessage:
    return InvalidMessage(Reason.MALFORMED, detail)
