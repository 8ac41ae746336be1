"""What a proposal changes: one new channel configuration for each kind of it. Pure."""

from collections.abc import Iterable
from dataclasses import replace

from ledger.errors import InvalidMessage, Reason
from ledger.model.config import (
    APPLICATION,
    BLOCK_VALIDATION_POLICY,
    ORDERER,
    BatchLimits,
    ChannelConfig,
    Consenter,
    MemberConfig,
    block_validation_policy,
)
from network.founding.genesis import member_policies


def with_member(config: ChannelConfig, member: MemberConfig) -> ChannelConfig:
    """An organisation joins; it has no validator yet."""
    if any(known.mspid == member.mspid for known in config.members):
        raise _wrong(f"{member.mspid} is a member already")
    members = sorted((*config.members, member), key=lambda one: one.mspid)
    return replace(
        config,
        members=tuple(members),
        policies={**config.policies, **member_policies(member.mspid)},
    )


def without_member(config: ChannelConfig, mspid: str) -> ChannelConfig:
    """An organisation leaves; its validator left before."""
    below = tuple(f"{group}/{mspid}/" for group in (APPLICATION, ORDERER))
    return replace(
        config,
        members=tuple(one for one in config.members if one.mspid != mspid),
        policies={
            path: policy for path, policy in config.policies.items() if not path.startswith(below)
        },
    )


def with_validator(
    config: ChannelConfig, consenter: Consenter, *, client_address: tuple[str, int] | None = None
) -> ChannelConfig:
    """A validator is added under a number that was never used.

    `client_address` is the (host, port) where clients reach it.
    """
    if any(one.consenter_id == consenter.consenter_id for one in config.consenters):
        raise _wrong(f"there is a validator {consenter.consenter_id} already")
    grown = _with_consenters(config, (*config.consenters, consenter))
    return _with_address(grown, config, consenter, client_address)


def without_validator(config: ChannelConfig, consenter_id: int) -> ChannelConfig:
    """A validator is removed; its number is never used again."""
    mspid = validator(config, consenter_id).mspid
    removed = max(config.removed_consenter_id, consenter_id)
    left = (one for one in config.consenters if one.consenter_id != consenter_id)
    smaller = replace(_with_consenters(config, left), removed_consenter_id=removed)
    known = _known_addresses(config, mspid)
    if known.pop(consenter_id, None) is None or not known:
        return smaller  # the last address stays: clients of the member still ask there
    return _with_addresses(smaller, mspid, known)


def with_replaced(
    config: ChannelConfig, consenter: Consenter, *, client_address: tuple[str, int] | None = None
) -> ChannelConfig:
    """A validator gets other keys, certificates or other addresses.

    `client_address` is the (host, port) where clients reach it; None leaves that as it is.
    """
    validator(config, consenter.consenter_id)
    replaced = _with_consenters(
        config,
        (
            consenter if one.consenter_id == consenter.consenter_id else one
            for one in config.consenters
        ),
    )
    return _with_address(replaced, config, consenter, client_address)


def with_limits(
    config: ChannelConfig,
    *,
    max_transactions: int | None = None,
    max_bytes: int | None = None,
    absolute_max_bytes: int | None = None,
    block_interval_ms: int | None = None,
) -> ChannelConfig:
    """Other bounds of a block; what is None stays."""
    old = config.batch_limits
    limits = BatchLimits(
        max_transactions=_given(max_transactions, old.max_transactions),
        max_bytes=_given(max_bytes, old.max_bytes),
        absolute_max_bytes=_given(absolute_max_bytes, old.absolute_max_bytes),
    )
    return replace(
        config,
        batch_limits=limits,
        block_interval_ms=_given(block_interval_ms, config.block_interval_ms),
    )


def with_revocations(config: ChannelConfig, mspid: str, revocation_list: bytes) -> ChannelConfig:
    """A member's list of certificates that no longer count (PEM), in place of earlier ones."""
    if not any(one.mspid == mspid for one in config.members):
        raise _wrong(f"{mspid} is no member")
    return replace(
        config,
        members=tuple(
            replace(one, revocation_lists=(revocation_list,)) if one.mspid == mspid else one
            for one in config.members
        ),
    )


def validator(config: ChannelConfig, consenter_id: int) -> Consenter:
    """The validator of that number; raises InvalidMessage NOT_A_VALIDATOR."""
    for one in config.consenters:
        if one.consenter_id == consenter_id:
            return one
    raise InvalidMessage(Reason.NOT_A_VALIDATOR, f"the channel has no validator {consenter_id}")


def _known_addresses(config: ChannelConfig, mspid: str) -> dict[int, tuple[str, int]]:
    """(host, port) for clients of a member's validators, by consenter id."""
    ids = [one.consenter_id for one in config.consenters if one.mspid == mspid]
    anchors = next((one.anchor_peers for one in config.members if one.mspid == mspid), ())
    return dict(zip(ids, anchors, strict=False))


def _with_address(
    changed: ChannelConfig,
    before: ChannelConfig,
    consenter: Consenter,
    client_address: tuple[str, int] | None,
) -> ChannelConfig:
    known = _known_addresses(before, consenter.mspid)
    if client_address in (None, known.get(consenter.consenter_id)):
        return changed
    assert client_address is not None
    return _with_addresses(
        changed, consenter.mspid, {**known, consenter.consenter_id: client_address}
    )


def _with_addresses(
    config: ChannelConfig, mspid: str, known: dict[int, tuple[str, int]]
) -> ChannelConfig:
    """The member's addresses stand in the order of its consenter ids."""
    anchors = tuple(known[consenter_id] for consenter_id in sorted(known))
    endpoints = tuple(f"{host}:{port}" for host, port in anchors)
    return replace(
        config,
        members=tuple(
            replace(one, anchor_peers=anchors, orderer_endpoints=endpoints)
            if one.mspid == mspid
            else one
            for one in config.members
        ),
    )


def _with_consenters(config: ChannelConfig, consenters: Iterable[Consenter]) -> ChannelConfig:
    ordered = tuple(sorted(consenters, key=lambda one: one.consenter_id))
    policies = {**config.policies, BLOCK_VALIDATION_POLICY: block_validation_policy(ordered)}
    return replace(config, consenters=ordered, policies=policies)


def _given(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _wrong(detail: str) -> InvalidMessage:
    return InvalidMessage(Reason.MALFORMED, detail)
