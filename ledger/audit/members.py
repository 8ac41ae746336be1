"""Members of a channel and their policies, read from a configuration's bytes.

Who counts as a member's client or peer: a P-256 certificate that leads to a root of the member,
that no revocation list of the member names, and whose OU names one role. Expiry plays no part: a
block's verdict must not depend on when it is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from ledger.audit.read_write_sets import text
from ledger.audit.wire_fields import BrokenBytes, Fields, read_fields

MEMBER, ADMIN, CLIENT, PEER, ORDERER = range(5)
"""Role numbers of msp.MSPRole."""
_ROLES = {"admin": ADMIN, "client": CLIENT, "peer": PEER, "orderer": ORDERER}
_CHAIN_MAX = 5
_SIGNATURE, _IMPLICIT_META = 1, 3
_BY_ROLE, _BY_IDENTITY = 0, 2
_ANY, _ALL = 0, 1


@dataclass(frozen=True, slots=True)
class Person:
    """A certificate that a member vouches for."""

    mspid: str
    role: int
    key: ec.EllipticCurvePublicKey
    key_der: bytes
    pem: bytes


@dataclass(frozen=True, slots=True)
class _Authorities:
    """One member's certificates that issue others, and what it revoked."""

    roots: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...]
    revoked: frozenset[tuple[x509.Name, int]]


class Members:
    """The members and policies of one configuration."""

    def __init__(self, config_envelope_raw: bytes) -> None:
        """Take the envelope of a configuration; BrokenBytes when it cannot be read."""
        data = read_fields(config_envelope_raw).message(1).content(2)
        self._channel = read_fields(data).message(1, 2)
        self._authorities: dict[str, _Authorities] = {}
        for name in ("Application", "Orderer"):
            for mspid, group in _map(read_fields(self._channel.entry(2, name)), 2).items():
                self._authorities[mspid] = _authorities(group)
        self._people: dict[bytes, Person | None] = {}

    def person(self, serialized: bytes) -> Person | None:
        """Whose msp.SerializedIdentity this is; None when it is nobody's of this channel."""
        if serialized not in self._people:
            self._people[serialized] = self._look_up(serialized)
        return self._people[serialized]

    def _look_up(self, serialized: bytes) -> Person | None:
        try:
            fields = read_fields(serialized)
            mspid, pem = text(fields.content(1)), fields.content(2)
            certificate = x509.load_pem_x509_certificate(pem)
            key = certificate.public_key()
        except (BrokenBytes, ValueError, UnsupportedAlgorithm):
            return None
        authorities = self._authorities.get(mspid)
        roles = [_ROLES[unit] for unit in _units(certificate) if unit in _ROLES]
        if (
            authorities is None
            or not isinstance(key, ec.EllipticCurvePublicKey)
            or key.curve.name != "secp256r1"
            or len(set(roles)) != 1
            or not _is_vouched_for(certificate, authorities)
        ):
            return None
        key_der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return Person(mspid, roles[0], key, key_der, pem)

    # -- policies ---------------------------------------------------------------------------------

    def satisfy(self, application_policy_raw: bytes, signers: Sequence[Person]) -> bool:
        """Whether they satisfy protos.ApplicationPolicy bytes."""
        policy = read_fields(application_policy_raw)
        if policy.has(2):
            return self._satisfy_path(text(policy.content(2)), signers)
        return satisfy_signature_policy(policy.content(1), signers)

    def _satisfy_path(self, path: str, signers: Sequence[Person]) -> bool:
        """A policy of the configuration by its path, such as /Channel/Application/Endorsement."""
        *names, policy_name = path.strip("/").split("/")
        group = self._channel
        for name in names[1:]:
            group = read_fields(group.entry(2, name))
        return _satisfy_in_group(group, policy_name, signers)


def _satisfy_in_group(group: Fields, name: str, signers: Sequence[Person]) -> bool:
    policy = read_fields(group.entry(4, name)).message(2)
    kind, value = policy.number(1), policy.content(2)
    if kind == _SIGNATURE:
        return satisfy_signature_policy(value, signers)
    if kind != _IMPLICIT_META:
        return False
    meta = read_fields(value)
    children = _map(group, 2).values()
    good = sum(_satisfy_in_group(child, text(meta.content(1)), signers) for child in children)
    needed = {_ANY: 1, _ALL: len(children)}.get(meta.number(2), len(children) // 2 + 1)
    return good >= (needed if children else 0)


def satisfy_signature_policy(raw: bytes, signers: Sequence[Person]) -> bool:
    """common.SignaturePolicyEnvelope: leaves take signers in order, each at most once."""
    policy = read_fields(raw)
    principals = [read_fields(part) for part in policy.contents(3)]
    distinct = list({(one.mspid, one.key_der): one for one in signers}.values())
    return _take(policy.message(2), principals, distinct) is not None


def _take(
    rule: Fields, principals: Sequence[Fields], signers: Sequence[Person]
) -> list[Person] | None:
    """Signers left over by a rule that holds; None when it does not."""
    if rule.has(2):
        gate, good, left = rule.message(2), 0, list(signers)
        for child in gate.contents(2):
            after = _take(read_fields(child), principals, left)
            if after is not None:
                good, left = good + 1, after
        return left if good >= gate.number(1, bits=32) else None
    index = rule.number(1, bits=32)
    if index >= len(principals):
        raise BrokenBytes(f"a policy asks for signer {index} of {len(principals)}")
    for position, signer in enumerate(signers):
        if _is(signer, principals[index]):
            return [*signers[:position], *signers[position + 1 :]]
    return None


def _is(person: Person, principal: Fields) -> bool:
    kind, content = principal.number(1), read_fields(principal.content(2))
    if text(content.content(1)) != person.mspid:
        return False
    if kind == _BY_IDENTITY:
        return content.content(2) == person.pem
    return kind == _BY_ROLE and content.number(2) in (MEMBER, person.role)


# -- certificates ---------------------------------------------------------------------------------


def _authorities(group: Fields) -> _Authorities:
    value = read_fields(read_fields(group.entry(3, "MSP")).content(2))
    msp = read_fields(value.content(2))
    try:
        roots = tuple(map(x509.load_pem_x509_certificate, msp.contents(2)))
        intermediates = tuple(map(x509.load_pem_x509_certificate, msp.contents(3)))
        lists = [x509.load_pem_x509_crl(raw) for raw in msp.contents(5)]
    except ValueError as error:
        raise BrokenBytes(f"a member's certificates cannot be read: {error}") from error
    revoked = frozenset((one.issuer, entry.serial_number) for one in lists for entry in one)
    return _Authorities(roots, intermediates, revoked)


def _is_vouched_for(certificate: x509.Certificate, authorities: _Authorities) -> bool:
    """Whether issuers lead to a root, and nothing on the way is revoked."""
    link = certificate
    for _ in range(_CHAIN_MAX):
        if (link.issuer, link.serial_number) in authorities.revoked:
            return False
        if any(_issued(link, root) for root in authorities.roots):
            return True
        issuers = [one for one in authorities.intermediates if _issued(link, one)]
        if not issuers:
            return False
        link = issuers[0]
    return False


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    if certificate.issuer != authority.subject:
        return False
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _units(certificate: x509.Certificate) -> list[str]:
    names = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return [str(name.value) for name in names]


def _map(fields: Fields, field: int) -> Mapping[str, Fields]:
    """A map field with text keys and message values."""
    pairs = map(read_fields, fields.contents(field))
    return {text(pair.content(1)): read_fields(pair.content(2)) for pair in pairs}
