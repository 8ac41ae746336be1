from contextlib import suppress

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto.signing import (
    CURVE_ORDER,
    HALF_ORDER,
    Signer,
    generate_key,
    is_low_s,
    parse_signature,
    private_key_pem,
    to_low_s,
    verify_signature,
)
from ledger.errors import InvalidMessage, NodeFault, Reason
from tests.support.identities import consortium

MESSAGE = b"2 kWh at 54000 micro-tokens"


def integer(value: int, *, padding: int = 0) -> bytes:
    body = bytes(padding) + value.to_bytes(value.bit_length() // 8 + 1, "big")
    return bytes((2, len(body))) + body


def sequence(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes((0x30, len(body))) + body


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer(generate_key())


def refusal(signer: Signer, signature: bytes) -> Reason:
    with pytest.raises(InvalidMessage) as caught:
        verify_signature(signer.public_key, MESSAGE, signature)
    return caught.value.reason


def test_every_signature_has_low_s_and_verifies(signer):
    signatures = [signer.sign(MESSAGE) for _ in range(40)]
    assert all(is_low_s(signature) for signature in signatures)
    for signature in signatures:
        verify_signature(signer.public_key, MESSAGE, signature)


def test_low_s_is_at_most_half_the_order_rounded_down():
    assert is_low_s(sequence(integer(1), integer(HALF_ORDER)))
    assert not is_low_s(sequence(integer(1), integer(HALF_ORDER + 1)))


def test_the_high_form_of_a_good_signature_is_refused_and_can_be_normalised(signer):
    good = signer.sign(MESSAGE)
    r, s = parse_signature(good)
    high = sequence(integer(r), integer(CURVE_ORDER - s))
    signer.public_key.verify(high, MESSAGE, ec.ECDSA(hashes.SHA256()))  # ECDSA itself accepts it
    assert refusal(signer, high) is Reason.HIGH_S_SIGNATURE
    assert to_low_s(high) == good


def test_signature_of_another_message_or_key_is_refused(signer):
    assert refusal(signer, signer.sign(MESSAGE + b"0")) is Reason.BAD_SIGNATURE
    assert refusal(signer, Signer(generate_key()).sign(MESSAGE)) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(b"", id="empty"),
        pytest.param(bytes(8), id="zeros"),
        pytest.param(sequence(integer(0), integer(1 << 40)), id="r-zero"),
        pytest.param(sequence(integer(1 << 40), integer(0)), id="s-zero"),
        pytest.param(sequence(integer(CURVE_ORDER), integer(1)), id="r-order"),
        pytest.param(sequence(integer(1), integer(CURVE_ORDER)), id="s-order"),
        pytest.param(sequence(integer(1 << 40, padding=1), integer(1)), id="r-padded"),
        pytest.param(sequence(b"\x02\x01\x80", integer(1 << 40)), id="r-negative"),
        pytest.param(sequence(b"\x02\x00", integer(1 << 40)), id="r-empty"),
        pytest.param(sequence(integer(1 << 40)), id="one-integer"),
        pytest.param(sequence(integer(1), integer(1), integer(1)), id="three-integers"),
        pytest.param(sequence(integer(1 << 40), integer(1)) + b"\x00", id="trailing-byte"),
        pytest.param(b"\x30\x81\x08" + integer(1 << 8) + integer(1 << 8), id="long-length"),
        pytest.param(b"\x30\x80" + integer(1 << 8) + integer(1) + b"\0\0", id="indefinite"),
        pytest.param(sequence(integer(1 << 300), integer(1)), id="too-long"),
    ],
)
def test_what_is_not_strict_der_in_range_is_refused(signer, signature):
    assert refusal(signer, signature) is Reason.BAD_SIGNATURE


@given(st.binary(max_size=80))
@settings(max_examples=300)
def test_arbitrary_bytes_never_crash_the_parser(data):
    with suppress(InvalidMessage):
        r, s = parse_signature(data)
        assert sequence(integer(r), integer(s)) == data


def test_no_flipped_bit_leaves_a_signature_good(signer):
    signature = signer.sign(MESSAGE)
    for bit in range(8 * len(signature)):
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InvalidMessage):
            verify_signature(signer.public_key, MESSAGE, bytes(changed))


def test_signer_reads_pkcs8_and_sec1_keys():
    key = generate_key()
    sec1 = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    for pem in (private_key_pem(key), sec1):
        verify_signature(key.public_key(), MESSAGE, Signer(pem).sign(MESSAGE))


def test_signer_refuses_other_keys():
    rsa_pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(NodeFault, match="P-256"):
        Signer(ec.generate_private_key(ec.SECP384R1()))
    with pytest.raises(NodeFault, match="P-256"):
        Signer(ec.generate_private_key(ec.SECP256K1()))
    with pytest.raises(NodeFault, match="P-256"):
        Signer(rsa_pem)
    with pytest.raises(NodeFault, match="cannot be read"):
        Signer(b"not a key")


def test_identity_knows_whether_its_key_is_its_certificates():
    first, second, *_ = consortium().nodes()
    assert first.key_matches()
    assert not type(first)(first.mspid, first.certificate_pem, second.signer).key_matches()
