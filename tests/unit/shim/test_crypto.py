"""Signatures a contract checks: one key, one message, one form."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chaincode.shim import verify_p256
from chaincode.shim.crypto import P256_ORDER

KEY = ec.generate_private_key(ec.SECP256R1())
POINT = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
COMPRESSED = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
MESSAGE = b"register_wh=1234"
R, S = decode_dss_signature(KEY.sign(MESSAGE, ec.ECDSA(SHA256())))
LOW = encode_dss_signature(R, min(S, P256_ORDER - S))
HIGH = encode_dss_signature(R, max(S, P256_ORDER - S))


@pytest.mark.parametrize("key", [POINT, COMPRESSED, PEM, PEM.decode(), POINT.hex()])
def test_a_good_signature_holds_under_every_form_of_the_key(key):
    assert verify_p256(key, MESSAGE, LOW)


@pytest.mark.parametrize(
    "signature",
    [
        HIGH,
        b"",
        LOW + b"\x00",
        LOW[:-1],
        bytes([LOW[0], 0x81]) + LOW[1:],  # a longer length field than needed
        encode_dss_signature(R, 0),
        encode_dss_signature(0, 1),
        encode_dss_signature(P256_ORDER, 1),
        encode_dss_signature(R, 1),
    ],
)
def test_every_other_signature_fails_quietly(signature):
    assert not verify_p256(POINT, MESSAGE, signature)


def test_another_message_or_key_fails():
    assert not verify_p256(POINT, MESSAGE + b" ", LOW)
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = other.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    assert not verify_p256(point, MESSAGE, LOW)


@pytest.mark.parametrize("key", [b"", b"\x04" + bytes(64), "zz", b"-----BEGIN PUBLIC KEY-----"])
def test_a_key_that_is_none_is_an_error(key):
    with pytest.raises(ValueError):
        verify_p256(key, MESSAGE, LOW)


def test_a_key_of_another_curve_is_an_error():
    key = ec.generate_private_key(ec.SECP384R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ValueError, match="not a P-256"):
        verify_p256(pem, MESSAGE, LOW)
