"""Offers and bids of a household: place, cancel, replace (docs/orders.md)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.community import SELLERS
from chaincode.energy.errors import Refusal, Refused, refused
from chaincode.energy.market.agent_limits import require_may_order
from chaincode.energy.market.offered_source import without_offer
from chaincode.energy.market.placing import (
    BID,
    OFFER,
    Desk,
    Wish,
    locked_by,
    open_desk,
    place,
    preferences,
    without_order,
)
from chaincode.energy.market.records import MarketOrder
from chaincode.energy.records import decode
from chaincode.energy.world import World

DENIED_FOR = "insufficient energy"


@dataclass(frozen=True, slots=True)
class Denial:
    """An offer the battery could not cover; it is not in the book. Energy in Wh."""

    listing_id: str
    idgrid: str
    res_id: str
    energy_wh: int
    reason: str


async def place_offer(
    world: World,
    *,
    listing_id: str,
    res_id: str,
    energy_wh: int,
    reserve_price_utoken_per_kwh: int,
) -> MarketOrder:
    """Offer energy of an own, approved source, at the reserve price or better."""
    return await place_wish(
        world,
        Wish(
            listing_id=listing_id,
            side=OFFER,
            energy_wh=energy_wh,
            price_utoken_per_kwh=reserve_price_utoken_per_kwh,
            res_id=arguments.identifier(res_id, "res_id"),
        ),
    )


async def place_bid(
    world: World,
    *,
    listing_id: str,
    energy_wh: int,
    bid_price_utoken_per_kwh: int,
    preferred: Sequence[Any] = (),
) -> MarketOrder:
    """Bid for energy at this price or better; the money it may cost at most is locked.

    `preferred`: RESids or IDgrids it would rather be supplied by, where prices tie.
    """
    return await place_wish(
        world,
        Wish(
            listing_id=listing_id,
            side=BID,
            energy_wh=energy_wh,
            price_utoken_per_kwh=bid_price_utoken_per_kwh,
            preferred=preferences(preferred),
        ),
    )


async def place_wish(world: World, wish: Wish) -> MarketOrder:
    """Place an order of the caller, which may be an agent with limits."""
    desk, _ = await open_desk(
        world, world.own_idgrid(), wish.listing_id, res_id=wish.res_id, as_agent=True
    )
    require_may_order(world, desk.trader)
    if wish.side == OFFER:
        require_seller(world, desk)
    return await place(world, desk, wish)


async def request_offer(
    world: World, *, listing_id: str, res_id: str, energy_wh: int, reserve_price: int
) -> MarketOrder | Denial:
    """Like `place_offer`, but a battery that holds too little gives a recorded denial.

    A refused transaction leaves no trace on a ledger of this kind, so no event either. This call
    commits in both cases: with the order and OrderPlaced, or with nothing but OfferDenied.
    """
    try:
        return await place_offer(
            world,
            listing_id=listing_id,
            res_id=res_id,
            energy_wh=energy_wh,
            reserve_price_utoken_per_kwh=reserve_price,
        )
    except Refused as refusal:
        if refusal.refusal is not Refusal.INSUFFICIENT_ENERGY:
            raise
    denial = Denial(listing_id, world.own_idgrid(), res_id, energy_wh, DENIED_FOR)
    await world.put(keys.denial(listing_id, denial.idgrid, world.tx_id), denial)
    world.announce(
        "OfferDenied",
        {
            "listing_id": listing_id,
            "idgrid": denial.idgrid,
            "res_id": res_id,
            "energy_wh": energy_wh,
            "reason": DENIED_FOR,
        },
    )
    return denial


async def cancel_order(world: World, *, listing_id: str, order_id: str) -> MarketOrder:
    """Take an own order back before the gate closes; its escrow is free at once."""
    before, order = await _own_order(world, listing_id=listing_id, order_id=order_id, is_new=False)
    desk = _desk_without(before, order)
    await _delete(world, order)
    await world.put(keys.own_orders(listing_id, order.idgrid), desk.own)
    if order.side == BID:
        await world.put(keys.account(order.idgrid), desk.account)
    elif desk.supply != before.supply:
        await world.put(keys.promised(order.idgrid, desk.supply.res_id), desk.supply.promised)
    world.announce("OrderCancelled", {"listing_id": listing_id, "order_id": order_id})
    return order


async def replace_order(
    world: World,
    *,
    listing_id: str,
    order_id: str,
    energy_wh: int,
    price_utoken_per_kwh: int,
) -> MarketOrder:
    """Put another order in the place of an own one; it queues as a new one, under a new id."""
    desk, order = await _own_order(world, listing_id=listing_id, order_id=order_id, is_new=True)
    wish = Wish(
        listing_id=listing_id,
        side=order.side,
        energy_wh=energy_wh,
        price_utoken_per_kwh=price_utoken_per_kwh,
        res_id=order.res_id or "",
        preferred=tuple(order.preferred),
    )
    await _delete(world, order)
    return await place(world, _desk_without(desk, order), wish)


def require_seller(world: World, desk: Desk) -> None:
    """Only prosumers and generators sell, by certificate and by registry."""
    by_certificate = world.caller.idgrid != desk.trader.idgrid or world.caller.role in SELLERS
    if not by_certificate or desk.trader.role not in SELLERS:
        raise refused(Refusal.ROLE_NOT_ALLOWED, "only prosumers and generators sell")


async def _own_order(
    world: World, *, listing_id: str, order_id: str, is_new: bool
) -> tuple[Desk, MarketOrder]:
    """The caller's order, and its desk with the source the order names."""
    idgrid = world.own_idgrid()
    key = keys.order(
        arguments.identifier(listing_id, "listing_id"),
        idgrid,
        arguments.identifier(order_id, "order_id"),
    )
    desk, [raw] = await open_desk(world, idgrid, listing_id, extra=[key], is_new=is_new)
    if not raw:
        raise refused(Refusal.UNKNOWN_ORDER, f"{listing_id}, {order_id}")
    order = decode(MarketOrder, raw)
    if order.res_id:
        desk, _ = await open_desk(world, idgrid, listing_id, res_id=order.res_id, is_new=is_new)
    return desk, order


async def _delete(world: World, order: MarketOrder) -> None:
    """Delete the order and its escrow; its place in the arrivals stays, and is passed over."""
    await world.delete(keys.order(order.listing_id, order.idgrid, order.order_id))
    if order.side == BID:
        await world.delete(keys.escrow(order.idgrid, order.listing_id, order.order_id))


def _desk_without(desk: Desk, order: MarketOrder) -> Desk:
    """The desk as it would be if the order had not been placed."""
    own = without_order(desk.own, order)
    if order.side == OFFER:
        return replace(desk, own=own, supply=without_offer(desk.supply, order))
    freed = locked_by(order, desk.listing)
    balance = desk.account.balance_utoken + freed
    return replace(desk, own=own, account=replace(desk.account, balance_utoken=balance))
