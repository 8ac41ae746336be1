"""Configuration updates as admins make them: computed, signed, and wrapped by a validator."""

from collections.abc import Iterable
from dataclasses import replace

from ledger.crypto.hashing import transaction_id
from ledger.crypto.signing import SigningIdentity
from ledger.model.codec import encode_envelope
from ledger.model.codec_header import encode_signature_header
from ledger.model.config import ChannelConfig
from ledger.model.config_codec_encode import encode_config
from ledger.model.config_difference import compute_update
from ledger.model.config_update import (
    ConfigTransaction,
    SignedUpdate,
    UpdateSignature,
    encode_config_payload,
    encode_update_payload,
)
from ledger.wire import common_pb2

NONCE = b"c" * 24
TIME_NS = 1_767_225_601_000_000_000


def tree_of_config(config: ChannelConfig) -> common_pb2.Config:
    return common_pb2.ConfigEnvelope.FromString(encode_config(config)).config


def sign_update(
    update: common_pb2.ConfigUpdate, signers: Iterable[SigningIdentity]
) -> SignedUpdate:
    """The update with the signatures of these admins."""
    raw = update.SerializeToString(deterministic=True)
    signatures = []
    for signer in signers:
        unsigned = UpdateSignature(encode_signature_header(signer.serialized, NONCE), b"")
        signatures.append(replace(unsigned, signature=signer.sign(unsigned.message(raw))))
    return SignedUpdate(raw, tuple(signatures))


def update_envelope(
    original: common_pb2.Config,
    updated: ChannelConfig,
    signers: Iterable[SigningIdentity],
    *,
    sender: SigningIdentity,
    channel_id: str | None = None,
) -> bytes:
    """A CONFIG_UPDATE envelope that leads from the tree in force to `updated`."""
    channel = updated.channel_id if channel_id is None else channel_id
    update = compute_update(original, tree_of_config(updated), channel_id=channel)
    return signed_envelope(sign_update(update, signers), sender=sender, channel_id=channel)


def signed_envelope(update: SignedUpdate, *, sender: SigningIdentity, channel_id: str) -> bytes:
    payload = encode_update_payload(
        update,
        channel_id=channel_id,
        creator=sender.serialized,
        nonce=NONCE,
        timestamp_ns=TIME_NS,
    )
    return encode_envelope(payload, sender.sign(payload))


def config_transaction(
    tree: common_pb2.Config,
    update_raw: bytes,
    validator: SigningIdentity,
    *,
    channel_id: str,
    nonce: bytes = NONCE,
) -> bytes:
    """The CONFIG envelope with which a validator orders an update."""
    payload = encode_config_payload(
        ConfigTransaction(tree.SerializeToString(deterministic=True), update_raw),
        channel_id=channel_id,
        creator=validator.serialized,
        nonce=nonce,
        tx_id=transaction_id(nonce, validator.serialized),
        timestamp_ns=TIME_NS,
    )
    return encode_envelope(payload, validator.sign(payload))
