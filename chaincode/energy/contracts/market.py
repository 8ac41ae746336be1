"""The contract `market`: listings, orders, clearing and settlement."""

from dataclasses import asdict
from typing import Any

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.market import auction, auction_views, listings, orders, views
from chaincode.energy.market.auction_records import AuctionResult
from chaincode.energy.market.records import Listing, MarketOrder
from chaincode.energy.settlement import fulfilment
from chaincode.energy.settlement.records import SettlementLine, SettlementRecord
from chaincode.energy.sight import sight_of
from chaincode.shim import Context, Contract, query, transaction


class Market(Contract):
    """Listings, orders, clearing and settlement."""

    name = "market"

    @transaction
    async def open_listing(
        self, ctx: Context, listing_id: str, parameters: dict[str, Any]
    ) -> Listing:
        """Manager or scheduler: open the market of one delivery hour."""
        return await listings.open_listing(
            world_of(ctx), listing_id=listing_id, parameters=parameters
        )

    @transaction
    async def place_offer(
        self,
        ctx: Context,
        listing_id: str,
        res_id: str,
        energy_wh: int,
        reserve_price_utoken_per_kwh: int,
    ) -> MarketOrder:
        """Prosumer or generator: offer energy of an own approved source."""
        return await orders.place_offer(
            world_of(ctx),
            listing_id=listing_id,
            res_id=res_id,
            energy_wh=energy_wh,
            reserve_price_utoken_per_kwh=reserve_price_utoken_per_kwh,
        )

    @transaction
    async def place_bid(
        self,
        ctx: Context,
        listing_id: str,
        energy_wh: int,
        bid_price_utoken_per_kwh: int,
        preferred: list[Any] | None = None,
    ) -> MarketOrder:
        """Participant: bid for energy; locks what it may cost. `preferred`: up to 10 producers."""
        return await orders.place_bid(
            world_of(ctx),
            listing_id=listing_id,
            energy_wh=energy_wh,
            bid_price_utoken_per_kwh=bid_price_utoken_per_kwh,
            preferred=preferred or (),
        )

    @transaction
    async def close_bidding(self, ctx: Context, listing_id: str) -> Listing:
        """Market operator, from gate closure on: no more orders."""
        return await listings.close_bidding(world_of(ctx), listing_id)

    @transaction
    async def clear(self, ctx: Context, listing_id: str) -> dict[str, Any]:
        """Market operator: one price, all matches; of a large book the next step towards it."""
        return await auction.clear(world_of(ctx), listing_id)

    @transaction
    async def start_delivery(self, ctx: Context, listing_id: str) -> Listing:
        """Market operator, from delivery start on: mark that delivery runs."""
        return await listings.start_delivery(world_of(ctx), listing_id)

    @transaction
    async def settle(self, ctx: Context, listing_id: str) -> SettlementRecord:
        """Market operator or oracle, after delivery: pay and refund, once."""
        return await fulfilment.settle(world_of(ctx), listing_id)

    @query
    async def get_listing(self, ctx: Context, listing_id: str) -> Listing:
        """Header and state of a listing."""
        return await views.listing_shown(world_of(ctx), listing_id)

    @query
    async def list_listings(self, ctx: Context, from_id: str, to_id: str) -> list[dict[str, Any]]:
        """Listings with from_id <= id < to_id."""
        found = await views.list_listings(world_of(ctx), from_id=from_id, to_id=to_id)
        return [asdict(listing) for listing in found]

    @query
    async def get_book(self, ctx: Context, listing_id: str) -> views.BookView:
        """Totals, best prices and curves of a listing so far."""
        return await views.get_book(world_of(ctx), listing_id)

    @query
    async def get_orders(self, ctx: Context, listing_id: str, idgrid: str) -> list[dict[str, Any]]:
        """Participant itself or staff: its orders in a listing."""
        found = await views.get_orders(world_of(ctx), listing_id=listing_id, idgrid=idgrid)
        return [asdict(order) for order in found]

    @query
    async def get_result(self, ctx: Context, listing_id: str) -> AuctionResult:
        """What the auction of a listing decided; a participant sees its own matches only."""
        return await auction_views.result_seen(world_of(ctx), listing_id)

    @query
    async def get_settlement(self, ctx: Context, listing_id: str) -> SettlementRecord:
        """Totals of a settled listing."""
        world = world_of(ctx)
        settled = await fulfilment.get_settlement(world, listing_id)
        return fulfilment.settlement_as_seen(settled, await sight_of(world))

    @query
    async def get_line(self, ctx: Context, listing_id: str, idgrid: str) -> SettlementLine:
        """Participant itself or staff: its line of a settled listing."""
        return await fulfilment.get_line(world_of(ctx), listing_id=listing_id, idgrid=idgrid)
