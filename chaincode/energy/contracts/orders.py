"""The contract `orders`: what else a household does with its offers and bids."""

from dataclasses import asdict
from typing import Any

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.market import listings, orders, views
from chaincode.energy.market.records import MarketOrder
from chaincode.energy.market.source_names import (
    bid_wish,
    in_source_names,
    listing_in_source_names,
    offer_wish,
)
from chaincode.shim import Context, Contract, query, transaction


class Orders(Contract):
    """Cancel and replace orders, recorded denials, and orders in the source documents' words."""

    name = "orders"

    @transaction
    async def request_offer(
        self, ctx: Context, listing_id: str, res_id: str, energy_wh: int, reserve_price: int
    ) -> dict[str, Any]:
        """Prosumer: offer, or record with OfferDenied that the battery holds too little."""
        made = await orders.request_offer(
            world_of(ctx),
            listing_id=listing_id,
            res_id=res_id,
            energy_wh=energy_wh,
            reserve_price=reserve_price,
        )
        return {"is_placed": isinstance(made, MarketOrder)} | asdict(made)

    @transaction
    async def cancel(self, ctx: Context, listing_id: str, order_id: str) -> MarketOrder:
        """Participant: take an own order back before the gate closes."""
        return await orders.cancel_order(world_of(ctx), listing_id=listing_id, order_id=order_id)

    @transaction
    async def replace(
        self,
        ctx: Context,
        listing_id: str,
        order_id: str,
        energy_wh: int,
        price_utoken_per_kwh: int,
    ) -> MarketOrder:
        """Participant: put another order in the place of an own one."""
        return await orders.replace_order(
            world_of(ctx),
            listing_id=listing_id,
            order_id=order_id,
            energy_wh=energy_wh,
            price_utoken_per_kwh=price_utoken_per_kwh,
        )

    @transaction
    async def RESOffer(self, ctx: Context, offer: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        """Prosumer: {reservePrice, kWhavailable, listingid, RESid, producer}."""
        world = world_of(ctx)
        wish = offer_wish(offer, idgrid=world.own_idgrid())
        return in_source_names(await orders.place_wish(world, wish))

    @transaction
    async def BUYOffer(self, ctx: Context, bid: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        """Participant: {BidPrice, kWhQuantity, listingid, consumer}."""
        world = world_of(ctx)
        wish = bid_wish(bid, idgrid=world.own_idgrid())
        return in_source_names(await orders.place_wish(world, wish))

    @query
    async def kWhoffer(  # noqa: N802
        self, ctx: Context, listingid: str, idgrid: str
    ) -> dict[str, Any]:
        """Participant itself or staff: a listing with its own orders, in the documents' words."""
        world = world_of(ctx)
        own = await views.get_orders(world, listing_id=listingid, idgrid=idgrid)
        return listing_in_source_names(await listings.get_listing(world, listingid), own)
