"""Every hash and every signed concatenation of the ledger, by name.

The rules are Fabric's. Three messages are signed over concatenations in three different orders
(`proposal_hash`, `endorsement_message`, `block_signature_message`); all take the bytes as
received, because encoding a parsed message again may not give the same bytes.
"""

import hashlib
from collections.abc import Iterable

from ledger.model.block import BlockHeader

HASH_BYTES = 32

_DER_INTEGER = 0x02
_DER_OCTET_STRING = 0x04
_DER_SEQUENCE = 0x30
_DER_SHORT_LENGTH_MAX = 0x7F


def sha256(data: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(data).digest()


def expand(data: bytes, length_bytes: int) -> bytes:
    """SHAKE256: as many pseudo-random bytes as asked for, fixed by `data`."""
    return hashlib.shake_256(data).digest(length_bytes)


def transaction_id(nonce: bytes, creator: bytes) -> str:
    """Id of the transaction a client starts: hex of SHA-256(nonce || SerializedIdentity)."""
    return hashlib.sha256(nonce + creator).hexdigest()


def proposal_hash(
    channel_header_raw: bytes, signature_header_raw: bytes, proposal_payload_raw: bytes
) -> bytes:
    """What binds an endorsement to a proposal, 32 bytes.

    `proposal_payload_raw` is the ChaincodeProposalPayload without transient data
    (`ledger.model.codec_proposal.strip_transient`), so that the transaction can be checked
    by peers which never saw that data.
    """
    return hashlib.sha256(
        channel_header_raw + signature_header_raw + proposal_payload_raw
    ).digest()


def endorsement_message(proposal_response_payload_raw: bytes, endorser: bytes) -> bytes:
    """What an endorser signs: the result, then its own SerializedIdentity."""
    return proposal_response_payload_raw + endorser


def block_signature_message(
    value_raw: bytes, identifier_header_raw: bytes, header: BlockHeader
) -> bytes:
    """What a consenter signs, and thus our commit seal.

    `value_raw` is the OrdererBlockMetadata. Raft-ordered blocks put the SignatureHeader where
    BFT-ordered ones put the IdentifierHeader.
    """
    return value_raw + identifier_header_raw + block_header_der(header)


def block_header_der(header: BlockHeader) -> bytes:
    """DER SEQUENCE of INTEGER number, OCTET STRING previous_hash, OCTET STRING data_hash."""
    # One bit more than the number needs: DER integers are signed.
    number = header.number.to_bytes(header.number.bit_length() // 8 + 1, "big")
    return _der(
        _DER_SEQUENCE,
        _der(_DER_INTEGER, number)
        + _der(_DER_OCTET_STRING, header.previous_hash)
        + _der(_DER_OCTET_STRING, header.data_hash),
    )


def block_hash(header: BlockHeader) -> bytes:
    """SHA-256 of the header in DER; the next block's `previous_hash`."""
    return hashlib.sha256(block_header_der(header)).digest()


def block_data_hash(entries: Iterable[bytes]) -> bytes:
    """SHA-256 of the entries one after another (Fabric's blocks hold no Merkle tree)."""
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(entry)
    return digest.digest()


def _der(tag: int, content: bytes) -> bytes:
    """One DER element: tag, length, content."""
    length = len(content)
    if length <= _DER_SHORT_LENGTH_MAX:
        return bytes((tag, length)) + content
    length_bytes = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length_bytes))) + length_bytes + content
