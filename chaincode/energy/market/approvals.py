"""Orders beyond what a household may place by itself: pending until an operator approves.

The household signs what it wants; nothing is in the book, and nothing is locked, before the grid
operator has looked at it. The approval places the order, with its own place in the ledger.
"""

from dataclasses import dataclass, replace

from chaincode.energy import arguments, keys
from chaincode.energy.community import GRID_OPERATORS
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.placing import (
    BID,
    OFFER,
    Wish,
    listing_taking_orders,
    open_desk,
    place,
    require_positive,
)
from chaincode.energy.market.records import MarketOrder
from chaincode.energy.world import World

PENDING, APPROVED = "pending", "approved"


@dataclass(frozen=True, slots=True)
class PendingOrder:
    """An order that waits for approval; `order_id` is empty until it is in the book."""

    request_id: str
    listing_id: str
    idgrid: str
    side: str
    energy_wh: int
    price_utoken_per_kwh: int
    res_id: str
    status: str
    order_id: str = ""


async def request_order(
    world: World, *, listing_id: str, side: str, energy_wh: int, price: int, res_id: str
) -> PendingOrder:
    """Participant: ask for an order of more than the listing's largest."""
    idgrid = (await world.caller_is_registered()).idgrid
    arguments.one_of(side, "side", (OFFER, BID))
    if (side == OFFER) != bool(res_id):
        arguments.bad("an offer names its energy source, a bid none")
    listing_key = keys.listing(arguments.identifier(listing_id, "listing_id"))
    listing_taking_orders(world, await world.stub.get_state(listing_key), listing_id)
    require_positive(Wish(listing_id, side, energy_wh, price))
    pending = PendingOrder(
        request_id=world.tx_id,
        listing_id=listing_id,
        idgrid=idgrid,
        side=side,
        energy_wh=energy_wh,
        price_utoken_per_kwh=price,
        res_id=res_id,
        status=PENDING,
    )
    await world.put(keys.pending_order(listing_id, idgrid, world.tx_id), pending)
    world.announce("OrderPending", {"listing_id": listing_id, "request_id": world.tx_id})
    return pending


async def approve_order(
    world: World, *, listing_id: str, idgrid: str, request_id: str
) -> MarketOrder:
    """Grid operator: place a pending order; every check but the largest order applies."""
    await world.require_role(GRID_OPERATORS)
    key = keys.pending_order(listing_id, idgrid, request_id)
    pending = await world.get(PendingOrder, key, Refusal.UNKNOWN_ORDER, request_id)
    if pending.status != PENDING:
        raise refused(Refusal.ALREADY_EXISTS, f"order {pending.order_id}")
    desk, _ = await open_desk(world, idgrid, listing_id, res_id=pending.res_id)
    allowed_wh = desk.own.energy_wh + pending.energy_wh
    raised = replace(desk.listing, max_order_wh=max(desk.listing.max_order_wh, allowed_wh))
    order = await place(
        world,
        replace(desk, listing=raised),
        Wish(
            listing_id=listing_id,
            side=pending.side,
            energy_wh=pending.energy_wh,
            price_utoken_per_kwh=pending.price_utoken_per_kwh,
            res_id=pending.res_id,
        ),
    )
    await world.put(key, replace(pending, status=APPROVED, order_id=order.order_id))
    return order


async def get_pending(world: World, *, listing_id: str, idgrid: str) -> list[PendingOrder]:
    """A household's requests in a listing; for itself and for staff."""
    await world.require_own_or_staff(arguments.idgrid(idgrid))
    bounds = keys.under("pending", arguments.identifier(listing_id, "listing_id"), idgrid)
    return [pending for _, pending in await world.scan(PendingOrder, bounds)]
