"""The list of validators: one encoding, strict reading, a fingerprint to compare."""

import json

import pytest

from ledger.errors import InvalidMessage
from ledger.receipts.trust import (
    TRUST_BYTES_MAX,
    decode_trust,
    encode_trust,
    fingerprint,
    trusted_from_blocks,
)
from tests.support.receipt_world import strangers


@pytest.fixture(scope="module")
def trusted():
    return trusted_from_blocks(strangers().genesis)


def test_it_comes_back_the_same(trusted):
    again = decode_trust(encode_trust(trusted))
    assert encode_trust(again) == encode_trust(trusted)
    assert fingerprint(again) == fingerprint(trusted)
    assert again.sets[0].set_hash == trusted.sets[0].set_hash


def test_who_seals_follows_the_height(trusted):
    assert trusted.sealing(0) is None
    assert trusted.sealing(1) is trusted.sealing(10**9) is trusted.sets[0]


def test_another_key_is_another_fingerprint(trusted):
    other = trusted_from_blocks(strangers().genesis)
    assert fingerprint(other) != fingerprint(trusted)


def changed(trusted, **fields):
    return json.dumps(json.loads(encode_trust(trusted)) | fields).encode()


@pytest.mark.parametrize(
    "fields",
    [
        {"format": "another"},
        {"sets": []},
        {"sets": [{"from_block": 1, "validators": []}]},
        {"sets": "all"},
        {"genesis_hash": "00"},
        {"genesis_hash": 5},
        {"channel_id": 5},
        {"as_of_block": -1},
        {"as_of_block": True},
        {"as_of_block": 1.5},
        {"sets": [{"from_block": 1, "validators": [{"id": 1, "member": "A", "public_key": "?"}]}]},
        {
            "sets": [
                {"from_block": 1, "validators": [{"id": 1, "member": "A", "public_key": "AAAA"}]}
            ]
        },
    ],
)
def test_nonsense_is_refused(trusted, fields):
    with pytest.raises(InvalidMessage):
        decode_trust(changed(trusted, **fields))


def test_sets_that_do_not_ascend_or_repeat_somebody_are_refused(trusted):
    (one,) = json.loads(encode_trust(trusted))["sets"]
    for sets in ([one, one], [one | {"validators": one["validators"] * 2}]):
        with pytest.raises(InvalidMessage):
            decode_trust(changed(trusted, sets=sets))


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"\xff", b"[" * 5_000])
def test_what_is_no_list_is_refused(raw):
    with pytest.raises(InvalidMessage):
        decode_trust(raw)


def test_a_list_has_a_largest_size():
    with pytest.raises(InvalidMessage):
        decode_trust(bytes(TRUST_BYTES_MAX + 1))
