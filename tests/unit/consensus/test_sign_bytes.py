"""A signature is bound to one ledger, one validator set and one payload."""

from dataclasses import replace

import pytest

from ledger.consensus.messages import SigningDomain, sign_bytes

DOMAIN = SigningDomain(
    network_id="riverside",
    channel_id="energy",
    genesis_hash=b"g" * 32,
    validator_set_hash=b"v" * 32,
)


@pytest.mark.parametrize(
    "other",
    [
        replace(DOMAIN, network_id="hillside"),
        replace(DOMAIN, channel_id="water"),
        replace(DOMAIN, genesis_hash=b"h" * 32),
        replace(DOMAIN, validator_set_hash=b"w" * 32),
    ],
    ids=["network", "channel", "genesis", "validator set"],
)
def test_the_same_vote_elsewhere_has_other_sign_bytes(other):
    assert sign_bytes(DOMAIN, b"vote") != sign_bytes(other, b"vote")


def test_fields_cannot_flow_into_each_other():
    left = replace(DOMAIN, network_id="ab", channel_id="c")
    right = replace(DOMAIN, network_id="a", channel_id="bc")
    assert sign_bytes(left, b"vote") != sign_bytes(right, b"vote")


def test_layout():
    domain = SigningDomain("n", "c", b"G", b"V")
    assert sign_bytes(domain, b"payload") == (
        b"GRIDLEDGER-CONSENSUS"
        b"\x00\x00\x00\x01\x01"
        b"\x00\x00\x00\x01n"
        b"\x00\x00\x00\x01c"
        b"\x00\x00\x00\x01G"
        b"\x00\x00\x00\x01V"
        b"payload"
    )
