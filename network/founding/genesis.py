"""Block 0 of a channel: the agreed configuration in Fabric's layout, readable by Fabric's tools.

`default_channel_config` fills in Fabric's usual policies; `genesis_block` writes the block. Both
are pure: time and nonce are the caller's, so equal inputs give equal bytes on every machine.
"""

from collections.abc import Iterable
from dataclasses import replace

from ledger.crypto.hashing import block_data_hash
from ledger.errors import InvalidMessage, Reason
from ledger.model.block import Block, BlockHeader, BlockSignatures
from ledger.model.codec_block import encode_block_signatures, encode_orderer_block_metadata
from ledger.model.codes import ValidationCode
from ledger.model.config import (
    APPLICATION,
    BLOCK_VALIDATION_POLICY,
    CHANNEL,
    CONSENTERS_MAX,
    MEMBERS_MAX,
    ORDERER,
    BatchLimits,
    ChannelConfig,
    Consenter,
    MemberConfig,
    block_validation_policy,
)
from ledger.model.config_codec_encode import encode_config_envelope
from ledger.model.policy import (
    ImplicitMeta,
    MetaRule,
    NOutOf,
    Policy,
    Principal,
    Role,
    SignaturePolicy,
    SignedBy,
)

GENESIS_NONCE_BYTES = 24


def default_channel_config(
    *,
    channel_id: str,
    network_id: str,
    members: Iterable[MemberConfig],
    consenters: Iterable[Consenter],
    batch_limits: BatchLimits | None = None,
    block_interval_ms: int = 0,
) -> ChannelConfig:
    """A channel with Fabric's usual policies; raises InvalidMessage MALFORMED.

    Every identity of a member reads, clients and admins write, peers of most members endorse,
    admins of most members change the configuration, a quorum of consenters signs blocks.
    """
    ordered_members = tuple(sorted(members, key=lambda member: member.mspid))
    ordered_consenters = tuple(sorted(consenters, key=lambda one: one.consenter_id))
    _check_members(ordered_members, ordered_consenters)
    limits = batch_limits or BatchLimits()
    return ChannelConfig(
        channel_id=channel_id,
        network_id=network_id,
        members=ordered_members,
        consenters=ordered_consenters,
        policies=_default_policies(ordered_members, ordered_consenters),
        batch_limits=replace(
            limits, absolute_max_bytes=max(limits.absolute_max_bytes, limits.max_bytes)
        ),
        block_interval_ms=block_interval_ms,
    )


def genesis_block(config: ChannelConfig, *, timestamp_ns: int, nonce: bytes) -> Block:
    """Block 0 with one CONFIG envelope; `nonce` is 24 random bytes, the time is Unix, UTC.

    Nobody signs it: whoever starts a peer trusts the file it is given.
    """
    assert len(nonce) == GENESIS_NONCE_BYTES
    entries = (encode_config_envelope(config, timestamp_ns=timestamp_ns, nonce=nonce),)
    unsigned = BlockSignatures(
        value_raw=encode_orderer_block_metadata(0, b""),
        last_config_number=0,
        consenter_metadata_raw=b"",
        signatures=(),
    )
    return Block(
        header=BlockHeader(number=0, previous_hash=b"", data_hash=block_data_hash(entries)),
        entries=entries,
        metadata=(
            encode_block_signatures(unsigned),
            b"",
            bytes((ValidationCode.VALID,)),
            b"",
            b"",
        ),
    )


def member_policies(mspid: str) -> dict[str, Policy]:
    """A member's own policies, by full path: its people read, write, endorse and administer."""
    policies: dict[str, Policy] = {}
    for group in (APPLICATION, ORDERER):
        path = f"{group}/{mspid}"
        policies[f"{path}/Readers"] = _any_role(mspid, Role.MEMBER)
        policies[f"{path}/Writers"] = _any_role(mspid, Role.ADMIN, Role.CLIENT)
        policies[f"{path}/Admins"] = _any_role(mspid, Role.ADMIN)
    policies[f"{APPLICATION}/{mspid}/Endorsement"] = _any_role(mspid, Role.PEER)
    return policies


def _check_members(members: tuple[MemberConfig, ...], consenters: tuple[Consenter, ...]) -> None:
    mspids = [member.mspid for member in members]
    ids = [consenter.consenter_id for consenter in consenters]
    problem = None
    if not 1 <= len(mspids) <= MEMBERS_MAX or len(set(mspids)) != len(mspids):
        problem = f"1 to {MEMBERS_MAX} members with different MSP ids are needed"
    elif not 1 <= len(ids) <= CONSENTERS_MAX or len(set(ids)) != len(ids) or min(ids) < 1:
        problem = f"1 to {CONSENTERS_MAX} consenters with different ids from 1 are needed"
    elif strangers := sorted({one.mspid for one in consenters} - set(mspids)):
        problem = f"consenters of no member: {', '.join(strangers)}"
    if problem is not None:
        raise InvalidMessage(Reason.MALFORMED, problem)


def _default_policies(
    members: tuple[MemberConfig, ...], consenters: tuple[Consenter, ...]
) -> dict[str, Policy]:
    majority_endorsement = ImplicitMeta(MetaRule.MAJORITY, "Endorsement")
    policies: dict[str, Policy] = {
        **_group_policies(CHANNEL),
        **_group_policies(APPLICATION),
        **_group_policies(ORDERER),
        f"{APPLICATION}/Endorsement": majority_endorsement,
        f"{APPLICATION}/LifecycleEndorsement": majority_endorsement,
        BLOCK_VALIDATION_POLICY: block_validation_policy(consenters),
    }
    for member in members:
        policies.update(member_policies(member.mspid))
    return policies


def _group_policies(group: str) -> dict[str, Policy]:
    return {
        f"{group}/Readers": ImplicitMeta(MetaRule.ANY, "Readers"),
        f"{group}/Writers": ImplicitMeta(MetaRule.ANY, "Writers"),
        f"{group}/Admins": ImplicitMeta(MetaRule.MAJORITY, "Admins"),
    }


def _any_role(mspid: str, *roles: Role) -> SignaturePolicy:
    return SignaturePolicy(
        rule=NOutOf(1, tuple(SignedBy(index) for index in range(len(roles)))),
        principals=tuple(Principal(mspid, role) for role in roles),
    )
