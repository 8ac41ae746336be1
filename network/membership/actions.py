"""Proposing, approving and submitting changes of the channel, for the command line."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ledger.crypto.config_rules import check_successor
from ledger.errors import Reason
from ledger.model.config import ChannelConfig
from ledger.node.membership.channel import ChannelState
from network.certificates.credentials import member_authority
from network.membership.channel import (
    POLL_S,
    ActingMember,
    UpdateRefused,
    read_channel,
    submit_update,
    wait_for_sequence,
)
from network.membership.folder import (
    finish_rotation,
    joining_member,
    prepare_member,
    prepare_peer,
    present_consenter,
)
from network.membership.proposals import (
    Proposal,
    ProposalError,
    Standing,
    load,
    proposals_dir,
    propose,
    save,
    standing,
)
from network.membership.updates import (
    validator,
    with_member,
    with_replaced,
    with_validator,
    without_member,
    without_validator,
)
from network.plan import PeerPlan

CATCH_UP_TIMEOUT_S = 20.0
"""How long a candidate may take for its last blocks while an update waits for it."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Change:
    """What a proposal leads to, and its one sentence."""

    updated: ChannelConfig
    title: str


def addition(
    state: ChannelState, acting: ActingMember, peer: PeerPlan, *, now: datetime
) -> Change:
    """A member's organisation joins, or, when it has, its validator is added."""
    member = acting.plan.member(peer.member_id)
    prepare_member(acting.plan, member, acting.layout, now=now)
    config = state.config
    if all(one.mspid != member.mspid for one in config.members):
        joining = joining_member(acting.plan, member, acting.layout)
        return Change(with_member(config, joining), f"{member.mspid} joins the channel")
    authority = member_authority(acting.plan, member.id, acting.layout)
    prepare_peer(acting.plan, peer, acting.layout, authority, now=now)
    consenter = present_consenter(peer, acting.layout, peer.consenter_id)
    title = f"validator {peer.consenter_id} of {peer.mspid} is added"
    address = (peer.external_host, peer.port)
    return Change(with_validator(config, consenter, client_address=address), title)


def removal(state: ChannelState, member: PeerPlan) -> Change:
    """A member's validator is removed, or, when it has none, its organisation leaves."""
    config = state.config
    for one in config.consenters:
        if one.mspid == member.mspid and one.consenter_id == member.consenter_id:
            title = f"validator {one.consenter_id} of {member.mspid} is removed"
            return Change(without_validator(config, one.consenter_id), title)
    if all(one.mspid != member.mspid for one in config.members):
        raise ProposalError(f"{member.mspid} is no member of the channel")
    return Change(without_member(config, member.mspid), f"{member.mspid} leaves the channel")


def replacement(state: ChannelState, acting: ActingMember, member: PeerPlan) -> Change:
    """A member's validator gets the keys, certificates and address its folder and plan have."""
    known = validator(state.config, member.consenter_id)
    consenter = present_consenter(member, acting.layout, known.consenter_id)
    what = "gets new keys" if consenter.identity_pem != known.identity_pem else "moves"
    title = f"validator {known.consenter_id} of {member.mspid} {what}"
    address = (member.external_host, member.port)
    return Change(with_replaced(state.config, consenter, client_address=address), title)


async def start_proposal(
    acting: ActingMember, state: ChannelState, change: Change, say: Say
) -> None:
    """Write a proposal with this member's signature; it is submitted if that is enough.

    What the channel's rules would refuse is not even written: InvalidMessage.
    """
    check_successor(state.config, change.updated, validators_min=state.validators_min)
    proposal = propose(state, change.updated, change.title).signed_by(acting.admin)
    path = proposals_dir(acting.layout) / f"{proposal.id}.json"
    save(proposal, path)
    say(f"proposal {proposal.id}: {proposal.title}")
    say(f"written to {path}, signed by {acting.member.mspid}")
    await _advance(acting, state, proposal, path, say)


async def approve(acting: ActingMember, path: Path, say: Say) -> None:
    """Sign a proposal as this member; the last signature needed submits it."""
    proposal, state = load(path), await read_channel(acting)
    before = standing(proposal, state, acting.admin)
    if before.problem:
        raise ProposalError(f"proposal {proposal.id} cannot take effect: {before.problem}")
    if acting.member.mspid not in (*before.signed, *before.may_sign):
        raise ProposalError(f"{acting.member.mspid} has no say here: {describe(before)}")
    say(f"proposal {proposal.id}: {proposal.title}")
    if acting.member.mspid in before.signed:
        say(f"{acting.member.mspid} has signed it before")
    else:
        proposal = proposal.signed_by(acting.admin)
        save(proposal, path)
        say(f"signed by {acting.member.mspid}")
    await _advance(acting, state, proposal, path, say)


def withdraw(acting: ActingMember, path: Path, say: Say) -> None:
    """Delete a proposal that this member began."""
    proposal = load(path)
    if proposal.proposer != acting.member.mspid:
        raise ProposalError(
            f"proposal {proposal.id} is {proposal.proposer or 'nobody'}'s, not"
            f" {acting.member.mspid}'s: who does not want it leaves it unsigned"
        )
    path.unlink()
    say(f"withdrawn: {proposal.title}")
    say("copies of the file at other members can still be approved; ask them to delete theirs")


def describe(now: Standing) -> str:
    """Who has signed, and what is still needed."""
    if now.is_outdated:
        return "OUTDATED, the channel has changed since: withdraw it and propose it anew"
    if now.problem:
        return f"cannot take effect: {now.problem}"
    signed = ", ".join(now.signed) or "nobody"
    missing = max(0, now.needed - len(now.signed))
    if missing == 0:
        return f"signed by {signed}; enough: one of them approves it again to submit it"
    return f"signed by {signed}; {missing} more of {', '.join(now.may_sign)}"


async def _advance(
    acting: ActingMember, state: ChannelState, proposal: Proposal, path: Path, say: Say
) -> None:
    now = standing(proposal, state, acting.admin)
    if now.problem:
        raise ProposalError(f"proposal {proposal.id} cannot take effect: {now.problem}")
    if now.result is None:
        say(describe(now))
        say(f"next: gridledger member approve {proposal.id} --as MEMBER")
        return
    await _submit(acting, proposal)
    after = await wait_for_sequence(acting, state.config.sequence + 1)
    _clean_up(acting, path, after.config)
    say(f"in force since block {after.config_block}: {proposal.title}")


def _clean_up(acting: ActingMember, path: Path, config: ChannelConfig) -> None:
    """The proposal is done; new keys on this machine take the place of the old ones."""
    path.unlink()
    finish_all(acting, config)


def finish_all(acting: ActingMember, config: ChannelConfig) -> None:
    """On this machine, put next keys that are in force in the place of the old ones."""
    for peer in acting.plan.peers:
        finish_rotation(peer, acting.layout, config)


async def _submit(acting: ActingMember, proposal: Proposal) -> None:
    """Submit; a candidate that is a moment behind is waited for."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + CATCH_UP_TIMEOUT_S
    while True:
        try:
            await submit_update(acting, proposal.envelope(acting.admin, acting.plan.channel_id))
        except UpdateRefused as error:
            if Reason.VALIDATOR_NOT_READY not in str(error) or loop.time() > deadline:
                raise
            await asyncio.sleep(POLL_S)
        else:
            return
