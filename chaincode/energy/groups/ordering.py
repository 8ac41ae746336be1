"""A group's orders: one for all its members, checked for each of them."""

from dataclasses import replace

from chaincode.energy import arguments, keys
from chaincode.energy.access.grants import require_granted
from chaincode.energy.access.records import MARKET
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.groups.membership import get_group, members_of
from chaincode.energy.groups.records import GroupMember
from chaincode.energy.market.offered_source import BATTERY, own_source, supply_from
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
from chaincode.energy.registry.trading import require_may_trade
from chaincode.energy.tokens import accounts
from chaincode.energy.world import World

UNSPLIT = b"{}"


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
    members = await members_of(world, group_id)
    if not members:
        raise refused(Refusal.GROUP_EMPTY, group_id)
    key = keys.listing(arguments.identifier(wish.listing_id, "listing_id"))
    listing = listing_taking_orders(world, await world.stub.get_state(key), wish.listing_id)
    if listing.is_sealed:
        raise refused(Refusal.SEALED_ONLY, f"{wish.listing_id}; groups order openly")
    households = await _households(world, members)
    max_wh = sum(max_order_of(household, listing) for household in households)
    order = replace(
        checked_order(listing, wish, idgrid=group_id, order_id=world.tx_id, max_wh=max_wh),
        members=[member.idgrid for member in members],
    )
    await _bind_members(world, order, max_wh=max_wh)
    if order.side == BID:
        await _lock(world, order, listing)
    else:
        await _require_source(world, order, wish.res_id)
    await world.stub.put_state(keys.group_unsplit(group_id, order.listing_id), UNSPLIT)
    await write_order(world, order)
    return order


async def _households(world: World, members: list[GroupMember]) -> list[Participant]:
    """The members' registry records; refuses if one of them may not trade."""
    names = [member.idgrid for member in members]
    raw = await world.stub.get_states(
        [keys.participant(name) for name in names]
        + [keys.contract_use(name) for name in names]
        + [keys.access(name, MARKET) for name in names]
    )
    count = len(names)
    households = [decode(Participant, entry) for entry in raw[:count]]
    for household, use, grants in zip(
        households, raw[count : 2 * count], raw[2 * count :], strict=True
    ):
        require_may_trade(household, world.now_ms, use_raw=use)
        require_granted(grants, household.meter_ids, world.now_ms)
    return households


async def _bind_members(world: World, order: MarketOrder, *, max_wh: int) -> None:
    """Note the order for the group and each member: nobody is in a listing twice."""
    names = [order.idgrid, *order.members]
    own_keys = [keys.own_orders(order.listing_id, name) for name in names]
    found = await world.stub.get_states(own_keys)
    before, *own = [decode(OwnOrders, raw) if raw else NO_ORDERS for raw in found]
    for name, orders in zip(order.members, own, strict=True):
        if orders.order_count and orders.group_id != order.idgrid:
            raise refused(Refusal.SELF_TRADE, f"{name} has other orders in the listing")
    if before.order_count and before.side != order.side:
        raise refused(Refusal.SELF_TRADE, f"{order.idgrid} has an order on the other side")
    if before.order_count >= ORDERS_PER_HOUSEHOLD_MAX:
        raise refused(Refusal.TOO_MANY_ORDERS, f"at most {ORDERS_PER_HOUSEHOLD_MAX}")
    total_wh = before.energy_wh + order.energy_wh
    if total_wh > max_wh:
        raise refused(Refusal.CAP_EXCEEDED, f"{total_wh} Wh in all, the cap is {max_wh}")
    total = OwnOrders(order.side, total_wh, before.order_count + 1, order.idgrid)
    for key in own_keys:
        await world.put(key, total)


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
