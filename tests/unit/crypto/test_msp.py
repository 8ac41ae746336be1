"""Who is accepted as a member's identity, and everything that must not be."""

import subprocess
import sys
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID, NameOID

from ledger.crypto import msp as msp_module
from ledger.crypto.certificates import ATTRIBUTES_OID
from ledger.crypto.msp import SERIALIZED_IDENTITY_BYTES_MAX, Msp, MspRegistry
from ledger.crypto.signing import generate_key
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec_header import encode_identity
from ledger.model.config import ChannelConfig
from ledger.model.policy import Role
from network.certificates.authority import BACKDATE_MINUTES, MemberAuthority
from tests.support.identities import COOPERATIVE, ORGANIZATIONS, UTILITY, consortium

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY_MS = 24 * 3600 * 1000
NOW_MS = int(NOW.timestamp()) * 1000


@pytest.fixture(scope="module")
def cooperative() -> MemberAuthority:
    return consortium().member(COOPERATIVE).authority


@pytest.fixture
def registry() -> MspRegistry:
    return consortium().registry()


def refusal(registry: MspRegistry, serialized: bytes) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as caught:
        registry.identity(serialized)
    return caught.value


def reason_for(registry: MspRegistry, pem: bytes, mspid: str = COOPERATIVE) -> Reason:
    return refusal(registry, encode_identity(mspid, pem)).reason


def with_member(**changes: object) -> ChannelConfig:
    """The consortium's configuration with the cooperative's entry changed."""
    config = consortium().config
    members = tuple(
        replace(member, **changes) if member.mspid == COOPERATIVE else member
        for member in config.members
    )
    return replace(config, members=members)


def handmade(
    issuer_key,
    *,
    issuer: x509.Name,
    key=None,
    units=("client",),
    names=((NameOID.COMMON_NAME, "handmade"),),
    ca=False,
    extensions=(),
    hash_algorithm=None,
) -> bytes:
    """A certificate as no authority of ours would make it."""
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in units]
        + [x509.NameAttribute(kind, text, _validate=False) for kind, text in names]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key((key or generate_key()).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    certificate = builder.sign(issuer_key, hash_algorithm or hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


def by_cooperative(**what) -> bytes:
    authority = consortium().member(COOPERATIVE).authority.enrolment
    root = x509.load_pem_x509_certificate(authority.certificate_pem)
    return handmade(authority._key, issuer=root.subject, **what)


# -- accepted -------------------------------------------------------------------------------------


def test_roles_come_from_the_organisational_unit(registry):
    for member in consortium().members:
        for signer, role in (
            (member.node, Role.PEER),
            (member.admin, Role.ADMIN),
            (member.client, Role.CLIENT),
        ):
            identity = registry.identity(signer.serialized)
            assert (identity.mspid, identity.role) == (member.mspid, role)
            assert identity.public_key == signer.signer.public_key


def test_attributes_travel_in_the_certificate(registry):
    participant = consortium().participant("IDG-0042", role="consumer")
    identity = registry.identity(participant.serialized)
    assert identity.attributes == {"idgrid": "IDG-0042", "role": "consumer"}
    assert registry.identity(consortium().members[0].client.serialized).attributes == {}


def test_attribute_extension_has_fabrics_form():
    pem = consortium().participant("IDG-7").certificate_pem
    extension = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_oid(
        x509.ObjectIdentifier("1.2.3.4.5.6.7.8.1")
    )
    assert not extension.critical
    assert extension.value.value == b'{"attrs":{"idgrid":"IDG-7","role":"prosumer"}}'


def test_units_that_are_no_role_do_not_matter(registry):
    pem = by_cooperative(units=("client", "district-7"))
    assert registry.identity(encode_identity(COOPERATIVE, pem)).role is Role.CLIENT


def test_parts_of_a_name_may_have_any_length():
    """RFC 5280 has two letters for a country and 64 for a common name; Fabric takes others."""
    names = ((NameOID.COUNTRY_NAME, "Portugal"), (NameOID.COMMON_NAME, 65 * "a"))
    with warnings.catch_warnings(action="ignore"):
        pem = by_cooperative(names=names)
    # Elsewhere the tests' own filter of warnings is in force, not that of a running peer.
    reads = "import sys; from ledger.crypto.certificates import parse_certificate as parse"
    script = f"{reads}; print(parse(sys.stdin.buffer.read()).subject)"
    read = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], input=pem, capture_output=True, check=False
    )
    assert (read.stderr, read.returncode) == (b"", 0)
    assert read.stdout.decode().strip() == f"CN={65 * 'a'},C=Portugal,OU=client"


def test_the_same_bytes_are_examined_once(registry, monkeypatch):
    serialized = consortium().members[0].node.serialized
    first = registry.identity(serialized)
    monkeypatch.setattr(msp_module, "parse_certificate", None)
    assert registry.identity(bytes(bytearray(serialized))) is first


def test_the_memory_for_identities_is_bounded(registry, monkeypatch, cooperative):
    monkeypatch.setattr(msp_module, "IDENTITIES_CACHED_MAX", 10)
    for number in range(25):
        pair = cooperative.issue_client(f"c{number}", now=NOW)
        registry.identity(encode_identity(COOPERATIVE, pair.certificate_pem))
        assert len(registry._identities) <= 10
    last = registry.identity(encode_identity(COOPERATIVE, pair.certificate_pem))
    assert last.subject.startswith("CN=c24")


def test_an_intermediate_authority_may_issue():
    root_key, intermediate_key = generate_key(), generate_key()
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
    root = handmade_authority(root_key, root_key, root_name, root_name, path_length=1)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "intermediate")])
    intermediate = handmade_authority(intermediate_key, root_key, name, root_name, path_length=0)
    registry = MspRegistry(with_member(root_certs=(root,), intermediate_certs=(intermediate,)))
    pem = handmade(intermediate_key, issuer=name)
    assert registry.identity(encode_identity(COOPERATIVE, pem)).role is Role.CLIENT


def handmade_authority(key, issuer_key, subject, issuer, *, path_length, ca=True) -> bytes:
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=100))
        .add_extension(
            x509.BasicConstraints(ca=ca, path_length=path_length if ca else None), critical=True
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


# -- refused --------------------------------------------------------------------------------------


def test_a_self_made_authority_of_the_same_name_is_refused(registry):
    impostor = MemberAuthority.create(COOPERATIVE, ORGANIZATIONS[COOPERATIVE], now=NOW)
    pair = impostor.issue_node("peer", now=NOW)
    assert reason_for(registry, pair.certificate_pem) is Reason.CERTIFICATE_INVALID


def test_an_unknown_member_is_refused(registry, cooperative):
    pair = cooperative.issue_client("c", now=NOW)
    assert reason_for(registry, pair.certificate_pem, "NobodyMSP") is Reason.UNKNOWN_MEMBER
    assert refusal(registry, b"").reason is Reason.UNKNOWN_MEMBER


def test_another_members_certificate_is_refused(registry, cooperative):
    pair = cooperative.issue_node("peer", now=NOW)
    assert reason_for(registry, pair.certificate_pem, UTILITY) is Reason.CERTIFICATE_INVALID


def test_a_connection_certificate_is_not_an_identity(registry, cooperative):
    pair = cooperative.issue_tls("peer", now=NOW)
    assert reason_for(registry, pair.certificate_pem) is Reason.CERTIFICATE_INVALID


def test_the_authority_itself_is_not_an_identity(registry, cooperative):
    pem = cooperative.enrolment.certificate_pem
    assert "not an identity" in refusal(registry, encode_identity(COOPERATIVE, pem)).detail


def test_a_changed_certificate_is_refused(registry, cooperative):
    pem = cooperative.issue_client("c", {"idgrid": "IDG-1"}, now=NOW).certificate_pem
    der = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    changed = x509.load_der_x509_certificate(der.replace(b"IDG-1", b"IDG-2"))
    tampered = changed.public_bytes(serialization.Encoding.PEM)
    assert reason_for(registry, tampered) is Reason.CERTIFICATE_INVALID


@pytest.mark.parametrize("units", [(), ("accounting",), ("client", "admin"), ("Peer",)])
def test_exactly_one_role_is_needed(registry, units):
    error = refusal(registry, encode_identity(COOPERATIVE, by_cooperative(units=units)))
    assert error.reason is Reason.CERTIFICATE_INVALID
    assert "exactly one OU" in error.detail


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
    ],
    ids=["P-384", "secp256k1", "RSA"],
)
def test_only_keys_on_p256_are_accepted(registry, key):
    error = refusal(registry, encode_identity(COOPERATIVE, by_cooperative(key=key)))
    assert error.reason is Reason.CERTIFICATE_INVALID
    assert "P-256 is needed" in error.detail


def test_a_certificate_that_may_issue_is_not_an_identity(registry):
    assert reason_for(registry, by_cooperative(ca=True)) is Reason.CERTIFICATE_INVALID


def test_a_client_cannot_issue_certificates(registry, cooperative):
    client = consortium().members[0].client
    subject = x509.load_pem_x509_certificate(client.certificate_pem).subject
    forged = handmade(client.signer._key, issuer=subject, units=("admin",))
    assert reason_for(registry, forged) is Reason.CERTIFICATE_INVALID
    with pytest.raises(InvalidMessage, match="not marked as a CA"):
        Msp(replace(cooperative.member_config(), intermediate_certs=(client.certificate_pem,)))


@pytest.mark.parametrize(
    ("extension", "detail"),
    [
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"x"), "1.2.3"),
        (
            x509.NameConstraints([x509.DNSName("example.org")], None),
            ExtensionOID.NAME_CONSTRAINTS.dotted_string,
        ),
    ],
)
def test_critical_extensions_that_are_not_understood_are_refused(registry, extension, detail):
    pem = by_cooperative(extensions=[(extension, True)])
    error = refusal(registry, encode_identity(COOPERATIVE, pem))
    assert error.reason is Reason.CERTIFICATE_INVALID
    assert detail in error.detail
    tolerated = by_cooperative(extensions=[(extension, False)])
    assert registry.identity(encode_identity(COOPERATIVE, tolerated))


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"attrs":[]}', b'{"attrs":{"limit":5}}', b"{" * 4000, b"x" * 5000],
    ids=["empty", "list", "attrs-list", "number", "nested", "oversized"],
)
def test_attributes_that_are_not_texts_are_refused(registry, content):
    pem = by_cooperative(extensions=[(x509.UnrecognizedExtension(ATTRIBUTES_OID, content), False)])
    assert reason_for(registry, pem) is Reason.CERTIFICATE_INVALID


def test_bytes_that_are_no_certificate_are_refused(registry):
    assert reason_for(registry, b"") is Reason.CERTIFICATE_INVALID
    assert reason_for(registry, b"-----BEGIN CERTIFICATE-----") is Reason.CERTIFICATE_INVALID
    assert refusal(registry, b"\xff\xff").reason is Reason.MALFORMED
    huge = bytes(SERIALIZED_IDENTITY_BYTES_MAX + 1)
    assert refusal(registry, huge).reason is Reason.OVERSIZED


# -- revocation and time --------------------------------------------------------------------------


def test_revoked_certificates_are_refused_and_others_are_not(cooperative):
    pairs = [cooperative.issue_client(f"c{number}", now=NOW) for number in range(3)]
    serialized = [encode_identity(COOPERATIVE, pair.certificate_pem) for pair in pairs]
    first = cooperative.revoke([pairs[0].certificate_pem], now=NOW)
    both = cooperative.revoke([pairs[1].certificate_pem], now=NOW, earlier=first)
    registry = MspRegistry(with_member(revocation_lists=(both,)))
    assert refusal(registry, serialized[0]).reason is Reason.CERTIFICATE_REVOKED
    assert refusal(registry, serialized[1]).reason is Reason.CERTIFICATE_REVOKED
    assert registry.identity(serialized[2]).role is Role.CLIENT
    # Effective with the configuration that carries it: the registry of the one before accepts.
    assert consortium().registry().identity(serialized[0])


def test_a_revocation_list_of_another_authority_is_refused(cooperative):
    other = MemberAuthority.create(COOPERATIVE, ORGANIZATIONS[COOPERATIVE], now=NOW)
    with pytest.raises(InvalidMessage, match="not signed by an authority"):
        MspRegistry(with_member(revocation_lists=(other.revoke([], now=NOW),)))
    with pytest.raises(InvalidMessage, match="does not parse"):
        MspRegistry(with_member(revocation_lists=(b"nonsense",)))


def test_validity_is_asked_with_an_explicit_time(registry, cooperative):
    pair = cooperative.issue_client("c", now=NOW)
    identity = registry.identity(encode_identity(COOPERATIVE, pair.certificate_pem))
    # The shared authority is younger than NOW: the whole chain must be valid.
    created_ms = int(consortium().created.timestamp()) * 1000 - BACKDATE_MINUTES * 60_000
    assert identity.not_before_ms == max(created_ms, NOW_MS - BACKDATE_MINUTES * 60_000)
    identity.check_validity(identity.not_before_ms)
    identity.check_validity(identity.not_after_ms)
    with pytest.raises(InvalidMessage) as early:
        identity.check_validity(identity.not_before_ms - 1)
    assert early.value.reason is Reason.CERTIFICATE_NOT_YET_VALID
    with pytest.raises(InvalidMessage) as late:
        identity.check_validity(identity.not_after_ms + 1)
    assert late.value.reason is Reason.CERTIFICATE_EXPIRED


def test_an_expired_authority_ends_what_it_issued():
    authority = MemberAuthority.create(COOPERATIVE, "x", now=NOW, certificate_days=3_000)
    late = NOW + timedelta(days=3_000)
    pair = authority.issue_client("c", now=late)  # would outlive the authority
    registry = MspRegistry(with_member(root_certs=(authority.enrolment.certificate_pem,)))
    identity = registry.identity(encode_identity(COOPERATIVE, pair.certificate_pem))
    assert identity.not_after_ms == NOW_MS + 3_650 * DAY_MS


def test_roles_can_be_required(registry):
    member = consortium().members[0]
    client = registry.identity(member.client.serialized)
    client.require_role(Role.CLIENT, Role.ADMIN)
    client.require_role(Role.MEMBER)
    with pytest.raises(InvalidMessage) as caught:
        client.require_role(Role.PEER)
    assert caught.value.reason is Reason.ROLE_NOT_ALLOWED
    assert "client of CoopMSP, not peer" in caught.value.detail


# -- a member's own configuration -----------------------------------------------------------------


def test_authorities_must_be_self_signed_roots(cooperative):
    with pytest.raises(InvalidMessage, match="no root certificate"):
        MspRegistry(with_member(root_certs=()))
    root_key, name = generate_key(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "r")])
    not_self_signed = handmade_authority(generate_key(), root_key, name, name, path_length=0)
    with pytest.raises(InvalidMessage, match="not self-signed"):
        MspRegistry(with_member(root_certs=(not_self_signed,)))


def test_a_root_can_forbid_intermediates():
    root_key, intermediate_key = generate_key(), generate_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
    root = handmade_authority(root_key, root_key, name, name, path_length=0)
    below = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "below")])
    intermediate = handmade_authority(intermediate_key, root_key, below, name, path_length=0)
    registry = MspRegistry(with_member(root_certs=(root,), intermediate_certs=(intermediate,)))
    pem = handmade(intermediate_key, issuer=below)
    error = refusal(registry, encode_identity(COOPERATIVE, pem))
    assert "more intermediates" in error.detail


def test_weak_hashes_and_rsa_authorities_are_refused():
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rsa")])
    rsa_root = handmade_authority(rsa_key, rsa_key, name, name, path_length=0)
    with pytest.raises(InvalidMessage, match="not an elliptic curve key"):
        MspRegistry(with_member(root_certs=(rsa_root,)))
    pem = by_cooperative(hash_algorithm=hashes.SHA224())
    assert reason_for(consortium().registry(), pem) is Reason.CERTIFICATE_INVALID
