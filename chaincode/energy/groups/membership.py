"""Founding, joining and leaving a group, and its purse."""

from dataclasses import dataclass, replace

from chaincode.energy import arguments, keys
from chaincode.energy.arguments import AMOUNT_UTOKEN_MAX
from chaincode.energy.community import PARTICIPANTS, STAFF
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.groups.records import Group, GroupMember
from chaincode.energy.groups.splitting import READINGS, SHARES
from chaincode.energy.idgrid import GROUP_PREFIX
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


async def join(world: World, *, group_id: str, share: int) -> GroupMember:
    """Participant: let the group's manager order for it from now on. Again: another share."""
    idgrid = (await world.caller_is_registered()).idgrid
    group = await get_group(world, group_id)
    members = await members_of(world, group_id)
    before = next((member for member in members if member.idgrid == idgrid), None)
    if before is None and len(members) >= MEMBERS_MAX:
        raise refused(Refusal.GROUP_FULL, f"{group_id}, {MEMBERS_MAX}")
    member = GroupMember(
        group_id=group_id,
        idgrid=idgrid,
        share=arguments.positive(share, "share", at_most=SHARE_MAX),
        balance_utoken=before.balance_utoken if before is not None else 0,
        joined_at_ms=before.joined_at_ms if before is not None else world.now_ms,
    )
    await world.put(keys.group_member(group.group_id, idgrid), member)
    world.announce("GroupJoined", {"group_id": group_id, "idgrid": idgrid, "share": member.share})
    return member


async def leave(world: World, group_id: str) -> GroupMember:
    """Participant: leave with a balance of zero, and while no order is under way for it."""
    idgrid = (await world.caller_is_registered()).idgrid
    member = await _member(world, group_id, idgrid)
    if member.balance_utoken:
        raise refused(Refusal.GROUP_BUSY, f"its balance is {member.balance_utoken}")
    under_way = await world.scan(dict, keys.under("groupunsplit", group_id), limit=1)
    if under_way:
        raise refused(Refusal.GROUP_BUSY, f"{under_way[0][0].rpartition('~')[2]} is not split")
    await world.delete(keys.group_member(group_id, idgrid))
    world.announce("GroupLeft", {"group_id": group_id, "idgrid": idgrid})
    return member


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
