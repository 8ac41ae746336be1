"""Giving back what a cleared bid does not need any more."""

from collections.abc import Mapping, Sequence

from chaincode.energy.market.placing import locked_by
from chaincode.energy.market.records import Listing, MarketOrder
from chaincode.energy.tokens import accounts
from chaincode.energy.tokens.records import Escrow
from chaincode.energy.world import World


async def release_escrows(
    world: World, listing: Listing, placed: Sequence[MarketOrder], kept: Mapping[str, int]
) -> int:
    """Keep locked what a matched bid may have to pay (`kept`), pay the rest out at once.

    `placed` holds all orders of a household or none of it. Returns the micro-tokens released.
    """
    released: dict[str, int] = {}
    for order in placed:
        if order.side != "bid":
            continue
        keep = kept.get(order.order_id, 0)
        spare = locked_by(order, listing) - keep
        if spare < 0:
            raise ArithmeticError(f"bid {order.order_id} owes more than it locked")
        released[order.idgrid] = released.get(order.idgrid, 0) + spare
        if spare:
            escrow = Escrow(
                idgrid=order.idgrid,
                listing_id=listing.listing_id,
                order_id=order.order_id,
                locked_utoken=keep,
            )
            await accounts.put_escrow(world, escrow)
    for idgrid, amount in released.items():
        if amount:
            await accounts.pay_out(
                world, idgrid, source="clear", reference=listing.listing_id, amount=amount
            )
    return sum(released.values())
