"""Reads a channel configuration out of a Fabric config block (`config_codec_encode` writes it).

Also reads blocks made by Fabric itself: settings of ours that are missing there take their
defaults, values we do not use are skipped.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from google.protobuf.message import Message

from ledger.errors import InvalidMessage, Reason
from ledger.model.block import Block
from ledger.model.codec_parsing import parse_message
from ledger.model.codes import HeaderType
from ledger.model.config import (
    APPLICATION,
    CERTIFICATES_PER_MEMBER_MAX,
    CHANNEL,
    CONFIG_BYTES_MAX,
    CONSENTERS_MAX,
    MEMBERS_MAX,
    ORDERER,
    REVOCATION_LISTS_PER_MEMBER_MAX,
    BatchLimits,
    ChannelConfig,
    Consenter,
    MemberConfig,
)
from ledger.model.config_codec_encode import CONSENSUS_TYPE, HASHING_ALGORITHM, NODE_OUS
from ledger.model.policy import Policy
from ledger.model.policy_codec import policy_from_wire
from ledger.wire import common_pb2, consensus_pb2, msp_pb2, orderer_pb2, protos_pb2

M = TypeVar("M", bound=Message)


def decode_config_block(block: Block) -> ChannelConfig:
    """The configuration in a block with exactly one CONFIG envelope; raises InvalidMessage."""
    if len(block.entries) != 1:
        raise _malformed(f"block {block.number} is not a configuration block")
    return decode_config_envelope(block.entries[0])


def decode_config_envelope(raw: bytes) -> ChannelConfig:
    """The configuration in a CONFIG envelope; signatures are not checked here.

    Raises InvalidMessage MALFORMED or OVERSIZED.
    """
    if len(raw) > CONFIG_BYTES_MAX:
        raise InvalidMessage(
            Reason.OVERSIZED, f"a configuration takes at most {CONFIG_BYTES_MAX} bytes"
        )
    envelope = parse_message(common_pb2.Envelope, raw)
    payload = parse_message(common_pb2.Payload, envelope.payload)
    header = parse_message(common_pb2.ChannelHeader, payload.header.channel_header)
    if header.type != HeaderType.CONFIG:
        raise _malformed(f"an envelope of type {header.type} carries no configuration")
    return decode_config(payload.data, channel_id=header.channel_id)


def decode_config(raw: bytes, *, channel_id: str) -> ChannelConfig:
    """From ConfigEnvelope bytes; raises InvalidMessage MALFORMED or OVERSIZED."""
    config = parse_message(common_pb2.ConfigEnvelope, raw).config
    channel = config.channel_group
    application = _child(channel, "Application")
    orderer = _child(channel, "Orderer")
    algorithm = _value(channel, "HashingAlgorithm", common_pb2.HashingAlgorithm)
    if algorithm.name != HASHING_ALGORITHM:
        raise _malformed(f"hashing algorithm {algorithm.name!r} is not supported")
    settings = _ordering_settings(orderer)
    return ChannelConfig(
        channel_id=channel_id,
        network_id=settings.network_id,
        members=_members(application, orderer),
        consenters=_consenters(orderer),
        policies=_policies(channel, CHANNEL),
        batch_limits=_batch_limits(orderer),
        block_interval_ms=settings.block_interval_ms,
        removed_consenter_id=settings.removed_consenter_id,
        acls={
            resource: api.policy_ref
            for resource, api in _value(application, "ACLs", protos_pb2.ACLs).acls.items()
        },
        channel_capabilities=_capabilities(channel),
        orderer_capabilities=_capabilities(orderer),
        application_capabilities=_capabilities(application),
        sequence=config.sequence,
    )


def _members(
    application: common_pb2.ConfigGroup, orderer: common_pb2.ConfigGroup
) -> tuple[MemberConfig, ...]:
    """Members of both groups, ascending by MSP id; a member of both must be the same in both."""
    members: dict[str, MemberConfig] = {}
    for mspid, group in application.groups.items():
        anchors = _value(group, "AnchorPeers", protos_pb2.AnchorPeers).anchor_peers
        members[mspid] = replace(
            _member(mspid, group),
            in_orderer=False,
            anchor_peers=tuple((peer.host, peer.port) for peer in anchors),
        )
    for mspid, group in orderer.groups.items():
        endpoints = tuple(_value(group, "Endpoints", common_pb2.OrdererAddresses).addresses)
        member = replace(_member(mspid, group), in_application=False, orderer_endpoints=endpoints)
        other = members.get(mspid)
        if other is not None:
            both = replace(other, in_orderer=True, orderer_endpoints=endpoints)
            if replace(member, in_application=True, anchor_peers=both.anchor_peers) != both:
                raise _malformed(f"{mspid} is not the same in both groups")
            member = both
        members[mspid] = member
    if not 1 <= len(members) <= MEMBERS_MAX:
        raise _malformed(f"1 to {MEMBERS_MAX} members are needed, got {len(members)}")
    return tuple(members[mspid] for mspid in sorted(members))


def _member(mspid: str, group: common_pb2.ConfigGroup) -> MemberConfig:
    wrapper = _value(group, "MSP", msp_pb2.MSPConfig)
    if wrapper.type != 0:
        raise _malformed(f"{mspid}: MSP type {wrapper.type} is not supported")
    msp = parse_message(msp_pb2.FabricMSPConfig, wrapper.config)
    if msp.name != mspid:
        raise _malformed(f"group {mspid} holds the MSP of {msp.name!r}")
    _check_node_ous(mspid, msp.fabric_node_ous)
    return MemberConfig(
        mspid=mspid,
        root_certs=_bounded(mspid, msp.root_certs, CERTIFICATES_PER_MEMBER_MAX),
        tls_root_certs=_bounded(mspid, msp.tls_root_certs, CERTIFICATES_PER_MEMBER_MAX),
        intermediate_certs=_bounded(mspid, msp.intermediate_certs, CERTIFICATES_PER_MEMBER_MAX),
        tls_intermediate_certs=_bounded(
            mspid, msp.tls_intermediate_certs, CERTIFICATES_PER_MEMBER_MAX
        ),
        revocation_lists=_bounded(mspid, msp.revocation_list, REVOCATION_LISTS_PER_MEMBER_MAX),
    )


def _check_node_ous(mspid: str, node_ous: msp_pb2.FabricNodeOUs) -> None:
    """Roles come from OUs of Fabric's usual names, else nobody could tell a peer from a client."""
    units = (
        node_ous.client_ou_identifier,
        node_ous.peer_ou_identifier,
        node_ous.admin_ou_identifier,
        node_ous.orderer_ou_identifier,
    )
    names = tuple(unit.organizational_unit_identifier for unit in units)
    if not node_ous.enable or names != NODE_OUS:
        raise _malformed(f"{mspid}: node OUs must be on and named {', '.join(NODE_OUS)}")


def _bounded(mspid: str, values: Iterable[bytes], limit: int) -> tuple[bytes, ...]:
    items = tuple(values)
    if len(items) > limit:
        raise InvalidMessage(
            Reason.OVERSIZED, f"{mspid} lists {len(items)} certificates or lists, at most {limit}"
        )
    return items


def _consenters(orderer: common_pb2.ConfigGroup) -> tuple[Consenter, ...]:
    mapping = _value(orderer, "Orderers", common_pb2.Orderers).consenter_mapping
    if len(mapping) > CONSENTERS_MAX or len({wire.id for wire in mapping}) != len(mapping):
        raise _malformed(f"at most {CONSENTERS_MAX} consenters with different ids")
    return tuple(
        Consenter(
            consenter_id=wire.id,
            host=wire.host,
            port=wire.port,
            mspid=wire.msp_id,
            identity_pem=wire.identity,
            client_tls_cert=wire.client_tls_cert,
            server_tls_cert=wire.server_tls_cert,
        )
        for wire in sorted(mapping, key=lambda wire: wire.id)
    )


def _batch_limits(orderer: common_pb2.ConfigGroup) -> BatchLimits:
    size = _value(orderer, "BatchSize", orderer_pb2.BatchSize)
    if not (size.max_message_count and size.preferred_max_bytes <= size.absolute_max_bytes):
        raise _malformed("the batch size is not usable")
    return BatchLimits(
        max_transactions=size.max_message_count,
        max_bytes=size.preferred_max_bytes,
        absolute_max_bytes=size.absolute_max_bytes,
    )


def _ordering_settings(orderer: common_pb2.ConfigGroup) -> consensus_pb2.OrderingSettings:
    consensus = _value(orderer, "ConsensusType", orderer_pb2.ConsensusType)
    if consensus.type != CONSENSUS_TYPE:
        raise _malformed(f"consensus type {consensus.type!r} is not {CONSENSUS_TYPE}")
    return parse_message(consensus_pb2.OrderingSettings, consensus.metadata)


def _policies(group: common_pb2.ConfigGroup, path: str) -> dict[str, Policy]:
    """Policies of a group and all groups below it by full path; three levels, as Fabric has."""
    # A slash in a name would let it pass for another group's policy.
    if any("/" in name for name in (*group.policies, *group.groups)):
        raise _malformed(f"a name below {path} contains a slash")
    policies = {
        f"{path}/{name}": policy_from_wire(item.policy) for name, item in group.policies.items()
    }
    for name, child in group.groups.items():
        if path in (CHANNEL, APPLICATION, ORDERER):
            policies.update(_policies(child, f"{path}/{name}"))
    return policies


def _capabilities(group: common_pb2.ConfigGroup) -> tuple[str, ...]:
    return tuple(sorted(_value(group, "Capabilities", common_pb2.Capabilities).capabilities))


def _child(group: common_pb2.ConfigGroup, name: str) -> common_pb2.ConfigGroup:
    # Asking a map field for a missing message would create it.
    if name not in group.groups:
        raise _malformed(f"the configuration has no group {name}")
    return group.groups[name]


def _value(group: common_pb2.ConfigGroup, name: str, kind: type[M]) -> M:
    """A configuration value, or its defaults when the group does not have it."""
    return parse_message(kind, group.values[name].value) if name in group.values else kind()


def _malformed(detail: str) -> InvalidMessage:
    return InvalidMessage(Reason.MALFORMED, detail)
