"""Placing offers and bids: every check of an order, and the keys it writes.

No key is shared: an order reads its own registry records, the listing and its own household's
orders, and writes only keys of its own (docs/market.md, "Keys").
"""

from chaincode.energy import arguments, keys
from chaincode.energy.arguments import PRICE_UTOKEN_PER_KWH_MAX
from chaincode.energy.community import SELLERS
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.records import Listing, ListingState, MarketOrder
from chaincode.energy.market.settlement_terms import locked_for
from chaincode.energy.records import decode
from chaincode.energy.registry.records import Participant, Res, Status
from chaincode.energy.tokens import accounts
from chaincode.energy.world import World

ORDERS_PER_HOUSEHOLD_MAX = 20
"""Orders of one household in one listing; keeps the book and the range read bounded."""

ARRIVED = b"1"
"""Value of the arrivals key; only the history of the key matters."""


async def place_offer(
    world: World,
    *,
    listing_id: str,
    res_id: str,
    energy_wh: int,
    reserve_price_utoken_per_kwh: int,
) -> MarketOrder:
    """Offer energy of an own, approved source, at the reserve price or better."""
    seller_raw, listing_raw, res_raw = await world.stub.get_states(
        [
            keys.participant(world.own_idgrid()),
            keys.listing(arguments.identifier(listing_id, "listing_id")),
            keys.res(arguments.identifier(res_id, "res_id")),
        ]
    )
    seller = _trader(world, seller_raw)
    if world.caller.role not in SELLERS or seller.role not in SELLERS:
        raise refused(Refusal.ROLE_NOT_ALLOWED, "only prosumers and generators sell")
    _require_own_source(res_raw, res_id=res_id, idgrid=seller.idgrid)
    listing = _listing_taking_orders(world, listing_raw, listing_id)
    order = _order(
        world,
        listing,
        idgrid=seller.idgrid,
        side="offer",
        energy_wh=energy_wh,
        price=reserve_price_utoken_per_kwh,
        res_id=res_id,
    )
    if order.price_utoken_per_kwh > listing.cap_utoken_per_kwh:
        raise refused(Refusal.ABOVE_RETAIL_PRICE, f"cap is {listing.cap_utoken_per_kwh}")
    await _place(world, listing, order)
    return order


async def place_bid(
    world: World, *, listing_id: str, energy_wh: int, bid_price_utoken_per_kwh: int
) -> MarketOrder:
    """Bid for energy at this price or better; the money it may cost at most is locked."""
    idgrid = world.own_idgrid()
    buyer_raw, listing_raw, account_raw = await world.stub.get_states(
        [
            keys.participant(idgrid),
            keys.listing(arguments.identifier(listing_id, "listing_id")),
            keys.account(idgrid),
        ]
    )
    buyer = _trader(world, buyer_raw)
    listing = _listing_taking_orders(world, listing_raw, listing_id)
    order = _order(
        world,
        listing,
        idgrid=buyer.idgrid,
        side="bid",
        energy_wh=energy_wh,
        price=bid_price_utoken_per_kwh,
        res_id=None,
    )
    if order.price_utoken_per_kwh < listing.floor_utoken_per_kwh:
        raise refused(Refusal.BELOW_FEED_IN_TARIFF, f"floor is {listing.floor_utoken_per_kwh}")
    await _place(world, listing, order)
    await accounts.lock(
        world,
        listing_id=listing_id,
        account=accounts.account_from(idgrid, account_raw),
        amount=locked_by(order, listing),
    )
    return order


def locked_by(order: MarketOrder, listing: Listing) -> int:
    """Micro-tokens a bid locks: its limit, or the cap if lower, and the network charge."""
    price = min(order.price_utoken_per_kwh, listing.cap_utoken_per_kwh)
    return locked_for(listing, energy_wh=order.energy_wh, price_utoken_per_kwh=price)


def _trader(world: World, raw: bytes) -> Participant:
    trader = world.require_registered(raw)
    if trader.status != Status.APPROVED:
        raise refused(Refusal.NOT_APPROVED, f"participant {trader.idgrid}")
    return trader


def _require_own_source(raw: bytes, *, res_id: str, idgrid: str) -> None:
    if not raw:
        raise refused(Refusal.RES_REQUIRED, f"{res_id} is not registered")
    source = decode(Res, raw)
    if source.owner_idgrid != idgrid:
        raise refused(Refusal.RES_REQUIRED, f"{res_id} belongs to somebody else")
    if source.status != Status.APPROVED:
        raise refused(Refusal.NOT_APPROVED, f"energy source {res_id}")


def _listing_taking_orders(world: World, raw: bytes, listing_id: str) -> Listing:
    if not raw:
        raise refused(Refusal.UNKNOWN_LISTING, listing_id)
    listing = decode(Listing, raw)
    if listing.state != ListingState.AUTHORIZE_OFFERS:
        raise refused(Refusal.BIDS_CLOSED, f"{listing_id} is {listing.state}")
    if world.now_ms >= listing.gate_closure_ms:
        raise refused(Refusal.BIDS_CLOSED, f"the gate of {listing_id} has closed")
    if world.now_ms < listing.opens_at_ms:
        raise refused(Refusal.NOT_OPEN_YET, listing_id)
    return listing


def _order(
    world: World,
    listing: Listing,
    *,
    idgrid: str,
    side: str,
    energy_wh: int,
    price: int,
    res_id: str | None,
) -> MarketOrder:
    if energy_wh > listing.max_order_wh:
        raise refused(Refusal.CAP_EXCEEDED, f"{energy_wh} Wh, the cap is {listing.max_order_wh}")
    return MarketOrder(
        order_id=world.tx_id,
        listing_id=listing.listing_id,
        idgrid=idgrid,
        side=side,
        energy_wh=arguments.positive(energy_wh, "energy_wh", at_most=listing.max_order_wh),
        price_utoken_per_kwh=arguments.positive(
            price, "price_utoken_per_kwh", at_most=PRICE_UTOKEN_PER_KWH_MAX
        ),
        res_id=res_id,
    )


async def _place(world: World, listing: Listing, order: MarketOrder) -> None:
    """Check the household's other orders in this listing, then write the order.

    The range read covers this household's orders only. Two of its orders in one block conflict
    with each other (phantom read), which is what enforces the sum; nobody else is touched.
    """
    bounds = keys.under("order", listing.listing_id, order.idgrid)
    placed = [own for _, own in await world.scan(MarketOrder, bounds)]
    if len(placed) >= ORDERS_PER_HOUSEHOLD_MAX:
        raise refused(Refusal.TOO_MANY_ORDERS, f"at most {ORDERS_PER_HOUSEHOLD_MAX}")
    if any(own.side != order.side for own in placed):
        raise refused(Refusal.SELF_TRADE, f"{order.idgrid} has an order on the other side")
    total_wh = order.energy_wh + sum(own.energy_wh for own in placed)
    if total_wh > listing.max_order_wh:
        raise refused(
            Refusal.CAP_EXCEEDED, f"{total_wh} Wh in all, the cap is {listing.max_order_wh}"
        )
    await world.put(keys.order(listing.listing_id, order.idgrid, order.order_id), order)
    await world.stub.put_state(keys.arrivals(listing.listing_id), ARRIVED)
    world.announce(
        "OrderPlaced",
        {
            "listing_id": order.listing_id,
            "order_id": order.order_id,
            "side": order.side,
            "energy_wh": order.energy_wh,
        },
    )
