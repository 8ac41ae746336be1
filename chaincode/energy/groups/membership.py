"""Founding, joining and leaving a group, and its purse.

Joining takes both sides: the manager invites, the household joins. A stranger among the members
could use energy the others pay for, and with `shares` take their proceeds.
"""

from dataclasses import dataclass, replace

from chaincode.energy import arguments, keys
from chaincode.energy.arguments import AMOUNT_UTOKEN_MAX
from chaincode.energy.community import PARTICIPANTS, STAFF
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.groups.records import Group, GroupInvitation, GroupMember, Unsplit
from chaincode.energy.groups.splitting import READINGS, SHARES
from chaincode.energy.idgrid import GROUP_PREFIX
from chaincode.energy.registry.records import Status
from chaincode.energy.tokens import accounts
from chaincode.energy.tokens.records import Escrow, Payout
from chaincode.energy.world import World

MEMBERS_MAX = 50
SHARE_MAX = 10**6


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group with its members and its purse."""

    group: Group
    members: list[GroupMember]
    free_utoken: int
    locked_utoken: int


async def found(world: World, *, group_id: str, name: str, money_by: str) -> Group:
    """Participant: found a group and become its manager; joining is separate."""
    founder = await world.caller_is_registered()
    if not arguments.identifier(group_id, "group_id").startswith(GROUP_PREFIX):
        arguments.bad(f"group_id must begin with {GROUP_PREFIX}")
    group = Group(
        group_id=group_id,
        name=arguments.short_text(name, "name"),
        manager_idgrid=founder.idgrid,
        money_by=arguments.one_of(money_by, "money_by", (READINGS, SHARES)),
    )
    await world.add(keys.group(group_id), group, group_id)
    world.announce("GroupFounded", {"group_id": group_id, "manager": founder.idgrid})
    return group


async def invite(world: World, *, group_id: str, idgrid: str, share: int) -> GroupInvitation:
    """Manager: let a household join, or change its share; it has to agree by joining."""
    await _require_manager(world, group_id)
    invited = await world.participant(arguments.idgrid(idgrid))
    if invited.status == Status.EXITED:
        raise refused(Refusal.EXITED, idgrid)
    invitation = GroupInvitation(
        group_id=group_id,
        idgrid=idgrid,
        share=arguments.positive(share, "share", at_most=SHARE_MAX),
    )
    await world.put(keys.group_invitation(group_id, idgrid), invitation)
    world.announce("GroupInvited", {"group_id": group_id, "idgrid": idgrid, "share": share})
    return invitation


async def join(world: World, *, group_id: str, share: int) -> GroupMember:
    """Participant: let the group's manager order for it from now on. Again: another share.

    With the share it is invited with; only the manager needs no invitation.
    """
    idgrid = (await world.caller_is_registered()).idgrid
    group = await get_group(world, group_id)
    arguments.positive(share, "share", at_most=SHARE_MAX)
    if idgrid != group.manager_idgrid:
        await _accept_invitation(world, group_id, idgrid, share)
    members = {member.idgrid: member for member in await members_of(world, group_id)}
    staying = [name for name, member in members.items() if not member.is_leaving]
    if idgrid not in staying and len(staying) >= MEMBERS_MAX:
        raise refused(Refusal.GROUP_FULL, f"{group_id}, {MEMBERS_MAX}")
    before = members.get(idgrid)
    member = GroupMember(
        group_id=group_id,
        idgrid=idgrid,
        share=share,
        balance_utoken=before.balance_utoken if before is not None else 0,
        joined_at_ms=before.joined_at_ms if before is not None else world.now_ms,
    )
    await world.put(keys.group_member(group.group_id, idgrid), member)
    world.announce("GroupJoined", {"group_id": group_id, "idgrid": idgrid, "share": member.share})
    return member


async def leave(world: World, group_id: str) -> GroupMember:
    """Participant: the group orders for it no more, from now on.

    Its record goes with the call that finds its hours split and its balance zero.
    """
    idgrid = (await world.caller_is_registered()).idgrid
    return await _end(world, await _member(world, group_id, idgrid), "GroupLeft")


async def dismiss(world: World, *, group_id: str, idgrid: str) -> GroupMember:
    """Manager: order for a member no more; its balance stays its own. Withdraws an invitation."""
    await _require_manager(world, group_id)
    invitation_key = keys.group_invitation(group_id, arguments.idgrid(idgrid))
    invitation = await world.find(GroupInvitation, invitation_key)
    member = await world.find(GroupMember, keys.group_member(group_id, idgrid))
    if invitation is not None:
        await world.delete(invitation_key)
        member = member or GroupMember(group_id, idgrid, invitation.share, 0, world.now_ms)
    if member is None:
        raise refused(Refusal.NOT_A_MEMBER, f"{idgrid}, {group_id}")
    return await _end(world, member, "GroupDismissed")


async def pay_in(world: World, *, group_id: str, amount_utoken: int) -> GroupMember:
    """Member: move money from its account into the group's purse."""
    idgrid = world.own_idgrid()
    amount = arguments.positive(amount_utoken, "amount_utoken", at_most=AMOUNT_UTOKEN_MAX)
    await world.caller_is_registered()
    member = await _member(world, group_id, idgrid)
    account = accounts.account_from(idgrid, await world.stub.get_state(keys.account(idgrid)))
    await accounts.charge(world, account, amount=amount)
    return await _moved(world, member, to=group_id, amount=amount, sign=1)


async def draw_out(world: World, *, group_id: str, amount_utoken: int) -> GroupMember:
    """Member: move its money from the group's purse to its account."""
    idgrid = world.own_idgrid()
    amount = arguments.positive(amount_utoken, "amount_utoken", at_most=AMOUNT_UTOKEN_MAX)
    await world.caller_is_registered()
    member = await _member(world, group_id, idgrid)
    if amount > member.balance_utoken:
        raise refused(Refusal.INSUFFICIENT_FUNDS, f"its balance is {member.balance_utoken}")
    purse = accounts.account_from(group_id, await world.stub.get_state(keys.account(group_id)))
    await accounts.charge(world, purse, amount=amount)
    return await _moved(world, member, to=idgrid, amount=amount, sign=-1)


async def get_group(world: World, group_id: str) -> Group:
    """The group of this id."""
    key = keys.group(arguments.identifier(group_id, "group_id"))
    return await world.get(Group, key, Refusal.UNKNOWN_GROUP, group_id)


async def members_of(world: World, group_id: str) -> list[GroupMember]:
    """Its members by IDgrid."""
    found_members = await world.scan(GroupMember, keys.under("groupmember", group_id))
    return [member for _, member in found_members]


async def view(world: World, group_id: str) -> GroupView:
    """Member or staff: the group, its members and its purse."""
    group = await get_group(world, group_id)
    members = await members_of(world, group_id)
    if world.caller.role in PARTICIPANTS:
        own = (await world.caller_is_registered()).idgrid
        if own not in {group.manager_idgrid, *(member.idgrid for member in members)}:
            raise refused(Refusal.NOT_A_MEMBER, f"{own}, {group_id}")
    else:
        await world.require_role(STAFF)
    purse = accounts.account_from(group_id, await world.stub.get_state(keys.account(group_id)))
    payouts = await world.scan(Payout, keys.under("payout", group_id))
    escrows = await world.scan(Escrow, keys.under("escrow", group_id))
    return GroupView(
        group=group,
        members=members,
        free_utoken=purse.balance_utoken + sum(entry.amount_utoken for _, entry in payouts),
        locked_utoken=sum(entry.locked_utoken for _, entry in escrows),
    )


async def _require_manager(world: World, group_id: str) -> None:
    caller = await world.caller_is_registered()
    group = await get_group(world, group_id)
    if group.manager_idgrid != caller.idgrid:
        raise refused(Refusal.NOT_YOURS, group_id)


async def _accept_invitation(world: World, group_id: str, idgrid: str, share: int) -> None:
    key = keys.group_invitation(group_id, idgrid)
    name = f"{idgrid}, {group_id}"
    invitation = await world.get(GroupInvitation, key, Refusal.NOT_INVITED, name)
    if invitation.share != share:
        raise refused(Refusal.NOT_INVITED, f"{name}, share {invitation.share}")
    await world.delete(key)


async def _end(world: World, member: GroupMember, event: str) -> GroupMember:
    """Remove a member, or mark it as leaving while hours or money of it are in the group."""
    key = keys.group_member(member.group_id, member.idgrid)
    leaving = replace(member, is_leaving=True)
    if member.balance_utoken or await _is_ordered_for(world, member):
        await world.put(key, leaving)
    else:
        await world.delete(key)
    world.announce(event, {"group_id": member.group_id, "idgrid": member.idgrid})
    return leaving


async def _is_ordered_for(world: World, member: GroupMember) -> bool:
    """Whether the group has ordered for the member in a listing that is not split yet."""
    unsplit = await world.scan(Unsplit, keys.under("groupunsplit", member.group_id))
    return any(member.idgrid in listing.shares for _, listing in unsplit)


async def _member(world: World, group_id: str, idgrid: str) -> GroupMember:
    arguments.identifier(group_id, "group_id")
    key = keys.group_member(group_id, idgrid)
    return await world.get(GroupMember, key, Refusal.NOT_A_MEMBER, f"{idgrid}, {group_id}")


async def _moved(
    world: World, member: GroupMember, *, to: str, amount: int, sign: int
) -> GroupMember:
    """Send money on its way and change the member's balance accordingly."""
    await accounts.pay_out(world, to, source="group", reference=world.tx_id, amount=amount)
    changed = replace(member, balance_utoken=member.balance_utoken + sign * amount)
    await world.put(keys.group_member(member.group_id, member.idgrid), changed)
    world.announce(
        "GroupPurseMoved",
        {"group_id": member.group_id, "idgrid": member.idgrid, "amount_utoken": sign * amount},
    )
    return changed
