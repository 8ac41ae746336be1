"""What every order goes through: one request to the ledger, the checks, then its keys.

All keys are the household's own, apart from the listing, which only its phase changes write; so
orders of different households never conflict. Two orders of one household in one listing both
read and write `own~listing~idgrid`: in one block the second is invalid and sent again, which
is what makes the sums hold (docs/market.md, "Keys").
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chaincode.energy import arguments, keys
from chaincode.energy.access.grants import require_granted
from chaincode.energy.access.records import MARKET
from chaincode.energy.arguments import ENERGY_WH_MAX, PRICE_UTOKEN_PER_KWH_MAX
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market import agent_limits
from chaincode.energy.market.direct_trade import FEED_IN_SOURCE, require_direct_trade
from chaincode.energy.market.offered_source import NO_SUPPLY, Supply, require_supply, supply_from
from chaincode.energy.market.records import Listing, ListingState, MarketOrder, OwnOrders
from chaincode.energy.market.settlement_terms import locked_for
from chaincode.energy.records import decode
from chaincode.energy.registry.records import Participant
from chaincode.energy.registry.trading import (
    order_limit_wh,
    require_may_trade,
    use_after_order,
)
from chaincode.energy.tokens import accounts
from chaincode.energy.tokens.records import Account
from chaincode.energy.world import World

ORDERS_PER_HOUSEHOLD_MAX = 20
"""Orders of one household in one listing; keeps the book bounded."""

PREFERRED_MAX = 10
"""Producers or sources a bid may prefer (001:595-602)."""

ARRIVED = b"1"
"""Value of the arrivals key; only the history of the key matters."""

OFFER, BID, SEALED = "offer", "bid", "sealed"
NO_ORDERS = OwnOrders(side="", energy_wh=0, order_count=0)


@dataclass(frozen=True, slots=True)
class Wish:
    """An order as somebody wants it. Energy in Wh, price in micro-tokens per kWh."""

    listing_id: str
    side: str
    energy_wh: int
    price_utoken_per_kwh: int
    res_id: str = ""
    preferred: tuple[str, ...] = ()
    source: str = "order"


@dataclass(frozen=True, slots=True)
class Desk:
    """What an order is checked against, as the ledger has it."""

    trader: Participant
    use_raw: bytes
    listing: Listing
    own: OwnOrders
    account: Account
    supply: Supply

    @property
    def max_order_wh(self) -> int:
        """Most energy of this household's orders in the listing."""
        slot_ms = self.listing.delivery_end_ms - self.listing.delivery_start_ms
        return order_limit_wh(self.trader, max_order_wh=self.listing.max_order_wh, slot_ms=slot_ms)


async def open_desk(
    world: World,
    idgrid: str,
    listing_id: str,
    *,
    res_id: str = "",
    extra: Sequence[str] = (),
    is_new: bool = True,
    as_agent: bool = False,
) -> tuple[Desk, list[bytes]]:
    """Everything an order of this household needs, and the values of `extra` keys, at once.

    With a source (`res_id`) it is an offer, which needs no money: the account is not read.

    Refuses who may not trade now and a listing that takes no orders. Taking an order back
    (not `is_new`) needs neither consent nor data access nor a contract. `as_agent`: agents' keys
    may do this too, within their limits.
    """
    arguments.identifier(listing_id, "listing_id")
    wanted = [
        keys.participant(idgrid),
        keys.listing(listing_id),
        keys.own_orders(listing_id, idgrid),
        keys.access(idgrid, MARKET),
        keys.contract_use(idgrid),
        *extra,
    ]
    if res_id:
        arguments.identifier(res_id, "res_id")
        wanted += [keys.res(res_id), keys.promised(idgrid, res_id), keys.charge(res_id)]
    else:
        wanted.append(keys.account(idgrid))
    trader, listing, own, grants, use, *others = await world.stub.get_states(wanted)
    rest = others[len(extra) :]
    desk = Desk(
        trader=trader_from(world, trader, idgrid, as_agent=as_agent),
        use_raw=use,
        listing=listing_taking_orders(world, listing, listing_id),
        own=decode(OwnOrders, own) if own else NO_ORDERS,
        account=accounts.account_from(idgrid, b"" if res_id else rest[0]),
        supply=supply_from(res_id, *rest) if res_id else NO_SUPPLY,
    )
    if is_new:
        require_may_trade(desk.trader, world.now_ms, use_raw=use)
        require_granted(grants, desk.trader.meter_ids, world.now_ms)
    return desk, others[: len(extra)]


async def place(world: World, desk: Desk, wish: Wish) -> MarketOrder:
    """Check the wish and write the order; a bid locks what it may cost at most."""
    order = order_of(world, desk, wish)
    own = with_order(desk, order)
    await agent_limits.use_up(world, desk.trader, order)
    if order.side == OFFER:
        await require_supply(world, desk.supply, order, desk.listing)
    else:
        await accounts.lock(
            world,
            listing_id=order.listing_id,
            account=desk.account,
            amount=locked_by(order, desk.listing),
        )
    await write_own(world, desk, own)
    await write_order(world, order)
    return order


async def write_own(world: World, desk: Desk, own: OwnOrders) -> None:
    """Write a household's orders added up, and one more order of a contract that limits them."""
    await world.put(keys.own_orders(desk.listing.listing_id, desk.trader.idgrid), own)
    use = use_after_order(desk.trader, desk.use_raw)
    if use is not None:
        await world.put(keys.contract_use(desk.trader.idgrid), use)


async def write_order(world: World, order: MarketOrder) -> None:
    """Write an order and its arrival, and announce it."""
    await world.put(keys.order(order.listing_id, order.idgrid, order.order_id), order)
    await world.stub.put_state(keys.arrivals(order.listing_id), ARRIVED)
    world.announce(
        "OrderPlaced",
        {
            "listing_id": order.listing_id,
            "order_id": order.order_id,
            "side": order.side,
            "energy_wh": order.energy_wh,
            "source": order.source,
        },
    )


def max_order_of(trader: Participant, listing: Listing) -> int:
    """Most energy of a household's orders in a listing: by listing and by its connection."""
    slot_ms = listing.delivery_end_ms - listing.delivery_start_ms
    return order_limit_wh(trader, max_order_wh=listing.max_order_wh, slot_ms=slot_ms)


def require_unbound(desk: Desk) -> None:
    """Refuse a household for which a group has ordered in the listing."""
    if desk.own.group_id:
        raise refused(Refusal.IN_A_GROUP, f"{desk.own.group_id} orders for {desk.trader.idgrid}")


def locked_by(order: MarketOrder, listing: Listing) -> int:
    """Micro-tokens a bid locks: its limit, or the cap if lower, and the network charge."""
    price = min(order.price_utoken_per_kwh, listing.cap_utoken_per_kwh)
    return locked_for(listing, energy_wh=order.energy_wh, price_utoken_per_kwh=price)


def trader_from(world: World, raw: bytes, idgrid: str, *, as_agent: bool = False) -> Participant:
    """The household that orders: the caller, or the one a standing order is carried out for.

    Refuses a stranger and a certificate of another member.
    """
    if world.caller.idgrid == idgrid:
        trader = world.require_registered(raw, as_agent=as_agent)
    elif not raw:
        raise refused(Refusal.UNKNOWN_PARTICIPANT, idgrid)
    else:
        trader = decode(Participant, raw)
    return trader


def listing_taking_orders(world: World, raw: bytes, listing_id: str) -> Listing:
    """The listing in `raw` (empty: none) if it takes orders now."""
    if not raw:
        raise refused(Refusal.UNKNOWN_LISTING, listing_id)
    listing = decode(Listing, raw)
    if listing.state == ListingState.CANCELLED:
        raise refused(Refusal.LISTING_CANCELLED, listing_id)
    if listing.state != ListingState.AUTHORIZE_OFFERS:
        raise refused(Refusal.BIDS_CLOSED, f"{listing_id} is {listing.state}")
    if world.now_ms >= listing.gate_closure_ms:
        raise refused(Refusal.BIDS_CLOSED, f"the gate of {listing_id} has closed")
    if world.now_ms < listing.opens_at_ms:
        raise refused(Refusal.NOT_OPEN_YET, listing_id)
    return listing


def order_of(world: World, desk: Desk, wish: Wish) -> MarketOrder:
    """The order a wish becomes in its listing; its id is this transaction's."""
    if desk.listing.is_sealed:
        raise refused(Refusal.SEALED_ONLY, wish.listing_id)
    return checked_order(
        desk.listing,
        wish,
        idgrid=desk.trader.idgrid,
        order_id=world.tx_id,
        max_wh=desk.max_order_wh,
    )


def checked_order(
    listing: Listing, wish: Wish, *, idgrid: str, order_id: str, max_wh: int
) -> MarketOrder:
    """The order if its energy and price are within the bounds of the listing and `max_wh`."""
    require_positive(wish)
    wish = as_allowed(listing, wish)
    if wish.energy_wh > max_wh:
        raise refused(Refusal.CAP_EXCEEDED, f"{wish.energy_wh} Wh, the cap is {max_wh}")
    if wish.side == OFFER and wish.price_utoken_per_kwh > listing.cap_utoken_per_kwh:
        raise refused(Refusal.ABOVE_RETAIL_PRICE, f"cap is {listing.cap_utoken_per_kwh}")
    if wish.side == BID and wish.price_utoken_per_kwh < listing.floor_utoken_per_kwh:
        raise refused(Refusal.BELOW_FEED_IN_TARIFF, f"floor is {listing.floor_utoken_per_kwh}")
    return MarketOrder(
        order_id=order_id,
        listing_id=listing.listing_id,
        idgrid=idgrid,
        side=wish.side,
        energy_wh=wish.energy_wh,
        price_utoken_per_kwh=wish.price_utoken_per_kwh,
        res_id=wish.res_id or None,
        preferred=list(wish.preferred),
        source=wish.source,
    )


def as_allowed(listing: Listing, wish: Wish) -> Wish:
    """Without direct trade an offer is an order to feed in at the tariff, and no bid is taken."""
    if listing.allows_direct_trade:
        return wish
    if wish.side == BID:
        require_direct_trade(listing)
    return replace(wish, price_utoken_per_kwh=listing.floor_utoken_per_kwh, source=FEED_IN_SOURCE)


def require_positive(wish: Wish) -> None:
    """Energy and price are whole numbers above zero, in the source documents' words."""
    if wish.energy_wh <= 0:
        raise refused(Refusal.ENERGY_MISSING, f"energy_wh is {wish.energy_wh}")
    if wish.price_utoken_per_kwh <= 0:
        refusal = (
            Refusal.OFFER_PRICE_NOT_POSITIVE
            if wish.side == OFFER
            else Refusal.BID_PRICE_NOT_POSITIVE
        )
        raise refused(refusal, f"price_utoken_per_kwh is {wish.price_utoken_per_kwh}")
    arguments.positive(wish.energy_wh, "energy_wh", at_most=ENERGY_WH_MAX)
    arguments.positive(
        wish.price_utoken_per_kwh, "price_utoken_per_kwh", at_most=PRICE_UTOKEN_PER_KWH_MAX
    )


def preferences(given: Sequence[object]) -> tuple[str, ...]:
    """At most `PREFERRED_MAX` different RESids or IDgrids, the most wanted first."""
    if len(given) > PREFERRED_MAX:
        arguments.bad(f"preferred names more than {PREFERRED_MAX} producers")
    names = tuple(arguments.identifier_of(name, "preferred") for name in given)
    if len(set(names)) != len(names):
        arguments.bad("preferred names a producer twice")
    return names


def with_order(desk: Desk, order: MarketOrder) -> OwnOrders:
    """A household's orders with one more; refuses what a household may not have in a listing."""
    own = desk.own
    require_unbound(desk)
    if own.order_count >= ORDERS_PER_HOUSEHOLD_MAX:
        raise refused(Refusal.TOO_MANY_ORDERS, f"at most {ORDERS_PER_HOUSEHOLD_MAX}")
    if own.order_count and own.side != order.side:
        raise refused(Refusal.SELF_TRADE, f"{order.idgrid} has an order on the other side")
    total_wh = own.energy_wh + order.energy_wh
    if total_wh > desk.max_order_wh:
        raise refused(
            Refusal.CAP_EXCEEDED, f"{total_wh} Wh in all, the cap is {desk.max_order_wh}"
        )
    return OwnOrders(side=order.side, energy_wh=total_wh, order_count=own.order_count + 1)


def without_order(own: OwnOrders, order: MarketOrder) -> OwnOrders:
    """A household's orders with one less."""
    left = replace(own, energy_wh=own.energy_wh - order.energy_wh, order_count=own.order_count - 1)
    return left if left.order_count else NO_ORDERS
