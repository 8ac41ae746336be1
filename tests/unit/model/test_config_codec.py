"""Channel configuration: our own both ways, and Fabric's genesis block with the same decoder."""

from dataclasses import replace

import pytest

from ledger.crypto.channel_policies import DEFAULT_APPLICATION_POLICY, ChannelPolicies
from ledger.crypto.hashing import block_signature_message
from ledger.crypto.msp import MspRegistry
from ledger.crypto.signing import verify_signature
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec_block import decode_block_signatures
from ledger.model.codec_header import encode_identity
from ledger.model.config import (
    BLOCK_VALIDATION_POLICY,
    CONFIG_BYTES_MAX,
    BatchLimits,
    ChannelConfig,
    block_quorum,
    block_validation_policy,
)
from ledger.model.config_codec import (
    decode_config,
    decode_config_block,
    decode_config_envelope,
)
from ledger.model.config_codec_encode import encode_config, encode_config_envelope
from ledger.model.policy import IdentityPrincipal, ImplicitMeta, MetaRule, Role
from ledger.wire import common_pb2, msp_pb2
from tests.support.identities import CHANNEL_ID, COOPERATIVE, UTILITY, consortium
from tests.unit.model.fabric_blocks import block, envelope

TIME_NS = 1_800_000_000_123_000_000
NONCE = bytes(range(24))


def wire_config() -> common_pb2.ConfigEnvelope:
    return common_pb2.ConfigEnvelope.FromString(encode_config(consortium().config))


def reread(wire: common_pb2.ConfigEnvelope) -> ChannelConfig:
    return decode_config(wire.SerializeToString(), channel_id=CHANNEL_ID)


def refusal(wire: common_pb2.ConfigEnvelope) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as caught:
        reread(wire)
    return caught.value


# -- ours -----------------------------------------------------------------------------------------


def full_config() -> ChannelConfig:
    """The consortium's configuration with every optional part in use."""
    config = consortium().config
    authority = consortium().member(COOPERATIVE).authority
    revoked = authority.revoke([], now=consortium().created)
    first, *others = config.members
    first = replace(
        first,
        revocation_lists=(revoked,),
        tls_intermediate_certs=(b"not read here",),
        anchor_peers=(("peer.example", 7051),),
    )
    others[-1] = replace(others[-1], in_orderer=False, orderer_endpoints=())
    policies = {
        path: policy
        for path, policy in config.policies.items()
        if not path.startswith(f"/Channel/Orderer/{others[-1].mspid}/")
    }
    return replace(
        config,
        members=(first, *others),
        policies=policies,
        acls={"qscc/GetChainInfo": "/Channel/Application/Readers"},
        block_interval_ms=5_000,
        batch_limits=BatchLimits(max_transactions=7, max_bytes=1000, absolute_max_bytes=2000),
        sequence=3,
    )


@pytest.mark.parametrize("config", [consortium().config, full_config()], ids=["usual", "full"])
def test_what_is_encoded_is_decoded(config):
    assert decode_config(encode_config(config), channel_id=CHANNEL_ID) == config
    raw = encode_config_envelope(config, timestamp_ns=TIME_NS, nonce=NONCE)
    assert decode_config_envelope(raw) == config


def test_encoding_does_not_depend_on_the_order_of_mappings():
    config = full_config()
    shuffled = replace(
        config,
        policies=dict(reversed(config.policies.items())),
        acls=dict(reversed(config.acls.items())),
    )
    assert encode_config(shuffled) == encode_config(config)


def test_settings_of_ours_stay_out_of_fabrics_way():
    """They sit in the consensus metadata; only names Fabric knows are used as values."""
    channel = wire_config().config.channel_group
    assert set(channel.values) == {
        "HashingAlgorithm",
        "BlockDataHashingStructure",
        "Capabilities",
    }
    orderer = channel.groups["Orderer"]
    assert set(orderer.values) == {
        "ConsensusType",
        "BatchSize",
        "BatchTimeout",
        "Capabilities",
        "Orderers",
    }
    assert set(orderer.groups[UTILITY].values) == {"MSP", "Endpoints"}
    assert set(channel.groups["Application"].values) == {"Capabilities"}


def test_everything_that_can_change_names_who_may_change_it():
    groups = [wire_config().config.channel_group]
    while groups:
        group = groups.pop()
        groups.extend(group.groups.values())
        parts = (*group.values.values(), *group.policies.values())
        assert {group.mod_policy, *(part.mod_policy for part in parts)} == {"Admins"}


def test_block_validation_is_a_quorum_of_consenter_certificates():
    config = consortium().config
    policy = config.policies[BLOCK_VALIDATION_POLICY]
    assert policy == block_validation_policy(config.consenters)
    assert policy.rule.n == 3
    assert policy.principals[0] == IdentityPrincipal(
        COOPERATIVE, consortium().member(COOPERATIVE).node.certificate_pem
    )
    assert [block_quorum(n) for n in (1, 2, 3, 4, 5, 6, 7, 10)] == [1, 2, 2, 3, 4, 4, 5, 7]
    for n in range(1, 200):
        faulty = (n - 1) // 3
        assert block_quorum(n) == -(-(n + faulty + 1) // 2)


# -- refused --------------------------------------------------------------------------------------


def test_other_consensus_and_hashing_are_refused():
    wire = wire_config()
    orderer = wire.config.channel_group.groups["Orderer"]
    orderer.values["ConsensusType"].value = b"\n\x08etcdraft"
    assert "etcdraft" in refusal(wire).detail
    wire = wire_config()
    wire.config.channel_group.values["HashingAlgorithm"].value = b"\n\x04SHA3"
    assert "SHA3" in refusal(wire).detail


@pytest.mark.parametrize("name", ["Orderer", "Application"])
def test_both_groups_are_needed(name):
    wire = wire_config()
    del wire.config.channel_group.groups[name]
    assert f"no group {name}" in refusal(wire).detail
    assert refusal(common_pb2.ConfigEnvelope()).reason is Reason.MALFORMED


def changed_msp(group: str, change) -> common_pb2.ConfigEnvelope:
    wire = wire_config()
    value = wire.config.channel_group.groups[group].groups[UTILITY].values["MSP"]
    wrapper = msp_pb2.MSPConfig.FromString(value.value)
    msp = msp_pb2.FabricMSPConfig.FromString(wrapper.config)
    change(msp)
    wrapper.config = msp.SerializeToString()
    value.value = wrapper.SerializeToString()
    return wire


def test_a_member_is_the_same_in_both_groups():
    wire = changed_msp("Orderer", lambda msp: msp.root_certs.append(b"another"))
    assert "not the same" in refusal(wire).detail


def test_a_members_group_is_named_like_its_msp():
    wire = changed_msp("Orderer", lambda msp: setattr(msp, "name", COOPERATIVE))
    assert "holds the MSP of" in refusal(wire).detail


def test_roles_need_node_ous_of_the_usual_names():
    def switch_off(msp):
        msp.fabric_node_ous.enable = False

    def rename(msp):
        msp.fabric_node_ous.peer_ou_identifier.organizational_unit_identifier = "node"

    for change in (switch_off, rename):
        assert "node OUs" in refusal(changed_msp("Application", change)).detail


def test_lists_are_bounded():
    wire = changed_msp("Application", lambda msp: msp.root_certs.extend([b"x"] * 20))
    assert refusal(wire).reason is Reason.OVERSIZED
    with pytest.raises(InvalidMessage) as caught:
        decode_config_envelope(bytes(CONFIG_BYTES_MAX + 1))
    assert caught.value.reason is Reason.OVERSIZED


def test_a_name_with_a_slash_cannot_pass_for_another_groups_policy():
    wire = wire_config()
    application = wire.config.channel_group.groups["Application"]
    anyone = application.policies["Readers"]
    application.policies[f"{UTILITY}/Endorsement"].CopyFrom(anyone)
    assert "slash" in refusal(wire).detail


def test_a_consenter_id_is_used_once():
    wire = wire_config()
    value = wire.config.channel_group.groups["Orderer"].values["Orderers"]
    value.value += value.value
    assert "different ids" in refusal(wire).detail


def test_what_is_no_configuration_is_refused():
    with pytest.raises(InvalidMessage, match="carries no configuration"):
        decode_config_envelope(envelope(5).raw)
    with pytest.raises(InvalidMessage, match="not a configuration block"):
        decode_config_block(replace(consortium().genesis, entries=()))
    with pytest.raises(InvalidMessage, match="does not parse"):
        decode_config_envelope(b"\xff")


# -- Fabric's -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fabric() -> ChannelConfig:
    return decode_config_block(block(0))


def test_fabrics_genesis_block_decodes(fabric):
    assert fabric.channel_id == "mychannel"
    assert [(m.mspid, m.in_application, m.in_orderer) for m in fabric.members] == [
        ("OrdMSP", False, True),
        ("Org1MSP", True, False),
    ]
    assert fabric.members[0].orderer_endpoints == ("127.0.0.1:26050",)
    (consenter,) = fabric.consenters
    assert (consenter.consenter_id, consenter.mspid, consenter.port) == (1, "OrdMSP", 26050)
    assert fabric.batch_limits == BatchLimits(10, 2 * 1024 * 1024, 10 * 1024 * 1024)
    assert fabric.channel_capabilities == ("V3_0",)
    assert fabric.application_capabilities == ("V2_5",)
    assert fabric.policies["/Channel/Application/Endorsement"] == ImplicitMeta(
        MetaRule.MAJORITY, "Endorsement"
    )
    assert fabric.policies[BLOCK_VALIDATION_POLICY] == block_validation_policy(fabric.consenters)
    assert (fabric.network_id, fabric.block_interval_ms) == ("", 0)


def test_fabrics_policies_are_laid_out_byte_for_byte_as_ours(fabric):
    original = common_pb2.ConfigEnvelope.FromString(payload_data(block(0).entries[0]))
    ours = common_pb2.ConfigEnvelope.FromString(encode_config(fabric))
    pairs = [(original.config.channel_group, ours.config.channel_group)]
    compared = 0
    while pairs:
        theirs, mine = pairs.pop()
        assert set(theirs.groups) == set(mine.groups)
        assert set(theirs.policies) == set(mine.policies)
        pairs += [(theirs.groups[name], mine.groups[name]) for name in theirs.groups]
        for name, policy in theirs.policies.items():
            assert policy == mine.policies[name]
            compared += 1
        for name in set(theirs.values) - {"ConsensusType", "BatchTimeout", "ChannelRestrictions"}:
            assert theirs.values[name] == mine.values[name], name
            compared += 1
    assert compared == 19 + 10  # policies, values


def payload_data(raw: bytes) -> bytes:
    return common_pb2.Payload.FromString(common_pb2.Envelope.FromString(raw).payload).data


def test_fabrics_identities_are_accepted_by_fabrics_configuration(fabric):
    """Creators and endorsers of Fabric's own transactions, through chain, OU and curve checks."""
    registry = MspRegistry(fabric)
    policies = ChannelPolicies(fabric, registry)
    roles = set()
    for number in range(1, 11):
        opened = envelope(number)
        creator = registry.identity(opened.header.creator)
        verify_signature(creator.public_key, opened.payload_raw, opened.signature)
        roles.add(creator.role)
        endorsers = [endorsement.endorser for endorsement in opened.transaction.endorsements]
        assert {registry.identity(endorser).role for endorser in endorsers} == {Role.PEER}
        policies.require_application_policy(DEFAULT_APPLICATION_POLICY, endorsers)
    assert roles <= {Role.ADMIN, Role.CLIENT}


def test_fabrics_block_signatures_satisfy_fabrics_block_validation_policy(fabric):
    registry = MspRegistry(fabric)
    (consenter,) = fabric.consenters
    identity = registry.identity(encode_identity(consenter.mspid, consenter.identity_pem))
    assert identity.role is Role.ORDERER
    for number in range(1, 11):
        fabric_block = block(number)
        signed = decode_block_signatures(fabric_block.metadata[0])
        (signature,) = signed.signatures
        assert signature.consenter_id == consenter.consenter_id
        message = block_signature_message(
            signed.value_raw, signature.identifier_header_raw, fabric_block.header
        )
        verify_signature(identity.public_key, message, signature.signature)
    ChannelPolicies(fabric, registry).require_path(BLOCK_VALIDATION_POLICY, [identity])
