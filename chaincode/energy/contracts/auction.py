"""The contract `auction`: clearing large books page by page, solutions, approvals, trades."""

from dataclasses import asdict
from typing import Any

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.market import approvals, auction, auction_pages, auction_views, submitted
from chaincode.energy.market.approvals import PendingOrder
from chaincode.energy.market.auction_records import AuctionResult, ReleasedPage
from chaincode.energy.market.records import MarketOrder
from chaincode.shim import Context, Contract, query, transaction


class Auction(Contract):
    """What `market:clear` does in one go, in parts; and who serves whom."""

    name = "auction"

    @query
    async def steps(self, ctx: Context, listing_id: str) -> list[Any]:
        """Staff: calls due to clear a listing, [function, arguments...]; all may go at once."""
        return [*await auction.steps(world_of(ctx), listing_id)]

    @transaction
    async def tally(self, ctx: Context, listing_id: str, from_idgrid: str) -> dict[str, Any]:
        """Market operator: write one page of a large closed book."""
        page = await auction_pages.tally(world_of(ctx), listing_id, from_idgrid)
        return {"to_idgrid": page.to_idgrid, "orders": len(page.order_ids)}

    @transaction
    async def release(self, ctx: Context, listing_id: str, from_idgrid: str) -> ReleasedPage:
        """Market operator: release the escrows of one page of a decided book."""
        return await auction_pages.release(world_of(ctx), listing_id, from_idgrid)

    @transaction
    async def submit_solution(
        self, ctx: Context, listing_id: str, solution: dict[str, Any]
    ) -> AuctionResult:
        """Market operator: clear with an answer computed elsewhere; a wrong one is refused."""
        return await submitted.submit_solution(world_of(ctx), listing_id, solution)

    @transaction
    async def request_order(
        self,
        ctx: Context,
        listing_id: str,
        side: str,
        energy_wh: int,
        price_utoken_per_kwh: int,
        res_id: str = "",
    ) -> PendingOrder:
        """Participant: ask for an order above the largest a household may place."""
        return await approvals.request_order(
            world_of(ctx),
            listing_id=listing_id,
            side=side,
            energy_wh=energy_wh,
            price=price_utoken_per_kwh,
            res_id=res_id,
        )

    @transaction
    async def approve_order(
        self, ctx: Context, listing_id: str, idgrid: str, request_id: str
    ) -> MarketOrder:
        """Grid operator: place a pending order."""
        return await approvals.approve_order(
            world_of(ctx), listing_id=listing_id, idgrid=idgrid, request_id=request_id
        )

    @query
    async def get_pending(
        self, ctx: Context, listing_id: str, idgrid: str
    ) -> list[dict[str, Any]]:
        """Participant itself or staff: its orders that wait for approval, or waited."""
        found = await approvals.get_pending(world_of(ctx), listing_id=listing_id, idgrid=idgrid)
        return [asdict(pending) for pending in found]

    @query
    async def get_matches(
        self, ctx: Context, listing_id: str, idgrid: str = ""
    ) -> list[dict[str, Any]]:
        """Participant itself or staff: its matches; staff: of all, also those of a large book."""
        found = await auction_views.get_matches(world_of(ctx), listing_id, idgrid)
        return [asdict(match) for match in found]

    @query
    async def get_trades(
        self, ctx: Context, listing_id: str, idgrid: str = ""
    ) -> list[dict[str, Any]]:
        """Participant itself or staff: its trades; staff: who serves whom."""
        found = await auction_views.get_trades(world_of(ctx), listing_id, idgrid)
        return [asdict(trade) for trade in found]
