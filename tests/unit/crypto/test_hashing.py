"""DER headers at the edges of their lengths, against an independent encoder."""

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto.hashing import (
    block_data_hash,
    block_header_der,
    block_signature_message,
    endorsement_message,
    sha256,
)
from ledger.model.block import BlockHeader

UINT64_MAX = 2**64 - 1


@given(st.integers(0, UINT64_MAX))
def test_block_numbers_are_der_integers(number):
    der = block_header_der(BlockHeader(number, b"", b""))
    # A signature is a SEQUENCE of two INTEGERs, written by OpenSSL; its second one is 1 here.
    integer = encode_dss_signature(number, 1)[2:-3]
    assert der[2:] == integer + b"\x04\x00\x04\x00"


def test_header_in_der():
    header = BlockHeader(128, b"\xaa" * 32, b"\xbb" * 32)
    expected = (
        bytes((0x30, 4 + 34 + 34))
        + bytes((0x02, 2, 0x00, 0x80))
        + bytes((0x04, 32)) + b"\xaa" * 32
        + bytes((0x04, 32)) + b"\xbb" * 32
    )  # fmt: skip
    assert block_header_der(header) == expected


def test_lengths_above_127_take_the_long_form():
    der = block_header_der(BlockHeader(0, b"", bytes(300)))
    assert der[:4] == bytes((0x30, 0x82)) + (len(der) - 4).to_bytes(2, "big")
    assert bytes((0x04, 0x82, 0x01, 0x2C)) + bytes(300) in der
    assert block_header_der(BlockHeader(0, b"", bytes(200)))[:3] == bytes((0x30, 0x81, 208))


def test_orders_of_the_concatenations():
    header = BlockHeader(1, b"p", b"d")
    assert endorsement_message(b"payload", b"endorser") == b"payloadendorser"
    assert block_signature_message(b"value", b"identifier", header) == (
        b"valueidentifier" + block_header_der(header)
    )


@given(st.lists(st.binary(max_size=20)))
def test_data_hash_is_flat(entries):
    assert block_data_hash(entries) == sha256(b"".join(entries))
