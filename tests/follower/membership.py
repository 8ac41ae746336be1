"""An organisation's membership rules of a channel with capability V3_0, and who satisfies what."""

import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fabric_protos.msp import identities_pb2, msp_config_pb2, msp_principal_pb2

from tests.follower.certificate_chains import (
    check_signature,
    is_ca,
    one_chain,
    organizational_units,
    subject_key_identifier,
)
from tests.follower.refusal import Refused, require

FABRIC_MSP = 0
Role = msp_principal_pb2.MSPRole


@dataclass(frozen=True)
class Identity:
    """Somebody's certificate and the organisation it is said to be of."""

    mspid: str
    certificate: x509.Certificate


class Membership:
    """What one MSPConfig says; made, it has passed Fabric's checks of the configuration."""

    def __init__(self, config: msp_config_pb2.MSPConfig) -> None:
        require(config.type == FABRIC_MSP, f"unsupported MSP type {config.type}")
        fabric = msp_config_pb2.FabricMSPConfig.FromString(config.config)
        require(fabric.name, "an MSP without a name")
        require(fabric.root_certs, f"{fabric.name}: at least one CA certificate is expected")
        self.mspid = fabric.name
        self._roots = _certificates(fabric.root_certs)
        self._intermediates = _certificates(fabric.intermediate_certs)
        self.tls_roots = [*fabric.tls_root_certs, *fabric.tls_intermediate_certs]
        self._lists = [_revocation_list(raw) for raw in fabric.revocation_list]
        self._check_authorities(self._roots, self._intermediates)
        tls_roots = _certificates(fabric.tls_root_certs)
        self._check_authorities(tls_roots, _certificates(fabric.tls_intermediate_certs))
        require(not fabric.organizational_unit_identifiers, "OU identifiers are not expected here")
        self._role_units = self._node_ous(fabric.fabric_node_ous)
        has_admins = fabric.admins or Role.ADMIN in self._role_units
        require(has_admins, f"{self.mspid}: no administrators and no OU for them")

    def _check_authorities(self, roots: list, intermediates: list) -> None:
        for authority in [*roots, *intermediates]:
            require(is_ca(authority), f"{self.mspid}: an authority without the CA attribute")
            subject_key_identifier(authority)
            self._check_not_revoked(one_chain(authority, roots, intermediates))

    def _node_ous(self, config: msp_config_pb2.FabricNodeOUs) -> dict[int, tuple[str, bytes]]:
        """(OU, hash of the chain it must come from, or empty) by role."""
        require(config.enable, f"{self.mspid}: roles come from OUs, which are not enabled")
        units = {}
        for role, identifier in (
            (Role.CLIENT, config.client_ou_identifier),
            (Role.PEER, config.peer_ou_identifier),
            (Role.ADMIN, config.admin_ou_identifier),
            (Role.ORDERER, config.orderer_ou_identifier),
        ):
            if identifier.organizational_unit_identifier:
                certifiers = b""
                if identifier.certificate:
                    certifiers = self._certifiers(identifier.certificate)
                units[role] = (identifier.organizational_unit_identifier, certifiers)
        return units

    def _certifiers(self, pem: bytes) -> bytes:
        authority = x509.load_pem_x509_certificate(pem)
        known = authority in [*self._roots, *self._intermediates]
        require(known, f"{self.mspid}: an OU's certificate is no root or intermediate")
        return chain_hash(one_chain(authority, self._roots, self._intermediates))

    def check_valid(self, identity: Identity) -> None:
        """Issued here, not revoked, exactly one role."""
        chain = one_chain(identity.certificate, self._roots, self._intermediates)
        require(len(chain) >= 2, "an authority is nobody's identity")
        self._check_not_revoked(chain)
        certifiers = chain_hash(chain[1:])
        roles = 0
        for unit in organizational_units(identity.certificate):
            for name, wanted in self._role_units.values():
                if unit == name:
                    require(wanted in (b"", certifiers), f"{self.mspid}: another authority's OU")
                    roles += 1
        require(roles == 1, f"{self.mspid}: {roles} roles, exactly one is needed")

    def _check_not_revoked(self, chain: list[x509.Certificate]) -> None:
        if len(chain) < 2:
            return
        for revoked in self._lists:
            listed = revoked.get_revoked_certificate_by_serial_number(chain[0].serial_number)
            if listed is not None and revoked.is_signature_valid(chain[1].public_key()):
                raise Refused(f"{self.mspid}: the certificate has been revoked")

    def check_principal(self, identity: Identity, principal) -> None:
        """Raise Refused unless this member satisfies a principal."""
        kind = principal.principal_classification
        if kind == msp_principal_pb2.MSPPrincipal.ROLE:
            role = Role.FromString(principal.principal)
            require(role.msp_identifier == self.mspid, "a member of another MSP")
            self.check_valid(identity)
            if role.role != Role.MEMBER:
                unit = self._role_units.get(role.role)
                units = organizational_units(identity.certificate)
                require(unit is not None and unit[0] in units, "another role")
        elif kind == msp_principal_pb2.MSPPrincipal.IDENTITY:
            named = parse_identity(principal.principal)
            require(named == identity, "the identities do not match")
            self.check_valid(named)
        else:
            raise Refused(f"principal classification {kind} is not expected here")


class Memberships:
    """All organisations of a channel."""

    def __init__(self, by_mspid: dict[str, Membership]) -> None:
        self._by_mspid = by_mspid

    def of(self, identity: Identity) -> Membership:
        """The rules of the organisation an identity names."""
        require(identity.mspid in self._by_mspid, f"MSP {identity.mspid!r} is unknown")
        return self._by_mspid[identity.mspid]

    def check_signed(self, creator: bytes, message: bytes, signature: bytes) -> Identity:
        """A valid member's good signature, or Refused."""
        identity = parse_identity(creator)
        self.of(identity).check_valid(identity)
        check_signature(identity.certificate, message, signature)
        return identity

    def signers(self, signed: list[tuple[bytes, bytes, bytes]]) -> list[Identity]:
        """Who signed, each once, of (identity, message, signature); bad ones count as absent."""
        found: list[Identity] = []
        for creator, message, signature in signed:
            try:
                identity = parse_identity(creator)
                self.of(identity)
                if identity not in found:
                    check_signature(identity.certificate, message, signature)
                    found.append(identity)
            except Refused:
                continue
        return found


def parse_identity(raw: bytes) -> Identity:
    """A SerializedIdentity: one PEM certificate and nothing after it."""
    message = identities_pb2.SerializedIdentity.FromString(raw)
    try:
        found = x509.load_pem_x509_certificates(message.id_bytes)
    except ValueError as error:
        raise Refused("an identity that is no certificate") from error
    require(len(found) == 1, "an identity is one certificate")
    return Identity(message.mspid, found[0])


def chain_hash(chain: list[x509.Certificate]) -> bytes:
    """SHA-256 over a chain's certificates."""
    encoded = (certificate.public_bytes(Encoding.DER) for certificate in chain)
    return hashlib.sha256(b"".join(encoded)).digest()


def _certificates(pems) -> list[x509.Certificate]:
    return [x509.load_pem_x509_certificate(pem) for pem in pems]


def _revocation_list(raw: bytes) -> x509.CertificateRevocationList:
    if raw.startswith(b"-----BEGIN"):
        return x509.load_pem_x509_crl(raw)
    return x509.load_der_x509_crl(raw)
