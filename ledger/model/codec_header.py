"""Headers of proposals and envelopes, and identities as they travel."""

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.errors import TransactionInvalid
from ledger.model.codec_parsing import NANOSECONDS_PER_SECOND, parse_message, parse_part
from ledger.model.codes import HeaderType, ValidationCode
from ledger.model.transaction import ChannelHeader, Header
from ledger.wire import common_pb2, msp_pb2, protos_pb2

NONCE_BYTES = 24
"""Random bytes, never used before, that a client puts beside its identity in every request."""

_BAD_COMMON_HEADER = ValidationCode.BAD_COMMON_HEADER


def encode_identity(mspid: str, certificate_pem: bytes) -> bytes:
    """SerializedIdentity bytes: member id and certificate in PEM."""
    return msp_pb2.SerializedIdentity(mspid=mspid, id_bytes=certificate_pem).SerializeToString()


def decode_identity(raw: bytes) -> tuple[str, bytes]:
    """(member id, certificate PEM), neither checked; raises InvalidMessage MALFORMED."""
    identity = parse_message(msp_pb2.SerializedIdentity, raw)
    return identity.mspid, identity.id_bytes


def decode_header(channel_header_raw: bytes, signature_header_raw: bytes) -> Header:
    """Both headers; creator and nonce may be empty here (`require_signer` refuses that).

    Raises TransactionInvalid BAD_CHANNEL_HEADER, BAD_COMMON_HEADER or BAD_HEADER_EXTENSION.
    """
    channel = parse_part(
        common_pb2.ChannelHeader, channel_header_raw, ValidationCode.BAD_CHANNEL_HEADER
    )
    signer = parse_part(common_pb2.SignatureHeader, signature_header_raw, _BAD_COMMON_HEADER)
    timestamp = channel.timestamp
    header_type = channel.type
    return Header(
        channel=ChannelHeader(
            type=header_type,
            version=channel.version,
            timestamp_ns=timestamp.seconds * NANOSECONDS_PER_SECOND + timestamp.nanos,
            channel_id=channel.channel_id,
            tx_id=channel.tx_id,
            epoch=channel.epoch,
            chaincode_name=_chaincode_name(header_type, channel.extension),
            tls_cert_hash=channel.tls_cert_hash,
        ),
        creator=signer.creator,
        nonce=signer.nonce,
        channel_header_raw=channel_header_raw,
        signature_header_raw=signature_header_raw,
    )


def _chaincode_name(header_type: int, extension_raw: bytes) -> str:
    """Chaincode the transaction is for; other types have no such extension."""
    if header_type != HeaderType.ENDORSER_TRANSACTION:
        return ""
    extension = parse_part(
        protos_pb2.ChaincodeHeaderExtension, extension_raw, ValidationCode.BAD_HEADER_EXTENSION
    )
    return extension.chaincode_id.name


def require_signer(header: Header) -> None:
    """A transaction names its creator, a nonce and epoch 0, else BAD_COMMON_HEADER."""
    if header.channel.epoch != 0:
        raise TransactionInvalid(_BAD_COMMON_HEADER, "the epoch is not 0")
    if not header.creator:
        raise TransactionInvalid(_BAD_COMMON_HEADER, "the header names no creator")
    if not header.nonce:
        raise TransactionInvalid(_BAD_COMMON_HEADER, "the header has no nonce")


def encode_channel_header(
    *,
    header_type: HeaderType,
    channel_id: str,
    timestamp_ns: int,
    tx_id: str = "",
    extension: bytes = b"",
    tls_cert_hash: bytes = b"",
) -> bytes:
    """ChannelHeader bytes; `extension` is a ChaincodeHeaderExtension for proposals."""
    seconds, nanos = divmod(timestamp_ns, NANOSECONDS_PER_SECOND)
    return common_pb2.ChannelHeader(
        type=header_type,
        timestamp=Timestamp(seconds=seconds, nanos=nanos),
        channel_id=channel_id,
        tx_id=tx_id,
        extension=extension,
        tls_cert_hash=tls_cert_hash,
    ).SerializeToString()


def encode_signature_header(creator: bytes, nonce: bytes) -> bytes:
    """SignatureHeader bytes: SerializedIdentity and nonce."""
    return common_pb2.SignatureHeader(creator=creator, nonce=nonce).SerializeToString()
