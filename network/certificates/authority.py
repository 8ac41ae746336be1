"""Certificate authorities of a member organisation: one for identities, one for connections.

Everything here is in memory; `network.founding.creation` puts it on disk. Certificates follow
Fabric's conventions: the role is the OU of the subject, attributes travel in Fabric's extension,
and every authority signature has low S (Fabric would otherwise rewrite the certificate).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ledger.crypto.certificates import (
    ATTRIBUTES_OID,
    encode_attributes,
    is_issued_by,
    load_authority,
    load_x509,
)
from ledger.crypto.signing import Signer, SigningIdentity, generate_key, is_low_s, private_key_pem
from ledger.errors import InvalidMessage, Reason
from ledger.model.config import MemberConfig
from ledger.model.policy import Role

AUTHORITY_LIFETIME_DAYS = 3650
CERTIFICATE_LIFETIME_DAYS = 825
REVOCATION_LIST_LIFETIME_DAYS = 3650
"""Lists take effect with the configuration block that carries them and are replaced, not aged."""
BACKDATE_MINUTES = 5
"""Certificates start this much early, so that clocks a little behind accept them at once."""
REQUEST_BYTES_MAX = 16 * 1024
LOW_S_TRIES_MAX = 64
"""Each try succeeds with probability one half."""
LOOPBACK_HOSTS = ("localhost", "127.0.0.1")

_SIGNATURES_ONLY = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
_USUAL_EXTENSIONS = (x509.BasicConstraints, x509.KeyUsage, x509.AuthorityKeyIdentifier)
_AUTHORITY_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, both PEM (PKCS#8 without a passphrase)."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)


class Authority:
    """One self-signed CA on P-256."""

    def __init__(self, pair: KeyPair) -> None:
        """Take up an authority from its certificate and key; they must belong together."""
        self._certificate = load_authority(pair.certificate_pem)
        self._key = _load_key(pair.key_pem)
        if self._certificate.public_key() != self._key.public_key():
            raise InvalidMessage(
                Reason.CERTIFICATE_INVALID, "the authority's key is not its certificate's"
            )
        self.pair = pair

    @classmethod
    def create(
        cls, common_name: str, organization: str, *, now: datetime, days: int
    ) -> "Authority":
        """A new authority, valid from `now` (aware) for that many days."""
        return cls.create_named(_name(common_name, organization), now=now, days=days)

    @classmethod
    def create_named(
        cls,
        name: x509.Name,
        *,
        now: datetime,
        days: int,
        extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
    ) -> "Authority":
        """A new authority under exactly that name; `extensions` beside the usual ones."""
        key = generate_key()
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = (
            _builder(name, name, key.public_key(), now=now, end=now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_AUTHORITY_USAGE, critical=True)
            .add_extension(identifier, critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return cls(KeyPair(_sign_low_s(builder, key), private_key_pem(key)))

    @property
    def certificate_pem(self) -> bytes:
        """The CA certificate."""
        return self.pair.certificate_pem

    @property
    def expires(self) -> datetime:
        """End of the CA certificate's validity; nothing it issues lives longer."""
        return self._certificate.not_valid_after_utc

    def issue(
        self,
        subject: x509.Name,
        public_key: ec.EllipticCurvePublicKey,
        extensions: Iterable[tuple[x509.ExtensionType, bool]],
        *,
        now: datetime,
        days: int,
    ) -> bytes:
        """A certificate in PEM; `extensions` are (extension, critical) beside the usual ones."""
        authority_key = self._key.public_key()
        end = min(now + timedelta(days=days), self.expires)
        builder = (
            _builder(subject, self._certificate.subject, public_key, now=now, end=end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_SIGNATURES_ONLY, critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key), critical=False
            )
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return _sign_low_s(builder, self._key)

    def renew(self, certificate: x509.Certificate, *, now: datetime, days: int) -> bytes:
        """The certificate anew (PEM): same subject, key and extensions of its own."""
        key = certificate.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise InvalidMessage(Reason.CERTIFICATE_INVALID, "the key is not elliptic")
        extensions = [
            (extension.value, extension.critical)
            for extension in certificate.extensions
            if not isinstance(extension.value, _USUAL_EXTENSIONS)
        ]
        return self.issue(certificate.subject, key, extensions, now=now, days=days)

    def revocation_list(self, serial_numbers: Iterable[int], *, now: datetime) -> bytes:
        """A list in PEM that names those certificates, ascending by serial number."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(now)
            .next_update(now + timedelta(days=REVOCATION_LIST_LIFETIME_DAYS))
        )
        for serial_number in sorted(set(serial_numbers)):
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(serial_number)
                .revocation_date(now)
                .build()
            )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True, slots=True)
class MemberAuthority:
    """Both authorities of a member organisation, and what it has revoked."""

    mspid: str
    organization: str
    enrolment: Authority
    tls: Authority
    certificate_days: int = CERTIFICATE_LIFETIME_DAYS

    @classmethod
    def create(
        cls,
        mspid: str,
        organization: str,
        *,
        now: datetime,
        certificate_days: int = CERTIFICATE_LIFETIME_DAYS,
        subject: str = "",
    ) -> "MemberAuthority":
        """New authorities; `now` is an aware time and comes from the caller's clock.

        `subject` (RFC 4514, e.g. `CN=ca.dso.example,O=DSO`) names the enrolment authority.
        """
        days = AUTHORITY_LIFETIME_DAYS
        name = distinguished_name(subject) if subject else _name(f"{mspid} CA", organization)
        return cls(
            mspid=mspid,
            organization=organization,
            enrolment=Authority.create_named(name, now=now, days=days),
            tls=Authority.create(f"{mspid} TLS CA", organization, now=now, days=days),
            certificate_days=certificate_days,
        )

    def issue_node(self, name: str, *, now: datetime) -> KeyPair:
        """Identity of a validator: endorses transactions (OU peer) and seals blocks."""
        return self.issue_user(User(name, Role.PEER), now=now)

    def issue_admin(self, name: str, *, now: datetime) -> KeyPair:
        """Identity that approves contracts and configuration for the member (OU admin)."""
        return self.issue_user(User(name, Role.ADMIN), now=now)

    def issue_client(
        self, name: str, attributes: Mapping[str, str] | None = None, *, now: datetime
    ) -> KeyPair:
        """Identity of a participant or application (OU client), such as `{"idgrid": ...}`."""
        return self.issue_user(User(name, attributes=attributes or {}), now=now)

    def issue_user(self, user: "User", *, now: datetime) -> KeyPair:
        """Identity of whoever the member vouches for, with a new key."""
        key = generate_key()
        return KeyPair(self.certify(user, key.public_key(), now=now), private_key_pem(key))

    def renew(self, certificate_pem: bytes, *, now: datetime) -> bytes:
        """The same subject, key and names with a new period, from the authority that issued it.

        Works for identities and for TLS certificates; raises InvalidMessage CERTIFICATE_INVALID
        for a certificate that neither authority of the member issued.
        """
        certificate = load_x509(certificate_pem)
        for authority in (self.enrolment, self.tls):
            if is_issued_by(certificate, load_authority(authority.certificate_pem)):
                return authority.renew(certificate, now=now, days=self.certificate_days)
        raise InvalidMessage(
            Reason.CERTIFICATE_INVALID,
            f"{certificate.subject.rfc4514_string()} was not issued by {self.mspid}",
        )

    def certify_request(
        self, request_pem: bytes, name: str, attributes: Mapping[str, str], *, now: datetime
    ) -> bytes:
        """Certificate for a client whose key never leaves its owner, from a signing request."""
        return self.certify_user(User(name, attributes=attributes), request_pem, now=now)

    def certify_user(self, user: "User", request_pem: bytes, *, now: datetime) -> bytes:
        """Certificate for a user whose key never leaves its owner, from a signing request.

        Only the key is taken from the request, and only if the request proves its possession;
        name, role and attributes are the caller's. Raises InvalidMessage.
        """
        return self.certify(user, _requested_key(request_pem), now=now)

    def issue_tls(
        self, name: str, hosts: Iterable[str] = LOOPBACK_HOSTS, *, now: datetime
    ) -> KeyPair:
        """Key pair for connections, as server and client, good for `name` and for `hosts`."""
        key = generate_key()
        names = x509.SubjectAlternativeName([host_name(h) for h in dict.fromkeys((name, *hosts))])
        usage = x509.ExtendedKeyUsage(
            [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        )
        certificate = self.tls.issue(
            _name(name, self.organization),
            key.public_key(),
            [(names, False), (usage, False)],
            now=now,
            days=self.certificate_days,
        )
        return KeyPair(certificate, private_key_pem(key))

    def revoke(
        self, certificates_pem: Iterable[bytes], *, now: datetime, earlier: bytes | None = None
    ) -> bytes:
        """A revocation list (PEM) with those certificates and everything in an `earlier` list."""
        serial_numbers = [
            x509.load_pem_x509_certificate(pem).serial_number for pem in certificates_pem
        ]
        if earlier is not None:
            serial_numbers += [
                revoked.serial_number for revoked in x509.load_pem_x509_crl(earlier)
            ]
        return self.enrolment.revocation_list(serial_numbers, now=now)

    def member_config(
        self,
        *,
        revocation_lists: tuple[bytes, ...] = (),
        orderer_endpoints: tuple[str, ...] = (),
        anchor_peers: tuple[tuple[str, int], ...] = (),
    ) -> MemberConfig:
        """How the channel configuration names this member."""
        return MemberConfig(
            mspid=self.mspid,
            root_certs=(self.enrolment.certificate_pem,),
            tls_root_certs=(self.tls.certificate_pem,),
            revocation_lists=revocation_lists,
            orderer_endpoints=orderer_endpoints,
            anchor_peers=anchor_peers,
        )

    def signing_identity(self, pair: KeyPair) -> SigningIdentity:
        """What signs as this member with an issued key pair."""
        return SigningIdentity(self.mspid, pair.certificate_pem, Signer(pair.key_pem))

    def certify(
        self, user: "User", public_key: ec.EllipticCurvePublicKey, *, now: datetime
    ) -> bytes:
        """Certificate for a user's key (PEM)."""
        extensions: list[tuple[x509.ExtensionType, bool]] = []
        if user.attributes:
            content = encode_attributes(user.attributes)
            extensions.append((x509.UnrecognizedExtension(ATTRIBUTES_OID, content), False))
        subject = user.subject_name(self.organization)
        return self.enrolment.issue(
            subject, public_key, extensions, now=now, days=self.certificate_days
        )


@dataclass(frozen=True, slots=True)
class User:
    """Somebody a member vouches for: a person, an application, a validator."""

    name: str
    """The subject's common name."""
    role: Role = Role.CLIENT
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What contracts may ask of the certificate, such as `{"idgrid": "CL-0007"}`."""
    subject: str = ""
    """What stands before role and name in the subject (RFC 4514); the organisation if empty."""

    def subject_name(self, organization: str) -> x509.Name:
        """The whole subject: where the user belongs, the role as OU, the name."""
        unit = self.role.name.lower()
        if not self.subject:
            return _name(self.name, organization, unit=unit)
        own = (
            x509.RelativeDistinguishedName([x509.NameAttribute(kind, value)])
            for kind, value in (
                (NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
                (NameOID.COMMON_NAME, self.name),
            )
        )
        return x509.Name([*distinguished_name(self.subject).rdns, *own])


def distinguished_name(text: str) -> x509.Name:
    """A name from RFC 4514 text, most specific part first; raises InvalidMessage MALFORMED."""
    try:
        return x509.Name.from_rfc4514_string(text)
    except ValueError as error:
        raise InvalidMessage(Reason.MALFORMED, f"{text!r} is no name: {error}") from None


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    *,
    now: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=BACKDATE_MINUTES))
        .not_valid_after(end)
    )


def _sign_low_s(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Sign until S is low: a certificate's own signature cannot be flipped by its library."""
    for _ in range(LOW_S_TRIES_MAX):
        certificate = builder.sign(key, hashes.SHA256())
        if is_low_s(certificate.signature):
            return certificate.public_bytes(serialization.Encoding.PEM)
    raise AssertionError(f"no low S in {LOW_S_TRIES_MAX} signatures")


def _name(common_name: str, organization: str, unit: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)]
    if unit is not None:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
    parts.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(parts)


def host_name(host: str) -> x509.GeneralName:
    """How a certificate names a host: as an address or as a name."""
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InvalidMessage(Reason.CERTIFICATE_INVALID, "the authority's key is not elliptic")
    return key


def _requested_key(request_pem: bytes) -> ec.EllipticCurvePublicKey:
    if len(request_pem) > REQUEST_BYTES_MAX:
        raise InvalidMessage(
            Reason.OVERSIZED, f"a request takes at most {REQUEST_BYTES_MAX} bytes"
        )
    try:
        request = x509.load_pem_x509_csr(request_pem)
        key = request.public_key()
        proven = request.is_signature_valid
    except ValueError as error:
        raise InvalidMessage(Reason.MALFORMED, f"not a signing request: {error}") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidMessage(Reason.CERTIFICATE_INVALID, "the requested key is not on P-256")
    if not proven:
        raise InvalidMessage(Reason.BAD_SIGNATURE, "the request is not signed by its own key")
    return key
