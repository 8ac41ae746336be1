"""Collections are read from Fabric's bytes, and every mistake in them is named."""

import pytest

from ledger.crypto.policy_text import parse_policy
from ledger.errors import InvalidMessage, Reason
from ledger.model.policy import PolicyReference
from ledger.model.policy_codec import decode_application_policy, encode_application_policy
from ledger.model.private_collections import (
    COLLECTIONS_MAX,
    Collection,
    encode_collections,
    find_collection,
    implicit_collection,
    implicit_member,
    require_alternatives,
    static_collections,
)
from ledger.wire import protos_pb2

TWO_MEMBERS = parse_policy("OR('CoopMSP.member', 'DsoMSP.member')")


def collection(name="prices", **changes):
    return Collection(**{"name": name, "member_policy": TWO_MEMBERS, **changes})


def package(*collections):
    return encode_collections(collections)


def refusal(raw):
    with pytest.raises(InvalidMessage) as refused:
        static_collections(raw)
    return refused.value


def test_everything_in_a_collection_survives_its_bytes():
    whole = collection(
        required_peer_count=1,
        maximum_peer_count=2,
        block_to_live=10,
        member_only_read=True,
        member_only_write=True,
        endorsement_policy=encode_application_policy(PolicyReference("/Channel/Application/X")),
    )
    assert static_collections(package(whole, collection("other"))) == {
        "prices": whole,
        "other": collection("other"),
    }


def test_no_bytes_are_no_collections():
    assert static_collections(b"") == {}


def test_members_are_the_organizations_of_the_policy():
    assert collection().members == {"CoopMSP", "DsoMSP"}


@pytest.mark.parametrize(("to_live", "expires"), [(0, None), (1, 9), (10, 18)])
def test_a_value_lives_for_so_many_blocks_after_its_own(to_live, expires):
    assert collection(block_to_live=to_live).expires_at(7) == expires


def test_each_member_has_an_implicit_collection_under_its_own_policy():
    found = find_collection("_implicit_org_DsoMSP", {})
    assert found == implicit_collection("DsoMSP")
    assert found.members == {"DsoMSP"}
    assert decode_application_policy(found.endorsement_policy) == PolicyReference(
        "/Channel/Application/DsoMSP/Endorsement"
    )
    assert implicit_member("prices") is None
    assert find_collection("prices", {}) is None


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (collection(""), "no name"),
        (collection("n" * 256), "no name"),
        (collection("_implicit_org_CoopMSP"), "no name"),
        (collection(required_peer_count=2, maximum_peer_count=1), "required <= maximum"),
        (collection(required_peer_count=-1), "required <= maximum"),
        (collection(maximum_peer_count=1_001), "maximum peers <= 1000"),
    ],
)
def test_a_mistake_is_named(wrong, text):
    refused = refusal(package(wrong))
    assert refused.reason is Reason.MALFORMED
    assert text in refused.detail


def test_a_collection_without_members_and_one_defined_twice():
    nameless = protos_pb2.CollectionConfigPackage()
    nameless.config.add().static_collection_config.name = "prices"
    assert "has no member policy" in refusal(nameless.SerializeToString()).detail
    assert "defined twice" in refusal(package(collection(), collection())).detail


@pytest.mark.parametrize(
    ("policy", "is_any_of"),
    [
        ("OR('CoopMSP.member', OR('DsoMSP.peer', 'UtilityMSP.member'))", True),
        ("AND('CoopMSP.member', 'DsoMSP.member')", False),
        ("OR('CoopMSP.member', AND('DsoMSP.peer', 'UtilityMSP.member'))", False),
    ],
)
def test_members_are_any_of_them(policy, is_any_of):
    found = static_collections(package(collection(member_policy=parse_policy(policy))))
    if is_any_of:
        require_alternatives(found)
    else:
        with pytest.raises(InvalidMessage, match="not an OR of members"):
            require_alternatives(found)


def test_too_many_and_what_is_no_package():
    many = package(*(collection(f"c{n}") for n in range(COLLECTIONS_MAX + 1)))
    assert refusal(many).reason is Reason.OVERSIZED
    assert refusal(b"\xff").reason is Reason.MALFORMED
