"""Who seals blocks, read from the channel configuration in a block."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.audit.wire_fields import BrokenBytes, Fields, read_fields

CONFIG_TRANSACTION = 1
_SET_MARK = b"gridledger-validator-set-1"


@dataclass(frozen=True, slots=True)
class Consenters:
    """A validator set: consenter id → PEM certificate, and the hash blocks name it by."""

    certificates: Mapping[int, bytes]
    set_hash: bytes

    @property
    def needed_seals(self) -> int:
        """Two thirds, rounded up: all but a third, rounded down."""
        return len(self.certificates) - len(self.certificates) // 3


def is_configuration(envelope_raw: bytes) -> bool:
    """Whether an entry of a block changes the channel's configuration."""
    try:
        header = read_fields(envelope_raw).message(1, 1)
        return read_fields(header.content(1)).number(1) == CONFIG_TRANSACTION
    except BrokenBytes:
        return False


def consenters_of(envelope_raw: bytes) -> Consenters:
    """The set that a configuration names; raises BrokenBytes when it names none."""
    data = read_fields(envelope_raw).message(1).content(2)
    channel = read_fields(data).message(1, 2)
    orderer = read_fields(channel.entry(2, "Orderer"))
    value = read_fields(orderer.entry(3, "Orderers"))
    found = {}
    for raw in read_fields(value.content(2)).contents(1):
        consenter = read_fields(raw)
        found[consenter.number(1)] = consenter
    if not found:
        raise BrokenBytes("the configuration names no consenters")
    ordered = dict(sorted(found.items()))
    try:
        set_hash = _set_hash(ordered)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BrokenBytes(f"a consenter's certificate cannot be read: {error}") from error
    return Consenters(
        certificates={number: fields.content(5) for number, fields in ordered.items()},
        set_hash=set_hash,
    )


def _set_hash(consenters: Mapping[int, Fields]) -> bytes:
    """SHA-256 over mark, count and, ascending, id, member and public key of each."""
    digest = hashlib.sha256(_SET_MARK + len(consenters).to_bytes(4, "big"))
    for number, fields in consenters.items():
        key = x509.load_pem_x509_certificate(fields.content(5)).public_key()
        key_der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        digest.update(number.to_bytes(4, "big"))
        for part in (fields.content(4), key_der):
            digest.update(len(part).to_bytes(4, "big") + part)
    return digest.digest()
