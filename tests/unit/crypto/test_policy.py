"""Signature policies: notation, bytes, evaluation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto.policy import is_satisfied, not_satisfied
from ledger.crypto.policy_text import format_policy, majority_of_peers, parse_policy
from ledger.crypto.signing import SigningIdentity
from ledger.errors import InvalidMessage, Reason
from ledger.model.policy import (
    POLICY_DEPTH_MAX,
    POLICY_LEAVES_MAX,
    IdentityPrincipal,
    NOutOf,
    PolicyReference,
    Principal,
    Role,
    SignaturePolicy,
    SignedBy,
)
from ledger.model.policy_codec import (
    decode_application_policy,
    decode_signature_policy,
    encode_application_policy,
    encode_signature_policy,
)
from network.certificates.authority import User
from tests.support.identities import (
    COOPERATIVE,
    MSPIDS,
    THREE_OF_FOUR,
    UTILITY,
    consortium,
)


def identities(*signers: SigningIdentity):
    registry = consortium().registry()
    return [registry.identity(signer.serialized) for signer in signers]


def satisfied(text: str, *signers: SigningIdentity) -> bool:
    return is_satisfied(parse_policy(text), identities(*signers))


@pytest.fixture(scope="module")
def nodes():
    return consortium().nodes()


@pytest.fixture(scope="module")
def cooperative():
    return consortium().member(COOPERATIVE)


# -- evaluation -----------------------------------------------------------------------------------


def test_three_of_four(nodes):
    for missing in nodes:
        three = [node for node in nodes if node is not missing]
        assert satisfied(THREE_OF_FOUR, *three)
    assert satisfied(THREE_OF_FOUR, *nodes)
    assert not satisfied(THREE_OF_FOUR, *nodes[:2])


def test_a_refusal_says_who_signed(nodes):
    refusal = not_satisfied(identities(*nodes[:2]))
    assert refusal.reason is Reason.POLICY_NOT_SATISFIED
    assert "CoopMSP.peer, MunicipalityMSP.peer" in refusal.detail
    assert "nobody" in not_satisfied([]).detail


def test_the_same_signer_counts_once(nodes):
    assert not satisfied(THREE_OF_FOUR, nodes[0], nodes[1], nodes[0], nodes[1])


def test_a_second_certificate_of_the_same_key_is_the_same_signer(cooperative):
    created = consortium().created
    request_key = cooperative.client.signer._key
    first, second = (
        SigningIdentity(
            COOPERATIVE,
            cooperative.authority.certify(User(name), request_key.public_key(), now=created),
            cooperative.client.signer,
        )
        for name in ("one", "two")
    )
    assert first.certificate_pem != second.certificate_pem
    assert not satisfied("AND('CoopMSP.client', 'CoopMSP.client')", first, second)


def test_a_signature_satisfies_one_leaf_only(cooperative):
    both = "AND('CoopMSP.member', 'CoopMSP.peer')"
    assert not satisfied(both, cooperative.node)
    # Leaves take signers in order: the peer is used up by the member leaf.
    assert not satisfied(both, cooperative.node, cooperative.client)
    assert satisfied(both, cooperative.client, cooperative.node)


def test_a_failed_branch_gives_its_signers_back(cooperative, nodes):
    text = "OutOf(1, AND('CoopMSP.peer', 'DsoMSP.admin'), 'CoopMSP.peer')"
    assert satisfied(text, cooperative.node)


@pytest.mark.parametrize(
    ("role", "who"),
    [
        ("member", {"node", "admin", "client"}),
        ("peer", {"node"}),
        ("admin", {"admin"}),
        ("client", {"client"}),
        ("orderer", set()),
    ],
)
def test_roles(cooperative, role, who):
    for name in ("node", "admin", "client"):
        signer = getattr(cooperative, name)
        assert satisfied(f"OR('{COOPERATIVE}.{role}')", signer) is (name in who)
        assert not satisfied(f"OR('{UTILITY}.{role}')", signer)


def test_an_identity_principal_means_exactly_that_certificate(nodes):
    policy = SignaturePolicy(
        rule=NOutOf(1, (SignedBy(0),)),
        principals=(IdentityPrincipal(COOPERATIVE, nodes[0].certificate_pem),),
    )
    assert is_satisfied(policy, identities(nodes[0]))
    other = consortium().member(COOPERATIVE).admin
    assert not is_satisfied(policy, identities(other))
    assert not is_satisfied(policy, identities(nodes[1]))


# -- notation -------------------------------------------------------------------------------------


def test_text_becomes_fabrics_tree():
    policy = parse_policy("AND('Org1MSP.member', OR(\"Org2MSP.peer\",'a.b-c.admin'))")
    assert policy == SignaturePolicy(
        rule=NOutOf(2, (SignedBy(0), NOutOf(1, (SignedBy(1), SignedBy(2))))),
        principals=(
            Principal("Org1MSP", Role.MEMBER),
            Principal("Org2MSP", Role.PEER),
            Principal("a.b-c", Role.ADMIN),
        ),
    )


def test_every_mention_is_a_principal_of_its_own():
    policy = parse_policy("outof(2, 'A.peer', 'A.peer')")
    assert policy.principals == (Principal("A", Role.PEER),) * 2
    assert policy.rule == NOutOf(2, (SignedBy(0), SignedBy(1)))


def test_majority_of_peers_is_more_than_half():
    assert majority_of_peers(MSPIDS) == THREE_OF_FOUR
    assert parse_policy(majority_of_peers(["A", "B", "C"])).rule.n == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "'A.peer'",
        "AND()",
        "AND('A.peer'",
        "AND('A.peer') x",
        "AND('A.peer',)",
        "AND('A')",
        "AND('A.boss')",
        "AND('A.PEER')",
        "AND('.peer')",
        "NOT('A.peer')",
        "OutOf('A.peer')",
        "OutOf(0, 'A.peer')",
        "OutOf(2, 'A.peer')",
        "OutOf(-1, 'A.peer')",
        "OutOf(1.5, 'A.peer')",
        "AND('A.peer' 'B.peer')",
        "AND(“A.peer”)",
    ],
)
def test_wrong_texts_are_refused(text):
    with pytest.raises(InvalidMessage) as caught:
        parse_policy(text)
    assert caught.value.reason is Reason.MALFORMED


def test_texts_are_bounded():
    deep = "OR(" * (POLICY_DEPTH_MAX + 2) + "'A.peer'" + ")" * (POLICY_DEPTH_MAX + 2)
    wide = "OR(" + ",".join(["'A.peer'"] * (POLICY_LEAVES_MAX + 1)) + ")"
    long = "OR('A.peer')" + " " * 20_000
    for text in (deep, wide, long):
        with pytest.raises(InvalidMessage) as caught:
            parse_policy(text)
        assert caught.value.reason is Reason.OVERSIZED


LEAVES = st.builds(
    "'{}.{}'".format, st.sampled_from(MSPIDS), st.sampled_from(["peer", "admin", "member"])
)
TEXTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, min_size=1, max_size=4).flatmap(
        lambda parts: st.sampled_from(["AND", "OR", "OutOf"]).flatmap(
            lambda name: st.integers(1, len(parts)).map(
                lambda n: f"{name}({f'{n}, ' if name == 'OutOf' else ''}{', '.join(parts)})"
            )
        )
    ),
    max_leaves=12,
).filter(lambda text: not text.startswith("'"))


@given(TEXTS)
def test_text_and_bytes_round_trip(text):
    policy = parse_policy(text)
    assert parse_policy(format_policy(policy)) == policy
    assert decode_signature_policy(encode_signature_policy(policy)) == policy
    assert decode_application_policy(encode_application_policy(policy)) == policy


# -- bytes ----------------------------------------------------------------------------------------


def test_bytes_are_fabrics():
    """Written by hand from Fabric's field numbers."""
    principal = {
        name: b"\x12" + bytes((len(role),)) + role
        for name, role in (("A", b"\n\x01A\x10\x03"), ("B", b"\n\x01B"))
    }
    expected = (
        b"\x12\x0c\x12\x0a\x08\x02\x12\x02\x08\x00\x12\x02\x08\x01"
        b"\x1a"
        + bytes((len(principal["A"]),))
        + principal["A"]
        + b"\x1a"
        + bytes((len(principal["B"]),))
        + principal["B"]
    )
    policy = parse_policy("AND('A.peer', 'B.member')")
    assert encode_signature_policy(policy) == expected
    assert encode_application_policy(policy) == b"\n" + bytes((len(expected),)) + expected


def test_application_policy_may_be_a_reference():
    reference = PolicyReference("/Channel/Application/Endorsement")
    raw = encode_application_policy(reference)
    assert raw == b"\x12\x20/Channel/Application/Endorsement"
    assert decode_application_policy(raw) == reference


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"\x08\x01\x12\x02\x08\x00",  # version 1
        b"\x12\x02\x08\x00",  # signed by a principal that is not listed
        b"\x12\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # signed by -1
        b"\x12\x00",  # an empty rule
        b"\x12\x02\x12\x00\x1a\x02\x08\x01",  # an organisational unit as principal
        b"\x12\x02\x12\x00\x1a\x04\x12\x02\x10\x09",  # role 9
    ],
)
def test_wrong_bytes_are_refused(raw):
    with pytest.raises(InvalidMessage) as caught:
        decode_signature_policy(raw)
    assert caught.value.reason is Reason.MALFORMED


def test_policies_in_bytes_are_bounded():
    rule: SignedBy | NOutOf = SignedBy(0)
    for _ in range(POLICY_DEPTH_MAX + 1):
        rule = NOutOf(1, (rule,))
    principals = (Principal("A", Role.PEER),)
    wide = NOutOf(1, (SignedBy(0),) * (2 * POLICY_LEAVES_MAX))
    many = SignaturePolicy(NOutOf(1, (SignedBy(0),)), principals * (POLICY_LEAVES_MAX + 1))
    for policy in (SignaturePolicy(rule, principals), SignaturePolicy(wide, principals), many):
        with pytest.raises(InvalidMessage) as caught:
            decode_signature_policy(encode_signature_policy(policy))
        assert caught.value.reason is Reason.OVERSIZED


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_or_read(data):
    for decode in (decode_signature_policy, decode_application_policy):
        try:
            decode(data)
        except InvalidMessage as error:
            reason = error.reason
        else:
            continue
        assert reason in (Reason.MALFORMED, Reason.OVERSIZED)
