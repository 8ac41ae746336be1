"""Policies of single keys, built from lists of members."""

import pytest

from chaincode.shim import ContractError, KeyPolicy, signed_by_all
from ledger.crypto.policy_text import format_policy, parse_policy
from ledger.model.policy import IdentityPrincipal, SignaturePolicy, SignedBy
from ledger.model.policy_codec import decode_signature_policy, encode_signature_policy


def text(raw: bytes) -> str:
    """The policy as the peer's own code reads it."""
    return format_policy(decode_signature_policy(raw))


def test_all_listed_members_must_sign_in_a_fixed_order():
    policy = KeyPolicy()
    policy.add_orgs("PEER", "SellerMSP", "BuyerMSP")
    policy.add_orgs("MEMBER", "AuditMSP")
    assert policy.list_orgs() == ["AuditMSP", "BuyerMSP", "SellerMSP"]
    assert text(policy.policy()) == (
        "OutOf(3, 'AuditMSP.member', 'BuyerMSP.peer', 'SellerMSP.peer')"
    )


def test_fewer_than_all_may_be_enough():
    policy = KeyPolicy(signed_by_all(["A", "B", "C"]))
    assert text(policy.policy(needed=2)) == "OutOf(2, 'A.peer', 'B.peer', 'C.peer')"


def test_a_present_policy_is_read_and_changed():
    policy = KeyPolicy(encode_signature_policy(parse_policy("AND('A.peer', 'B.admin')")))
    assert policy.list_orgs() == ["A", "B"]
    policy.del_orgs("A", "nobody")
    policy.add_orgs("PEER", "C")
    assert text(policy.policy()) == "OutOf(2, 'B.admin', 'C.peer')"


def test_the_bytes_are_those_of_the_ledgers_own_codec():
    expected = encode_signature_policy(parse_policy("AND('A.peer', 'B.peer')"))
    assert signed_by_all(["B", "A"]) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: KeyPolicy(b"\xff"),
        lambda: KeyPolicy().policy(),
        lambda: KeyPolicy(signed_by_all(["A"])).policy(needed=2),
        lambda: KeyPolicy(signed_by_all(["A"])).policy(needed=0),
        lambda: KeyPolicy().add_orgs("KING", "A"),
        lambda: KeyPolicy(
            encode_signature_policy(
                SignaturePolicy(SignedBy(0), (IdentityPrincipal("A", b"certificate"),))
            )
        ),
    ],
)
def test_what_cannot_be_listed_is_refused(wrong):
    with pytest.raises(ContractError, match="INVALID_POLICY"):
        wrong()
