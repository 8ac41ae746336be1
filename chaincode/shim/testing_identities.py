"""Keys and certificates for `chaincode.shim.testing`: self-signed, but of Fabric's form."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chaincode.shim.client_identity import ATTRIBUTES_OID
from chaincode.shim.crypto import P256_ORDER
from ledger.wire.msp_pb2 import SerializedIdentity

VALIDITY = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class TestIdentity:
    """A certificate, its key and the SerializedIdentity bytes a transaction carries."""

    __test__ = False  # not a test case, whatever its name says to pytest

    mspid: str
    name: str
    creator: bytes
    certificate_pem: bytes
    private_key: EllipticCurvePrivateKey

    @property
    def public_key(self) -> bytes:
        """Uncompressed P-256 point."""
        key = self.private_key.public_key()
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(self, message: bytes) -> bytes:
        """DER signature over SHA-256 of the message, low S."""
        r, s = decode_dss_signature(self.private_key.sign(message, ECDSA(SHA256())))
        return encode_dss_signature(r, min(s, P256_ORDER - s))


def make_identity(mspid: str, name: str, attributes: Mapping[str, str], role: str) -> TestIdentity:
    """A fresh identity; `role` becomes the subject's organisational unit."""
    key = generate_private_key(SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, role),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, name),
        ]
    )
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"ca.{mspid}")])
    begin = datetime(2025, 1, 1, tzinfo=UTC)
    document = json.dumps({"attrs": dict(attributes)}).encode()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + VALIDITY)
        .add_extension(x509.UnrecognizedExtension(ATTRIBUTES_OID, document), critical=False)
        .sign(key, SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    creator = SerializedIdentity(mspid=mspid, id_bytes=pem).SerializeToString()
    return TestIdentity(mspid, name, creator, pem, key)
