"""Who sent the transaction: member, certificate, role and attributes.

Fabric's certificate authority puts attributes into X.509 extension 1.2.3.4.5.6.7.8.1 as JSON
`{"attrs": {"name": "value"}}`; roles are organisational units of the subject (NodeOUs). The
peer has checked chain and signature before any contract runs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chaincode.shim.errors import STATUS_FORBIDDEN, ContractError
from ledger.wire.msp_pb2 import SerializedIdentity

ATTRIBUTES_OID = x509.ObjectIdentifier("1.2.3.4.5.6.7.8.1")
ROLES = ("client", "peer", "admin", "orderer")
CACHED_IDENTITIES_MAX = 4096


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """The transaction's creator.

    `role` is one of `ROLES`, or "" when the certificate names none. `public_key` is the
    uncompressed P-256 point (65 bytes), empty for other key types.
    """

    mspid: str
    id: str
    """Fabric's form: x509::subject::issuer, stable for a certificate's holder."""
    role: str
    attributes: Mapping[str, str]
    certificate_pem: bytes
    public_key: bytes
    units: tuple[str, ...] = ()
    """Organisational units of the subject, in its order."""

    def get_mspid(self) -> str:
        """The member organisation."""
        return self.mspid

    get_msp_id = get_mspid

    def get_id(self) -> str:
        """Subject and issuer of the certificate."""
        return self.id

    def get_id_bytes(self) -> bytes:
        """The certificate, PEM."""
        return self.certificate_pem

    def get_x509_certificate(self) -> x509.Certificate:
        """The certificate, parsed."""
        return x509.load_pem_x509_certificate(self.certificate_pem)

    def has_ou_value(self, unit: str) -> bool:
        """Whether the subject names this organisational unit."""
        return unit in self.units

    def get_attribute_value(self, name: str) -> str | None:
        """The attribute, None if the certificate has none of that name."""
        return self.attributes.get(name)

    get_attribute = get_attribute_value

    def assert_attribute_value(self, name: str, value: str) -> bool:
        """Whether the attribute is present and equal (Fabric's name; see `require_attribute`)."""
        return self.attributes.get(name) == value

    def require_attribute(self, name: str, value: str | None = None) -> str:
        """The attribute's value; ContractError FORBIDDEN if absent or other than `value`."""
        found = self.attributes.get(name)
        if found is None or (value is not None and found != value):
            wanted = name if value is None else f"{name}={value}"
            raise ContractError(
                "FORBIDDEN", f"the client's certificate lacks {wanted}", STATUS_FORBIDDEN
            )
        return found


@lru_cache(maxsize=CACHED_IDENTITIES_MAX)
def client_identity(creator: bytes) -> ClientIdentity:
    """The identity in SerializedIdentity bytes; a pure function, so caching is invisible."""
    serialized = SerializedIdentity.FromString(creator)
    try:
        certificate = x509.load_pem_x509_certificate(serialized.id_bytes)
    except ValueError as error:
        raise ContractError("BAD_IDENTITY", "the creator carries no X.509 certificate") from error
    subject = certificate.subject
    units = subject.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)
    names = tuple(str(unit.value) for unit in units)
    return ClientIdentity(
        mspid=serialized.mspid,
        id=f"x509::{subject.rfc4514_string()}::{certificate.issuer.rfc4514_string()}",
        role=next((role for role in ROLES if role in names), ""),
        attributes=_attributes(certificate),
        certificate_pem=serialized.id_bytes,
        public_key=_public_point(certificate),
        units=names,
    )


def _attributes(certificate: x509.Certificate) -> dict[str, str]:
    try:
        extension = certificate.extensions.get_extension_for_oid(ATTRIBUTES_OID).value
    except x509.ExtensionNotFound:
        return {}
    if not isinstance(extension, x509.UnrecognizedExtension):
        return {}
    try:
        document = json.loads(extension.value)
        return {str(name): str(value) for name, value in document["attrs"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContractError(
            "BAD_IDENTITY", "the certificate's attributes are not {'attrs': {…}}"
        ) from error


def _public_point(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key()
    if not isinstance(key, EllipticCurvePublicKey):
        return b""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
