"""Who is this? Members' rules for their certificates, as Fabric's MSP has them.

A certificate counts when a member's authority issued it (directly or through the member's
intermediates), its key is on P-256, its OU names one role, and no revocation list names it.
All of that depends on the channel configuration only, so the answer is remembered; expiry
depends on time and is asked separately (`Identity.check_validity`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ledger.crypto.certificates import (
    UNREADABLE,
    Certificate,
    extension,
    is_issued_by,
    load_authority,
    milliseconds,
    parse_certificate,
)
from ledger.crypto.pinned_tls import tls_authority
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec_header import decode_identity
from ledger.model.config import ChannelConfig, MemberConfig
from ledger.model.policy import IdentityPrincipal, Principal, Role

IDENTITIES_CACHED_MAX = 20_000
"""Identities a registry remembers; the oldest tenth is forgotten when full (about 4 KiB each)."""
SERIALIZED_IDENTITY_BYTES_MAX = 20 * 1024
CHAIN_LENGTH_MAX = 4
"""Certificates from an identity's issuer up to the root."""

_ROLE_OF_UNIT = {
    "client": Role.CLIENT,
    "peer": Role.PEER,
    "admin": Role.ADMIN,
    "orderer": Role.ORDERER,
}


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate that a member vouches for. Equality is that of the bytes as sent."""

    mspid: str
    role: Role
    attributes: Mapping[str, str]
    """Fabric's certificate attributes, such as `idgrid` and `role` of a participant."""
    public_key: ec.EllipticCurvePublicKey
    public_key_der: bytes
    not_before_ms: int
    not_after_ms: int
    """When the certificate and all its issuers are valid; milliseconds since 1970 UTC."""
    certificate_pem: bytes
    certificate_der: bytes
    subject: str
    serialized: bytes

    def check_validity(self, at_ms: int) -> None:
        """Raise InvalidMessage CERTIFICATE_EXPIRED or _NOT_YET_VALID at that time (ms, UTC)."""
        if at_ms > self.not_after_ms:
            raise InvalidMessage(
                Reason.CERTIFICATE_EXPIRED, f"the certificate of {self.subject} has expired"
            )
        if at_ms < self.not_before_ms:
            raise InvalidMessage(
                Reason.CERTIFICATE_NOT_YET_VALID,
                f"the certificate of {self.subject} is not valid yet",
            )

    def satisfies(self, principal: Principal | IdentityPrincipal) -> bool:
        """Whether this identity is what a policy's leaf asks for."""
        if self.mspid != principal.mspid:
            return False
        if isinstance(principal, IdentityPrincipal):
            return self.certificate_pem == principal.certificate_pem
        return principal.role in (Role.MEMBER, self.role)

    def require_role(self, *allowed: Role) -> None:
        """Raise InvalidMessage ROLE_NOT_ALLOWED unless the role is one of those (or MEMBER)."""
        if self.role not in allowed and Role.MEMBER not in allowed:
            names = " or ".join(role.name.lower() for role in allowed)
            raise InvalidMessage(
                Reason.ROLE_NOT_ALLOWED,
                f"{self.subject} is a {self.role.name.lower()} of {self.mspid}, not {names}",
            )


class Msp:
    """One member's authorities and revocations."""

    def __init__(self, config: MemberConfig) -> None:
        """Read the member's certificates; raises InvalidMessage CERTIFICATE_INVALID."""
        self.mspid = config.mspid
        self._roots = [load_authority(pem) for pem in config.root_certs]
        if not self._roots:
            raise _invalid(f"{config.mspid} has no root certificate")
        for root in self._roots:
            if not is_issued_by(root, root):
                raise _invalid(f"a root certificate of {config.mspid} is not self-signed")
        self._intermediates = [load_authority(pem) for pem in config.intermediate_certs]
        for intermediate in self._intermediates:
            self._chain(intermediate)
        for pem in (*config.tls_root_certs, *config.tls_intermediate_certs):
            tls_authority(pem)
        self._revoked = frozenset[tuple[bytes, int]]().union(
            *(self._revocations(pem) for pem in config.revocation_lists)
        )

    def identity(self, certificate: Certificate, serialized: bytes) -> Identity:
        """Accept a certificate; raises InvalidMessage CERTIFICATE_INVALID or _REVOKED."""
        chain = [certificate.x509, *self._chain(certificate.x509)]
        for link in chain[:-1]:
            if (link.issuer.public_bytes(), link.serial_number) in self._revoked:
                raise InvalidMessage(
                    Reason.CERTIFICATE_REVOKED,
                    f"{self.mspid} has revoked {link.subject.rfc4514_string()}",
                )
        return Identity(
            mspid=self.mspid,
            role=_role(certificate),
            attributes=certificate.attributes,
            public_key=certificate.public_key,
            public_key_der=certificate.public_key_der,
            not_before_ms=max(milliseconds(link.not_valid_before_utc) for link in chain),
            not_after_ms=min(milliseconds(link.not_valid_after_utc) for link in chain),
            certificate_pem=certificate.pem,
            certificate_der=certificate.der,
            subject=certificate.subject,
            serialized=serialized,
        )

    def _chain(self, certificate: x509.Certificate) -> list[x509.Certificate]:
        """Issuers of a certificate from the nearest to a root."""
        chain: list[x509.Certificate] = []
        link = certificate
        while link not in self._roots:
            issuer = self._issuer(link)
            if issuer is None or len(chain) == CHAIN_LENGTH_MAX:
                raise _invalid(
                    f"{certificate.subject.rfc4514_string()} was not issued by an authority"
                    f" of {self.mspid}"
                )
            constraints = extension(issuer, x509.BasicConstraints)
            depth = None if constraints is None else constraints.path_length
            if depth is not None and len(chain) > depth:
                raise _invalid(f"more intermediates than {issuer.subject.rfc4514_string()} allows")
            chain.append(issuer)
            link = issuer
        return chain

    def _issuer(self, certificate: x509.Certificate) -> x509.Certificate | None:
        for authority in (*self._roots, *self._intermediates):
            if authority.subject == certificate.issuer and is_issued_by(certificate, authority):
                return authority
        return None

    def _revocations(self, pem: bytes) -> frozenset[tuple[bytes, int]]:
        """(issuer name, serial number) pairs of a list signed by one of our authorities."""
        try:
            return self._read_revocations(x509.load_pem_x509_crl(pem))
        except UNREADABLE as error:
            raise _invalid(f"a revocation list of {self.mspid} does not parse: {error}") from None

    def _read_revocations(
        self, revocation_list: x509.CertificateRevocationList
    ) -> frozenset[tuple[bytes, int]]:
        for authority in (*self._roots, *self._intermediates):
            key = authority.public_key()
            assert isinstance(key, ec.EllipticCurvePublicKey)  # load_authority saw to it
            if revocation_list.issuer == authority.subject and (
                revocation_list.is_signature_valid(key)
            ):
                issuer = authority.subject.public_bytes()
                return frozenset((issuer, entry.serial_number) for entry in revocation_list)
        raise _invalid(f"a revocation list is not signed by an authority of {self.mspid}")


class MspRegistry:
    """All members of a channel configuration; make a new one when the configuration changes."""

    def __init__(self, config: ChannelConfig) -> None:
        self._msps = {member.mspid: Msp(member) for member in config.members}
        # Insertion-ordered: the oldest are forgotten first.
        self._identities: dict[bytes, Identity] = {}

    def is_member(self, mspid: str) -> bool:
        """Whether the organization is one of the channel's members."""
        return mspid in self._msps

    def identity(self, serialized: bytes) -> Identity:
        """Whose SerializedIdentity this is; the same bytes are examined once.

        Raises InvalidMessage MALFORMED, OVERSIZED, UNKNOWN_MEMBER, CERTIFICATE_INVALID or
        CERTIFICATE_REVOKED. Time plays no part: call `check_validity` where it matters.
        """
        known = self._identities.get(serialized)
        if known is not None:
            return known
        if len(serialized) > SERIALIZED_IDENTITY_BYTES_MAX:
            raise InvalidMessage(
                Reason.OVERSIZED,
                f"an identity takes at most {SERIALIZED_IDENTITY_BYTES_MAX} bytes",
            )
        mspid, pem = decode_identity(serialized)
        msp = self._msps.get(mspid)
        if msp is None:
            raise InvalidMessage(
                Reason.UNKNOWN_MEMBER, f"{mspid!r} is not a member of the channel"
            )
        identity = msp.identity(parse_certificate(pem), serialized)
        self._remember(serialized, identity)
        return identity

    def _remember(self, serialized: bytes, identity: Identity) -> None:
        if len(self._identities) >= IDENTITIES_CACHED_MAX:
            for key in list(self._identities)[: IDENTITIES_CACHED_MAX // 10]:
                self._identities.pop(key, None)
        self._identities[serialized] = identity


def _role(certificate: Certificate) -> Role:
    """The one role the certificate's OUs name; other OUs do not matter."""
    roles = {_ROLE_OF_UNIT[u] for u in certificate.organizational_units if u in _ROLE_OF_UNIT}
    if len(roles) != 1:
        raise _invalid(
            f"{certificate.subject} must have exactly one OU of client, peer, admin, orderer"
        )
    return roles.pop()


def _invalid(detail: str) -> InvalidMessage:
    return InvalidMessage(Reason.CERTIFICATE_INVALID, detail)
