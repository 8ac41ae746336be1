"""Fabric's file of collections, and every mistake in it."""

import json

import pytest

from ledger.crypto.collections_text import COLLECTIONS_TEXT_MAX, parse_collections
from ledger.crypto.policy_text import parse_policy
from ledger.errors import InvalidMessage
from ledger.model.policy import PolicyReference
from ledger.model.policy_codec import encode_application_policy
from ledger.model.private_collections import Collection, static_collections

POLICY = "OR('CoopMSP.member', 'DsoMSP.member')"


def text(**fields):
    return json.dumps([{"name": "prices", "policy": POLICY, **fields}])


def test_every_field_of_fabric_s_file():
    found = static_collections(
        parse_collections(
            text(
                requiredPeerCount=1,
                maxPeerCount=2,
                blockToLive=3,
                memberOnlyRead=True,
                memberOnlyWrite=True,
                endorsementPolicy={"signaturePolicy": "OR('CoopMSP.peer')"},
            )
        )
    )
    assert found["prices"] == Collection(
        name="prices",
        member_policy=parse_policy(POLICY),
        required_peer_count=1,
        maximum_peer_count=2,
        block_to_live=3,
        member_only_read=True,
        member_only_write=True,
        endorsement_policy=encode_application_policy(parse_policy("OR('CoopMSP.peer')")),
    )


def test_a_policy_of_the_channel_and_no_collections():
    path = "/Channel/Application/Endorsement"
    raw = parse_collections(text(endorsementPolicy={"channelConfigPolicy": path}))
    policy = static_collections(raw)["prices"].endorsement_policy
    assert policy == encode_application_policy(PolicyReference(path))
    assert parse_collections("") == b""


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("[", "are no JSON"),
        ("[" * 100_000, "are no JSON"),
        ("{}", "are no list"),
        ("[1]", "collection 1 is no object"),
        (text(name=""), "collection 1: name is a text"),
        (text(policy="AND("), "MALFORMED"),
        (text(policy="AND('A.member', 'B.member')"), "not an OR of members"),
        (text(blockToLive=-1), "blockToLive is a whole number"),
        (text(blockToLive=True), "blockToLive is a whole number"),
        (text(maxPeerCount=1.5), "maxPeerCount is a whole number"),
        (text(memberOnlyRead=1), "memberOnlyRead is true or false"),
        (text(requiredPeerCount=2, maxPeerCount=1), "required <= maximum"),
        (text(surprise=1), "unknown field 'surprise'"),
        (text(endorsementPolicy={}), "either a signaturePolicy or"),
        (text(endorsementPolicy={"signaturePolicy": 1}), "signaturePolicy is a text"),
        (json.dumps(json.loads(text()) * 2), "defined twice"),
        (" " * (COLLECTIONS_TEXT_MAX + 1), "OVERSIZED"),
    ],
)
def test_a_mistake_is_named(wrong, words):
    with pytest.raises(InvalidMessage) as refused:
        parse_collections(wrong)
    assert words in str(refused.value)
