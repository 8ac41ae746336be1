"""What a member's authorities issue."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ledger.crypto.certificates import (
    ATTRIBUTES_BYTES_MAX,
    extension,
    is_issued_by,
    parse_certificate,
)
from ledger.crypto.signing import Signer, generate_key, is_low_s
from ledger.errors import InvalidMessage, Reason
from network.certificates.authority import (
    AUTHORITY_LIFETIME_DAYS,
    BACKDATE_MINUTES,
    CERTIFICATE_LIFETIME_DAYS,
    REQUEST_BYTES_MAX,
    Authority,
    KeyPair,
    MemberAuthority,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> MemberAuthority:
    return MemberAuthority.create("CoopMSP", "Energy cooperative", now=NOW)


def read(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def request(key, *, change: bool = False) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "I am the admin")])
    )
    made = builder.sign(key, hashes.SHA256())
    der = made.public_bytes(serialization.Encoding.DER)
    if change:
        der = der.replace(b"I am the admin", b"I am the ADMIN")
    return x509.load_der_x509_csr(der).public_bytes(serialization.Encoding.PEM)


def test_both_authorities_are_self_signed_and_apart(authority):
    enrolment = read(authority.enrolment.certificate_pem)
    tls = read(authority.tls.certificate_pem)
    for certificate in (enrolment, tls):
        assert is_issued_by(certificate, certificate)
        assert extension(certificate, x509.BasicConstraints).path_length == 0
        assert isinstance(certificate.public_key().curve, ec.SECP256R1)
        lifetime = certificate.not_valid_after_utc - NOW
        assert lifetime == timedelta(days=AUTHORITY_LIFETIME_DAYS)
    assert enrolment.public_key() != tls.public_key()


def test_every_authority_signature_has_low_s(authority):
    pems = [authority.enrolment.certificate_pem, authority.tls.certificate_pem]
    for number in range(12):
        pems.append(authority.issue_client(f"c{number}", now=NOW).certificate_pem)
        pems.append(authority.issue_tls(f"t{number}", now=NOW).certificate_pem)
    assert all(is_low_s(read(pem).signature) for pem in pems)


def test_node_admin_and_client_differ_by_unit_only(authority):
    for pair, unit in (
        (authority.issue_node("n", now=NOW), "peer"),
        (authority.issue_admin("n", now=NOW), "admin"),
        (authority.issue_client("n", now=NOW), "client"),
    ):
        certificate = parse_certificate(pair.certificate_pem)
        assert certificate.organizational_units == (unit,)
        assert certificate.subject == f"CN=n,OU={unit},O=Energy cooperative"
        assert is_issued_by(certificate.x509, read(authority.enrolment.certificate_pem))
        assert Signer(pair.key_pem).public_key == certificate.public_key


def test_lifetimes_start_a_little_early_and_end_with_the_authority(authority):
    certificate = read(authority.issue_client("c", now=NOW).certificate_pem)
    assert certificate.not_valid_before_utc == NOW - timedelta(minutes=BACKDATE_MINUTES)
    assert certificate.not_valid_after_utc == NOW + timedelta(days=CERTIFICATE_LIFETIME_DAYS)
    late = NOW + timedelta(days=AUTHORITY_LIFETIME_DAYS - 1)
    last = read(authority.issue_client("c", now=late).certificate_pem)
    assert last.not_valid_after_utc == authority.enrolment.expires


def test_serial_numbers_are_random(authority):
    serials = {
        read(authority.issue_client("c", now=NOW).certificate_pem).serial_number for _ in range(20)
    }
    assert len(serials) == 20
    assert min(serials).bit_length() > 100


def test_connection_certificates_serve_both_ends_and_name_their_hosts(authority):
    pair = authority.issue_tls("peer.coop", ("localhost", "127.0.0.1", "peer.coop"), now=NOW)
    certificate = read(pair.certificate_pem)
    names = extension(certificate, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == ["peer.coop", "localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("127.0.0.1")]
    usage = extension(certificate, x509.ExtendedKeyUsage)
    assert set(usage) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert is_issued_by(certificate, read(authority.tls.certificate_pem))
    assert not is_issued_by(certificate, read(authority.enrolment.certificate_pem))


# -- keys that stay with their owner --------------------------------------------------------------


def test_a_request_gives_its_key_and_nothing_else(authority):
    key = generate_key()
    pem = authority.certify_request(request(key), "IDG-1", {"idgrid": "IDG-1"}, now=NOW)
    certificate = parse_certificate(pem)
    assert certificate.public_key == key.public_key()
    assert certificate.organizational_units == ("client",)
    assert certificate.subject.startswith("CN=IDG-1,")
    assert certificate.attributes == {"idgrid": "IDG-1"}


@pytest.mark.parametrize(
    ("pem", "reason"),
    [
        (b"nonsense", Reason.MALFORMED),
        (bytes(REQUEST_BYTES_MAX + 1), Reason.OVERSIZED),
        (request(generate_key(), change=True), Reason.BAD_SIGNATURE),
        (request(ec.generate_private_key(ec.SECP384R1())), Reason.CERTIFICATE_INVALID),
    ],
    ids=["nonsense", "oversized", "not-its-own-key", "P-384"],
)
def test_wrong_requests_are_refused(authority, pem, reason):
    with pytest.raises(InvalidMessage) as caught:
        authority.certify_request(pem, "IDG-1", {}, now=NOW)
    assert caught.value.reason is reason


def test_attributes_are_bounded(authority):
    with pytest.raises(InvalidMessage) as caught:
        authority.issue_client("c", {"note": "x" * ATTRIBUTES_BYTES_MAX}, now=NOW)
    assert caught.value.reason is Reason.OVERSIZED


# -- taking up an authority again -----------------------------------------------------------------


def test_an_authority_read_back_issues_for_the_same_root(authority):
    again = MemberAuthority(
        mspid=authority.mspid,
        organization=authority.organization,
        enrolment=Authority(authority.enrolment.pair),
        tls=Authority(authority.tls.pair),
    )
    pair = again.issue_client("c", now=NOW)
    assert is_issued_by(read(pair.certificate_pem), read(authority.enrolment.certificate_pem))


def test_an_authority_needs_its_own_key(authority):
    mixed = KeyPair(authority.enrolment.certificate_pem, authority.tls.pair.key_pem)
    with pytest.raises(InvalidMessage, match="not its certificate's"):
        Authority(mixed)
    with pytest.raises(InvalidMessage, match="not marked as a CA"):
        Authority(authority.issue_client("c", now=NOW))


def test_keys_do_not_show_in_logs(authority):
    assert b"PRIVATE" in authority.enrolment.pair.key_pem
    assert "PRIVATE" not in repr(authority.enrolment.pair)


def test_revocation_lists_add_up(authority):
    pairs = [authority.issue_client(f"c{number}", now=NOW) for number in range(3)]
    serials = [read(pair.certificate_pem).serial_number for pair in pairs]
    first = authority.revoke([pairs[0].certificate_pem], now=NOW)
    second = authority.revoke([pair.certificate_pem for pair in pairs], now=NOW, earlier=first)
    listed = [entry.serial_number for entry in x509.load_pem_x509_crl(second)]
    assert listed == sorted(serials)
