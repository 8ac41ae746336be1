"""Configuration transactions: CONFIG_UPDATE as clients sign it, CONFIG as validators order it.

A client sends a ConfigUpdate with the signatures that its changes need. The validator that gets it
computes the whole new configuration and wraps both, signed by itself, as a CONFIG transaction;
everybody who validates the block computes it again.
"""

from ledger.errors import InvalidMessage, Reason
from ledger.model.block import Block
from ledger.model.codec import decode_request, encode_request_payload
from ledger.model.codec_parsing import parse_message
from ledger.model.codes import HeaderType
from ledger.model.config import CONFIG_BYTES_MAX, CONFIG_SIGNATURES_MAX
from ledger.model.transaction import Envelope
from ledger.wire import common_pb2


def config_of_block(block: Block) -> common_pb2.Config:
    """The configuration tree in a block with one CONFIG envelope; raises InvalidMessage."""
    if len(block.entries) != 1:
        raise _malformed(f"block {block.number} is not a configuration block")
    return decode_config_transaction(decode_request(block.entries[0])).config


def decode_config_transaction(envelope: Envelope) -> common_pb2.ConfigEnvelope:
    """What a CONFIG envelope carries; raises InvalidMessage MALFORMED or OVERSIZED."""
    _require_type(envelope, HeaderType.CONFIG)
    return parse_message(common_pb2.ConfigEnvelope, envelope.data_raw)


def decode_update(envelope: Envelope) -> common_pb2.ConfigUpdateEnvelope:
    """What a CONFIG_UPDATE envelope carries; raises InvalidMessage MALFORMED or OVERSIZED."""
    _require_type(envelope, HeaderType.CONFIG_UPDATE)
    update = parse_message(common_pb2.ConfigUpdateEnvelope, envelope.data_raw)
    if len(update.signatures) > CONFIG_SIGNATURES_MAX:
        raise InvalidMessage(
            Reason.OVERSIZED,
            f"{len(update.signatures)} signatures, at most {CONFIG_SIGNATURES_MAX} are looked at",
        )
    return update


def config_signature_message(signature_header: bytes, config_update: bytes) -> bytes:
    """What an admin signs: its SignatureHeader bytes, then the ConfigUpdate bytes."""
    return signature_header + config_update


def encode_update_payload(
    update: common_pb2.ConfigUpdateEnvelope,
    *,
    channel_id: str,
    creator: bytes,
    nonce: bytes,
    timestamp_ns: int,
) -> bytes:
    """Payload of a CONFIG_UPDATE envelope, for its sender to sign."""
    return encode_request_payload(
        header_type=HeaderType.CONFIG_UPDATE,
        channel_id=channel_id,
        creator=creator,
        nonce=nonce,
        timestamp_ns=timestamp_ns,
        data=update.SerializeToString(),
    )


def encode_config_payload(
    config: common_pb2.Config,
    last_update_raw: bytes,
    *,
    channel_id: str,
    creator: bytes,
    nonce: bytes,
    tx_id: str,
    timestamp_ns: int,
) -> bytes:
    """Payload of a CONFIG envelope, for the validator that orders it to sign.

    `last_update_raw` are the CONFIG_UPDATE envelope's bytes.
    """
    data = common_pb2.ConfigEnvelope(
        config=config, last_update=parse_message(common_pb2.Envelope, last_update_raw)
    )
    return encode_request_payload(
        header_type=HeaderType.CONFIG,
        channel_id=channel_id,
        creator=creator,
        nonce=nonce,
        timestamp_ns=timestamp_ns,
        data=data.SerializeToString(deterministic=True),
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


def _malformed(detail: str) -> InvalidMessage:
    return InvalidMessage(Reason.MALFORMED, detail)
