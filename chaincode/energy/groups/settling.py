"""After settlement: the group's hour split among its members, their balances moved with it."""

from collections.abc import Mapping
from dataclasses import asdict, replace

from chaincode.energy import keys
from chaincode.energy.community import MARKET_OPERATORS
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.groups.membership import get_group, members_of
from chaincode.energy.groups.records import (
    Group,
    GroupMember,
    GroupSplit,
    MemberPart,
    Unsplit,
)
from chaincode.energy.groups.splitting import split_line
from chaincode.energy.market.listings import get_listing
from chaincode.energy.market.records import Listing, ListingState
from chaincode.energy.settlement.fulfilment import get_settlement
from chaincode.energy.settlement.group_metering import members_ordered_for
from chaincode.energy.settlement.metering import measured
from chaincode.energy.settlement.planning import added
from chaincode.energy.settlement.records import Progress, SettlementLine
from chaincode.energy.world import World


async def split(world: World, *, group_id: str, listing_id: str) -> GroupSplit:
    """Manager, member or market operator: share a settled hour; a second call changes nothing.

    After a correction the call moves the differences.
    """
    group = await get_group(world, group_id)
    members = await members_of(world, group_id)
    await _require_concerned(world, group, members)
    listing = await get_listing(world, listing_id)
    before = await world.find(GroupSplit, keys.group_split(group_id, listing_id))
    shares = await _shares(world, group_id, listing_id, before)
    parts = await _parts(world, group, listing, shares)
    now = GroupSplit(
        group_id=group_id,
        listing_id=listing_id,
        parts=[asdict(part) for part in parts],
        credits={part.idgrid: part.credit_utoken for part in parts},
        shares=shares,
    )
    if now == before:
        return now
    await _move_balances(world, now, before, {member.idgrid: member for member in members})
    await world.put(keys.group_split(group_id, listing_id), now)
    await world.delete(keys.group_unsplit(group_id, listing_id))
    world.announce(
        "GroupSplit",
        {"group_id": group_id, "listing_id": listing_id, "parts": now.parts},
    )
    return now


async def _move_balances(
    world: World,
    now: GroupSplit,
    before: GroupSplit | None,
    members: Mapping[str, GroupMember],
) -> None:
    """Credit what is new; who has left meanwhile gets a place for its money and no orders."""
    earlier = before.credits if before is not None else {}
    for idgrid, credit in now.credits.items():
        change = credit - earlier.get(idgrid, 0)
        gone = GroupMember(now.group_id, idgrid, 1, 0, world.now_ms, is_leaving=True)
        member = members.get(idgrid, gone)
        if change:
            changed = replace(member, balance_utoken=member.balance_utoken + change)
            await world.put(keys.group_member(now.group_id, idgrid), changed)


async def get_split(world: World, *, group_id: str, listing_id: str) -> GroupSplit:
    """Manager, member or staff of the market: how a settled hour was split."""
    group = await get_group(world, group_id)
    await _require_concerned(world, group, await members_of(world, group_id))
    key = keys.group_split(group_id, listing_id)
    return await world.get(GroupSplit, key, Refusal.NOT_SETTLED, f"{group_id}, {listing_id}")


async def _shares(
    world: World, group_id: str, listing_id: str, before: GroupSplit | None
) -> dict[str, int]:
    """The members' weights when the group ordered."""
    unsplit = await world.find(Unsplit, keys.group_unsplit(group_id, listing_id))
    if unsplit is not None:
        return unsplit.shares
    return before.shares if before is not None else {}


async def _parts(
    world: World, group: Group, listing: Listing, shares: Mapping[str, int]
) -> list[MemberPart]:
    """What each member's part is; nothing if the listing was stopped or nothing matched."""
    if listing.state == ListingState.CANCELLED:
        return []
    record = await get_settlement(world, listing.listing_id)
    if record.state != Progress.SETTLED:
        raise refused(Refusal.STILL_PAYING, listing.listing_id)
    line = await _line(world, group.group_id, listing.listing_id)
    if line is None:
        return []
    readings = await measured(world, listing, operator_decides=record.revision > 0)
    names = await members_ordered_for(world, listing.listing_id, group.group_id)
    meters = [readings.metered[name] for name in names if name in readings.metered]
    metered_wh = sum(m.imported_wh for m in meters), sum(m.exported_wh for m in meters)
    if metered_wh != (line.imported_wh, line.exported_wh):
        raise refused(Refusal.READINGS_CHANGED, f"{group.group_id}, {listing.listing_id}")
    weights = dict.fromkeys(names, 1) | dict(shares)
    return split_line(line, names, readings.metered, shares=weights, money_by=group.money_by)


async def _line(world: World, group_id: str, listing_id: str) -> SettlementLine | None:
    """The group's line with all its corrections."""
    line = await world.find(SettlementLine, keys.settlement_line(group_id, listing_id))
    bounds = keys.under("correction", group_id, listing_id)
    for _, correction in await world.scan(SettlementLine, bounds):
        line = added(line, correction)
    return line


async def _require_concerned(world: World, group: Group, members: list[GroupMember]) -> None:
    concerned = {group.manager_idgrid, *(member.idgrid for member in members)}
    if world.caller.idgrid is None:
        await world.require_role(MARKET_OPERATORS)
    elif (await world.caller_is_registered()).idgrid not in concerned:
        raise refused(Refusal.NOT_A_MEMBER, f"{world.caller.idgrid}, {group.group_id}")
