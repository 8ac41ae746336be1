"""Sealed orders: commit before the gate closes, reveal after, void what stays hidden.

Why commit-reveal and what it prevents: docs/orders.md, "Sealed orders".
"""

from dataclasses import dataclass
from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.community import MARKET_OPERATORS
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.listings import get_listing, require_not_cancelled
from chaincode.energy.market.offered_source import require_supply, supply_from
from chaincode.energy.market.placing import (
    ARRIVED,
    BID,
    NO_ORDERS,
    OFFER,
    SEALED,
    checked_order,
    locked_by,
    max_order_of,
    open_desk,
    require_unbound,
    trader_from,
    write_own,
)
from chaincode.energy.market.records import (
    Listing,
    ListingState,
    MarketOrder,
    OwnOrders,
    SealedOrder,
)
from chaincode.energy.market.sealed_opening import deposit_utoken, forfeit_utoken, opened
from chaincode.energy.records import decode
from chaincode.energy.registry.records import Participant
from chaincode.energy.tokens import accounts
from chaincode.energy.tokens.funds import POOL
from chaincode.energy.tokens.records import Escrow
from chaincode.energy.world import World

VOIDED_PER_PAGE_MAX = 500
_NOT_OVER = frozenset({ListingState.AUTHORIZE_OFFERS, ListingState.REVEALING})


@dataclass(frozen=True, slots=True)
class Voided:
    """Orders of a page that were never revealed, and what they forfeited to the community pool."""

    listing_id: str
    orders: list[str]
    forfeited_utoken: int
    is_complete: bool


async def commit(world: World, *, listing_id: str, commitment: str) -> SealedOrder:
    """Place an order nobody can read: one a household and listing, with the listing's deposit.

    One only, else a household could commit to several and choose after seeing the others'.
    """
    desk, _ = await open_desk(world, world.own_idgrid(), listing_id)
    if not desk.listing.is_sealed:
        raise refused(Refusal.NOT_SEALED, listing_id)
    require_unbound(desk)
    if desk.own.order_count:
        raise refused(Refusal.TOO_MANY_ORDERS, "one sealed order a household and listing")
    order = SealedOrder(
        order_id=world.tx_id,
        listing_id=listing_id,
        idgrid=desk.trader.idgrid,
        commitment=arguments.salted_hash(commitment, "commitment"),
    )
    await accounts.lock(
        world,
        listing_id=listing_id,
        account=desk.account,
        amount=deposit_utoken(desk.listing),
    )
    await write_own(world, desk, OwnOrders(side=SEALED, energy_wh=0, order_count=1))
    await world.put(keys.sealed_order(listing_id, order.idgrid, order.order_id), order)
    await world.stub.put_state(keys.arrivals(listing_id), ARRIVED)
    world.announce("OrderSealed", {"listing_id": listing_id, "order_id": order.order_id})
    return order


async def withdraw(world: World, *, listing_id: str, order_id: str) -> SealedOrder:
    """Take an own sealed order back before the gate closes; the deposit is free at once."""
    idgrid = world.own_idgrid()
    key = keys.sealed_order(listing_id, idgrid, arguments.identifier(order_id, "order_id"))
    _, [raw] = await open_desk(world, idgrid, listing_id, extra=[key], is_new=False)
    if not raw:
        raise refused(Refusal.UNKNOWN_ORDER, f"{listing_id}, {order_id}")
    order = decode(SealedOrder, raw)
    listing = await get_listing(world, listing_id)
    await world.delete(key)
    await world.put(keys.own_orders(listing_id, idgrid), NO_ORDERS)
    await _free_deposit(world, listing, order, keep=0)
    world.announce("OrderCancelled", {"listing_id": listing_id, "order_id": order_id})
    return order


async def reveal(
    world: World, *, listing_id: str, idgrid: str, order_id: str, opening: dict[str, Any]
) -> MarketOrder:
    """Open a sealed order after the gate has closed, before the time to reveal is over.

    By the household, or by a market operator it gave its opening to. The order keeps the place in
    the ledger its commitment has; what it does not need of the deposit is paid back at once.
    """
    if world.caller.idgrid != idgrid:
        await world.require_role(MARKET_OPERATORS)
    listing = await get_listing(world, listing_id)
    _require_revealing(world, listing)
    sealed_key = keys.sealed_order(
        listing_id, arguments.idgrid(idgrid), arguments.identifier(order_id, "order_id")
    )
    who, raw = await world.stub.get_states([keys.participant(idgrid), sealed_key])
    if not raw:
        raise refused(Refusal.UNKNOWN_ORDER, f"{listing_id}, {order_id}")
    committed = decode(SealedOrder, raw).commitment
    wish = opened(opening, listing_id=listing_id, idgrid=idgrid, committed=committed)
    trader = trader_from(world, who, idgrid)
    order = checked_order(
        listing, wish, idgrid=idgrid, order_id=order_id, max_wh=max_order_of(trader, listing)
    )
    if order.side == OFFER:
        await _require_supply(world, listing, trader, order)
    await _unseal(world, listing, order, sealed_key)
    return order


async def void(world: World, listing_id: str) -> Voided:
    """Market operator: the next page of orders that were not revealed in time.

    Each forfeits `forfeit_utoken` to the community pool and gets the rest of its deposit back.
    """
    await world.require_role(MARKET_OPERATORS)
    listing = await get_listing(world, listing_id)
    require_not_cancelled(listing)
    if listing.state in _NOT_OVER:
        raise refused(Refusal.TOO_EARLY, f"orders of {listing_id} may still be revealed")
    bounds = keys.under("sealed", listing_id)
    hidden = await world.scan(SealedOrder, bounds, limit=VOIDED_PER_PAGE_MAX)
    forfeit = forfeit_utoken(listing)
    for key, order in hidden:
        await world.delete(key)
        await _free_deposit(world, listing, order, keep=forfeit)
    orders = [order.order_id for _, order in hidden]
    forfeited = forfeit * len(orders)
    if forfeited:
        await accounts.pay_out(
            world, POOL, source="forfeit", reference=world.tx_id, amount=forfeited
        )
        world.announce(
            "SealedOrdersVoided",
            {"listing_id": listing_id, "orders": orders, "forfeited_utoken": forfeited},
        )
    return Voided(listing_id, orders, forfeited, len(orders) < VOIDED_PER_PAGE_MAX)


async def hidden(world: World, listing_id: str) -> list[str]:
    """Ids of orders that are not revealed, at most a page."""
    bounds = keys.under("sealed", arguments.identifier(listing_id, "listing_id"))
    found = await world.scan(SealedOrder, bounds, limit=VOIDED_PER_PAGE_MAX)
    return [order.order_id for _, order in found]


def _require_revealing(world: World, listing: Listing) -> None:
    """The ledger's state decides when it begins, and when it ends at the latest."""
    require_not_cancelled(listing)
    if not listing.is_sealed:
        raise refused(Refusal.NOT_SEALED, listing.listing_id)
    if listing.state == ListingState.AUTHORIZE_OFFERS:
        raise refused(Refusal.TOO_EARLY, f"the gate of {listing.listing_id} is open")
    if listing.state != ListingState.REVEALING or world.now_ms >= listing.reveal_until_ms:
        raise refused(Refusal.TOO_LATE, f"orders of {listing.listing_id} were to be revealed")


async def _require_supply(
    world: World, listing: Listing, trader: Participant, order: MarketOrder
) -> None:
    res_id = order.res_id or ""
    raw = await world.stub.get_states(
        [keys.res(res_id), keys.promised(trader.idgrid, res_id), keys.charge(res_id)]
    )
    await require_supply(world, supply_from(res_id, *raw), order, listing)


async def _unseal(world: World, listing: Listing, order: MarketOrder, sealed_key: str) -> None:
    """Put the order into the book; of the deposit only what a bid may cost stays locked."""
    keep = locked_by(order, listing) if order.side == BID else 0
    await world.delete(sealed_key)
    await accounts.put_escrow(
        world, Escrow(order.idgrid, listing.listing_id, order.order_id, keep)
    )
    await accounts.pay_out(
        world,
        order.idgrid,
        source="reveal",
        reference=order.order_id,
        amount=deposit_utoken(listing) - keep,
    )
    await world.put(keys.order(listing.listing_id, order.idgrid, order.order_id), order)
    await world.put(
        keys.own_orders(listing.listing_id, order.idgrid),
        OwnOrders(side=order.side, energy_wh=order.energy_wh, order_count=1),
    )
    world.announce("OrderRevealed", {"listing_id": listing.listing_id, "order_id": order.order_id})


async def _free_deposit(world: World, listing: Listing, order: SealedOrder, *, keep: int) -> None:
    """Empty the escrow of a sealed order and pay back all of it but `keep`."""
    await world.delete(keys.escrow(order.idgrid, order.listing_id, order.order_id))
    freed = deposit_utoken(listing) - keep
    if freed:
        await accounts.pay_out(
            world, order.idgrid, source="unseal", reference=order.order_id, amount=freed
        )
