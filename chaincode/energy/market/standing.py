"""Standing orders: a household signs once, a scheduler or agent places the order in each listing.

Whoever carries it out can do no more than was signed: the same order, once a listing, within the
limits. Leaving it out is all a scheduler can do against a household, whose own agent can then
place the order itself.
"""

from dataclasses import dataclass
from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.community import MARKET_OPERATORS, STAFF
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.listings import get_listing
from chaincode.energy.market.orders import require_seller
from chaincode.energy.market.placing import BID, OFFER, Wish, locked_by, open_desk, place
from chaincode.energy.market.records import MarketOrder
from chaincode.energy.market.standing_rules import (
    LISTINGS_MAX,
    StandingOrder,
    StandingUse,
    problem_with,
    standing_from,
    used_after,
    wish_of,
)
from chaincode.energy.records import decode
from chaincode.energy.world import World

STANDING_PER_HOUSEHOLD_MAX = 20


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """The order made in a listing; not `is_new` if it was made before."""

    listing_id: str
    order_id: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Made:
    """Note that a standing order or profile has made its order in a listing."""

    order_id: str


async def place_standing(world: World, given: dict[str, Any]) -> StandingOrder:
    """Participant: sign an order for many listings."""
    owner = await world.caller_is_registered()
    standing = standing_from(given, idgrid=owner.idgrid, standing_id=world.tx_id)
    before = await world.scan(StandingOrder, keys.under("standing", owner.idgrid))
    if len(before) >= STANDING_PER_HOUSEHOLD_MAX:
        raise refused(Refusal.TOO_MANY_ORDERS, f"at most {STANDING_PER_HOUSEHOLD_MAX}")
    await world.put(keys.standing(owner.idgrid, standing.standing_id), standing)
    world.announce(
        "StandingOrderPlaced", {"standing_id": standing.standing_id, "side": standing.side}
    )
    return standing


async def withdraw_standing(world: World, standing_id: str) -> StandingOrder:
    """Participant: make no more orders from it; those in open listings stay."""
    owner = await world.caller_is_registered()
    standing = await _standing(world, owner.idgrid, standing_id)
    await world.delete(keys.standing(owner.idgrid, standing_id))
    await world.delete(keys.standing_use(owner.idgrid, standing_id))
    world.announce("StandingOrderWithdrawn", {"standing_id": standing_id})
    return standing


async def list_standing(world: World, idgrid: str) -> list[StandingOrder]:
    """A household's standing orders; for itself and for staff."""
    await world.require_own_or_staff(arguments.idgrid(idgrid))
    found = await world.scan(StandingOrder, keys.under("standing", idgrid))
    return [standing for _, standing in found]


async def carry_out(world: World, *, listing_id: str, idgrid: str, standing_id: str) -> CarriedOut:
    """The household or a market operator: make the order in a listing, once."""
    made = await made_before(world, listing_id=listing_id, idgrid=idgrid, name=standing_id)
    if made is not None:
        return made
    standing = await _standing(world, idgrid, standing_id)
    use_key = keys.standing_use(idgrid, standing_id)
    use = await world.find(StandingUse, use_key) or StandingUse()
    listing = await get_listing(world, listing_id)
    problem = problem_with(standing, use, listing)
    if problem is not None:
        raise refused(Refusal.STANDING_LIMIT, f"{listing_id}, {standing_id}: {problem}")
    order = await make_order(world, wish_of(standing, listing_id), idgrid=idgrid, name=standing_id)
    locked = locked_by(order, listing) if order.side == BID else 0
    await world.put(use_key, used_after(standing, use, locked_utoken=locked))
    return CarriedOut(listing_id, order.order_id, is_new=True)


async def due(world: World, listing_id: str) -> list[list[str]]:
    """What a scheduler still has to carry out in a listing: pairs of IDgrid and standing id."""
    await world.require_role(STAFF)
    listing = await get_listing(world, listing_id)
    found = [order for _, order in await world.scan(StandingOrder, keys.under("standing"))]
    made = {key for key, _ in await world.scan(Made, keys.under("made", listing_id))}
    wanted = [
        standing
        for standing in found
        if keys.made_order(listing_id, standing.idgrid, standing.standing_id) not in made
        and not problem_with(standing, StandingUse(), listing)
    ]
    limited = [standing for standing in wanted if standing.listings_max < LISTINGS_MAX]
    raw = await world.stub.get_states(
        [keys.standing_use(standing.idgrid, standing.standing_id) for standing in limited]
    )
    used_up = {
        standing.standing_id
        for standing, use in zip(limited, raw, strict=True)
        if use and problem_with(standing, decode(StandingUse, use), listing)
    }
    return [
        [standing.idgrid, standing.standing_id]
        for standing in wanted
        if standing.standing_id not in used_up
    ]


async def made_before(
    world: World, *, listing_id: str, idgrid: str, name: str
) -> CarriedOut | None:
    """The order this household's standing order or profile has made already; checks the caller."""
    if world.caller.idgrid != arguments.idgrid(idgrid):
        await world.require_role(MARKET_OPERATORS)
    arguments.identifier(listing_id, "listing_id")
    arguments.identifier(name, "standing_id")
    made = await world.find(Made, keys.made_order(listing_id, idgrid, name))
    return CarriedOut(listing_id, made.order_id, is_new=False) if made is not None else None


async def make_order(world: World, wish: Wish, *, idgrid: str, name: str) -> MarketOrder:
    """Place the order for the household and note it under `name`, so that it is made once."""
    desk, _ = await open_desk(world, idgrid, wish.listing_id, res_id=wish.res_id, as_agent=True)
    if wish.side == OFFER:
        require_seller(world, desk)
    order = await place(world, desk, wish)
    await world.put(keys.made_order(wish.listing_id, idgrid, name), Made(order.order_id))
    return order


async def _standing(world: World, idgrid: str, standing_id: str) -> StandingOrder:
    key = keys.standing(idgrid, arguments.identifier(standing_id, "standing_id"))
    return await world.get(StandingOrder, key, Refusal.UNKNOWN_ORDER, standing_id)
