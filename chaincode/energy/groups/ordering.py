"""A group's orders: one for all its members that may trade."""

from dataclasses import replace

from chaincode.energy import arguments, keys
from chaincode.energy.access.grants import granted
from chaincode.energy.access.records import MARKET
from chaincode.energy.errors import Refusal, Refused, refused
from chaincode.energy.groups.membership import get_group, members_of
from chaincode.energy.groups.records import GroupMember, Unsplit
from chaincode.energy.market.offered_source import own_source, supply_from
from chaincode.energy.market.placing import (
    BID,
    NO_ORDERS,
    OFFER,
    ORDERS_PER_HOUSEHOLD_MAX,
    Wish,
    checked_order,
    listing_taking_orders,
    locked_by,
    max_order_of,
    write_order,
)
from chaincode.energy.market.records import Listing, MarketOrder, OwnOrders
from chaincode.energy.records import decode
from chaincode.energy.registry.records import Participant, Res
from chaincode.energy.registry.registration import BATTERY
from chaincode.energy.registry.trading import (
    require_approved,
    require_may_trade,
    use_after_order,
)
from chaincode.energy.tokens import accounts
from chaincode.energy.world import World


async def place_offer(
    world: World, *, group_id: str, listing_id: str, res_id: str, energy_wh: int, price: int
) -> MarketOrder:
    """Group manager: offer what the members will export; `res_id` is a source of one of them."""
    wish = Wish(listing_id, OFFER, energy_wh, price, res_id=res_id, source="group")
    arguments.identifier(res_id, "res_id")
    return await _place(world, group_id, wish)


async def place_bid(
    world: World, *, group_id: str, listing_id: str, energy_wh: int, price: int
) -> MarketOrder:
    """Group manager: bid for what the members will import; the purse locks what it may cost."""
    return await _place(world, group_id, Wish(listing_id, BID, energy_wh, price, source="group"))


async def _place(world: World, group_id: str, wish: Wish) -> MarketOrder:
    manager = await world.caller_is_registered()
    group = await get_group(world, group_id)
    if group.manager_idgrid != manager.idgrid:
        raise refused(Refusal.NOT_YOURS, f"{group_id} is managed by {group.manager_idgrid}")
    require_approved(manager)
    key = keys.listing(arguments.identifier(wish.listing_id, "listing_id"))
    listing = listing_taking_orders(world, await world.stub.get_state(key), wish.listing_id)
    if listing.is_sealed:
        raise refused(Refusal.SEALED_ONLY, f"{wish.listing_id}; groups order openly")
    members = [one for one in await members_of(world, group_id) if not one.is_leaving]
    able = await _able(world, members, listing.listing_id)
    if not able:
        raise refused(Refusal.GROUP_EMPTY, f"{group_id}, of {len(members)} members")
    max_wh = sum(max_order_of(household, listing) for household, _ in able)
    order = replace(
        checked_order(listing, wish, idgrid=group_id, order_id=world.tx_id, max_wh=max_wh),
        members=[household.idgrid for household, _ in able],
    )
    await _bind_members(world, order, max_wh=max_wh)
    await _count_orders(world, able)
    if order.side == BID:
        await _lock(world, order, listing)
    else:
        await _require_source(world, order, wish.res_id)
    await _note_shares(world, order, members)
    await write_order(world, order)
    return order


async def _able(
    world: World, members: list[GroupMember], listing_id: str
) -> list[tuple[Participant, bytes]]:
    """The members that may trade now and are free in the listing; with their contracts' use.

    The others are left out: one member that is suspended, has revoked the market's access or
    orders for itself does not keep the group from trading.
    """
    names = [member.idgrid for member in members]
    kinds = (
        keys.participant,
        keys.contract_use,
        lambda name: keys.access(name, MARKET),
        lambda name: keys.own_orders(listing_id, name),
    )
    raw = await world.stub.get_states([key_of(name) for name in names for key_of in kinds])
    able = []
    for number, member in enumerate(members):
        who, use, grants, own_raw = raw[len(kinds) * number : len(kinds) * (number + 1)]
        household = decode(Participant, who)
        own = decode(OwnOrders, own_raw) if own_raw else NO_ORDERS
        is_free = not own.order_count or own.group_id == member.group_id
        if is_free and _may_trade(household, use, grants, world.now_ms):
            able.append((household, use))
    return able


def _may_trade(household: Participant, use_raw: bytes, grants_raw: bytes, now_ms: int) -> bool:
    try:
        require_may_trade(household, now_ms, use_raw=use_raw)
    except Refused:
        return False
    return granted(grants_raw, household.meter_ids, now_ms)


async def _count_orders(world: World, able: list[tuple[Participant, bytes]]) -> None:
    """An order of the group is one of each member whose contract limits their number."""
    for household, use_raw in able:
        use = use_after_order(household, use_raw)
        if use is not None:
            await world.put(keys.contract_use(household.idgrid), use)


async def _note_shares(world: World, order: MarketOrder, members: list[GroupMember]) -> None:
    """Weights count as they were when the group ordered, whatever is agreed afterwards."""
    key = keys.group_unsplit(order.idgrid, order.listing_id)
    before = await world.find(Unsplit, key) or Unsplit()
    shares = {one.idgrid: one.share for one in members if one.idgrid in order.members}
    await world.put(key, Unsplit(shares=before.shares | shares))


async def _bind_members(world: World, order: MarketOrder, *, max_wh: int) -> None:
    """Note the order for the group and each member: nobody is in a listing twice."""
    raw = await world.stub.get_state(keys.own_orders(order.listing_id, order.idgrid))
    before = decode(OwnOrders, raw) if raw else NO_ORDERS
    if before.order_count and before.side != order.side:
        raise refused(Refusal.SELF_TRADE, f"{order.idgrid} has an order on the other side")
    if before.order_count >= ORDERS_PER_HOUSEHOLD_MAX:
        raise refused(Refusal.TOO_MANY_ORDERS, f"at most {ORDERS_PER_HOUSEHOLD_MAX}")
    total_wh = before.energy_wh + order.energy_wh
    if total_wh > max_wh:
        raise refused(Refusal.CAP_EXCEEDED, f"{total_wh} Wh in all, the cap is {max_wh}")
    total = OwnOrders(order.side, total_wh, before.order_count + 1, order.idgrid)
    for name in (order.idgrid, *order.members):
        await world.put(keys.own_orders(order.listing_id, name), total)


async def _lock(world: World, order: MarketOrder, listing: Listing) -> None:
    group_id = order.idgrid
    purse = accounts.account_from(group_id, await world.stub.get_state(keys.account(group_id)))
    await accounts.lock(
        world,
        listing_id=order.listing_id,
        account=purse,
        amount=locked_by(order, listing),
    )


async def _require_source(world: World, order: MarketOrder, res_id: str) -> None:
    """The source must be an approved one of a member; a group offers no battery's charge."""
    raw = await world.stub.get_state(keys.res(res_id))
    owner = decode(Res, raw).owner_idgrid if raw else ""
    if owner not in order.members:
        raise refused(Refusal.RES_REQUIRED, f"{res_id} belongs to no member of {order.idgrid}")
    source = own_source(supply_from(res_id, raw, b"", b""), idgrid=owner)
    if source.source_type == BATTERY:
        raise refused(Refusal.RES_REQUIRED, f"{res_id} is a battery; its owner offers from it")
