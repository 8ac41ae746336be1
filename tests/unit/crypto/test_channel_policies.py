"""Policies of a channel by path: implicit meta policies and the forms validation asks for."""

from dataclasses import replace

import pytest

from ledger.crypto.channel_policies import (
    DEFAULT_APPLICATION_POLICY,
    POLICIES_CACHED_MAX,
    ChannelPolicies,
)
from ledger.crypto.msp import MspRegistry
from ledger.crypto.peer_sets import layout_of, listed_layouts
from ledger.crypto.policy_text import parse_policy
from ledger.errors import InvalidMessage, Reason
from ledger.model.config import (
    ADMINS_POLICY,
    APPLICATION,
    BLOCK_VALIDATION_POLICY,
    DEFAULT_ENDORSEMENT_POLICY,
    READERS_POLICY,
    WRITERS_POLICY,
)
from ledger.model.policy import (
    ImplicitMeta,
    MetaRule,
    NOutOf,
    PolicyReference,
    Principal,
    Role,
    SignaturePolicy,
    SignedBy,
)
from ledger.model.policy_codec import encode_application_policy, encode_signature_policy
from tests.support.identities import COOPERATIVE, MSPIDS, THREE_OF_FOUR, UTILITY, consortium


@pytest.fixture(scope="module")
def policies() -> ChannelPolicies:
    return ChannelPolicies(consortium().config, consortium().registry())


@pytest.fixture(scope="module")
def nodes() -> list[bytes]:
    return [node.serialized for node in consortium().nodes()]


def refusal(check, *arguments) -> Reason:
    with pytest.raises(InvalidMessage) as caught:
        check(*arguments)
    return caught.value.reason


def test_default_endorsement_is_a_majority_of_members(policies, nodes):
    check = policies.require_application_policy
    check(DEFAULT_APPLICATION_POLICY, nodes[:3])
    assert refusal(check, DEFAULT_APPLICATION_POLICY, nodes[:2]) is Reason.POLICY_NOT_SATISFIED
    clients = [member.client.serialized for member in consortium().members]
    assert refusal(check, DEFAULT_APPLICATION_POLICY, clients) is Reason.POLICY_NOT_SATISFIED


def test_signature_policies_of_chaincodes_and_keys(policies, nodes):
    policy = parse_policy(THREE_OF_FOUR)
    policies.require_application_policy(encode_application_policy(policy), nodes[1:])
    policies.require_key_policy(encode_signature_policy(policy), nodes[1:])
    for check, raw in (
        (policies.require_application_policy, encode_application_policy(policy)),
        (policies.require_key_policy, encode_signature_policy(policy)),
    ):
        assert refusal(check, raw, [nodes[0]] * 3) is Reason.POLICY_NOT_SATISFIED
        assert refusal(check, b"\xff", nodes) is Reason.MALFORMED


def test_strangers_neither_help_nor_harm(policies, nodes):
    strangers = [b"", b"\xff\xff", nodes[0].replace(b"CoopMSP", b"NoopMSP")]
    policies.require_application_policy(DEFAULT_APPLICATION_POLICY, [*strangers, *nodes[:3]])
    assert (
        refusal(
            policies.require_application_policy,
            DEFAULT_APPLICATION_POLICY,
            [*strangers, *nodes[:2]],
        )
        is Reason.POLICY_NOT_SATISFIED
    )


def test_a_revoked_endorser_no_longer_counts(nodes):
    cooperative = consortium().member(COOPERATIVE)
    revoked = cooperative.authority.revoke(
        [cooperative.node.certificate_pem], now=consortium().created
    )
    config = consortium().config
    members = tuple(
        replace(member, revocation_lists=(revoked,)) if member.mspid == COOPERATIVE else member
        for member in config.members
    )
    config = replace(config, members=members)
    policies = ChannelPolicies(config, MspRegistry(config))
    check = policies.require_application_policy
    assert refusal(check, DEFAULT_APPLICATION_POLICY, nodes[:3]) is Reason.POLICY_NOT_SATISFIED
    check(DEFAULT_APPLICATION_POLICY, nodes[1:])


def test_readers_writers_admins(policies):
    registry = consortium().registry()
    member = consortium().member(UTILITY)
    node, admin, client = (
        [registry.identity(signer.serialized)]
        for signer in (member.node, member.admin, member.client)
    )
    for identity in (node, admin, client):
        policies.require_path(READERS_POLICY, identity)
    policies.require_path(WRITERS_POLICY, client)
    policies.require_path(WRITERS_POLICY, admin)
    assert refusal(policies.require_path, WRITERS_POLICY, node) is Reason.POLICY_NOT_SATISFIED
    assert refusal(policies.require_path, ADMINS_POLICY, admin) is Reason.POLICY_NOT_SATISFIED
    admins = [registry.identity(m.admin.serialized) for m in consortium().members[:3]]
    policies.require_path(ADMINS_POLICY, admins)


def test_block_validation_needs_a_quorum_of_consenters(policies, nodes):
    registry = consortium().registry()
    signers = [registry.identity(node) for node in nodes]
    policies.require_path(BLOCK_VALIDATION_POLICY, signers[:3])
    too_few = refusal(policies.require_path, BLOCK_VALIDATION_POLICY, signers[2:])
    assert too_few is Reason.POLICY_NOT_SATISFIED


def test_a_policy_that_does_not_exist_is_satisfied_by_nobody(policies, nodes):
    raw = encode_application_policy(PolicyReference("/Channel/Application/Nothing"))
    assert refusal(policies.require_application_policy, raw, nodes) is Reason.POLICY_NOT_SATISFIED
    assert policies.layouts(raw) == []


@pytest.mark.parametrize(
    ("rule", "needed"), [(MetaRule.ANY, 1), (MetaRule.MAJORITY, 3), (MetaRule.ALL, 4)]
)
def test_implicit_meta_rules(nodes, rule, needed):
    config = consortium().config
    changed = {
        **config.policies,
        DEFAULT_ENDORSEMENT_POLICY: ImplicitMeta(rule, "Endorsement"),
    }
    policies = ChannelPolicies(replace(config, policies=changed), consortium().registry())
    check = policies.require_application_policy
    check(DEFAULT_APPLICATION_POLICY, nodes[:needed])
    few = refusal(check, DEFAULT_APPLICATION_POLICY, nodes[: needed - 1])
    assert few is Reason.POLICY_NOT_SATISFIED
    assert {len(layout) for layout in policies.layouts(DEFAULT_APPLICATION_POLICY)} == {needed}


def test_layouts_of_the_default_policy_and_of_a_text(policies):
    by_majority = policies.layouts(DEFAULT_APPLICATION_POLICY)
    by_text = policies.layouts(encode_application_policy(parse_policy(THREE_OF_FOUR)))
    assert by_majority == by_text
    assert len(by_text) == len(MSPIDS)


def test_one_member_can_neither_stop_planning_nor_make_a_peer_indispensable():
    """Its own Endorsement policy has 10^14 ways, all with an admin's signature or 25 peers."""
    config = consortium().config
    principals = (Principal(COOPERATIVE, Role.ADMIN), Principal(COOPERATIVE, Role.PEER))
    bomb = SignaturePolicy(NOutOf(25, (SignedBy(0),) + (SignedBy(1),) * 49), principals)
    changed = {**config.policies, f"{APPLICATION}/{COOPERATIVE}/Endorsement": bomb}
    policies = ChannelPolicies(replace(config, policies=changed), consortium().registry())
    others = layout_of(dict.fromkeys(set(MSPIDS) - {COOPERATIVE}, 1))
    found = policies.layouts(DEFAULT_APPLICATION_POLICY)
    assert found[0] == others
    assert {len(layout) for layout in found[1:]} == {27}
    raw = encode_signature_policy(bomb)
    assert listed_layouts(policies.key_requirement(raw)) == [layout_of({COOPERATIVE: 25})]


def test_the_memory_for_policies_is_bounded(nodes):
    policies = ChannelPolicies(consortium().config, consortium().registry())
    for number in range(POLICIES_CACHED_MAX + 50):
        policy = parse_policy(f"OR('CoopMSP.peer', 'M{number}.peer')")
        policies.require_key_policy(encode_signature_policy(policy), nodes[:1])
        assert len(policies._of_keys) <= POLICIES_CACHED_MAX
