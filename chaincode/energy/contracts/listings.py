"""The contract `listings`: the timetable of the market and its emergency stop."""

from typing import Any

from chaincode.energy import timetable
from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.market import listings, stop
from chaincode.energy.market.records import Listing, MarketDefaults
from chaincode.energy.market.stop import Stop
from chaincode.shim import Context, Contract, query, transaction


class Listings(Contract):
    """When listings open and move on; the source documents' names for it."""

    name = "listings"

    @transaction
    async def set_defaults(self, ctx: Context, parameters: dict[str, Any]) -> MarketDefaults:
        """Community manager: what every listing opened from now on fixes."""
        return await timetable.set_defaults(world_of(ctx), parameters)

    @query
    async def get_defaults(self, ctx: Context) -> MarketDefaults:
        """What the community has pinned for its listings."""
        return await listings.defaults(world_of(ctx)) or MarketDefaults({})

    @transaction
    async def advance(self, ctx: Context, listing_id: str) -> timetable.Advanced:
        """Market operator: do what is due in a listing, at most one step."""
        return await timetable.advance(world_of(ctx), listing_id)

    @transaction
    async def stop(self, ctx: Context, listing_id: str, reason: str) -> Stop:
        """Community manager or grid operator: cancel a listing, give all money back."""
        return await stop.stop_listing(world_of(ctx), listing_id=listing_id, reason=reason)

    @transaction
    async def refund(self, ctx: Context, listing_id: str) -> Stop:
        """Market operator: the next page of a stopped listing's escrows."""
        return await stop.refund(world_of(ctx), listing_id)

    @query
    async def get_stop(self, ctx: Context, listing_id: str) -> Stop:
        """Who stopped a listing and why."""
        return await stop.get_stop(world_of(ctx), listing_id)

    @transaction
    async def AuthorizeOfferCom(self, ctx: Context, listingid: str) -> Listing:  # noqa: N802
        """Market operator: open a listing by the community's defaults and invite everybody."""
        return await listings.open_listing(
            world_of(ctx), listing_id=listingid, parameters={}, event="AuthorizeOfferCom"
        )

    @transaction
    async def Bid_Closed(self, ctx: Context, listingid: str) -> Listing:  # noqa: N802
        """The documents' name for `market:close_bidding`."""
        return await listings.close_bidding(world_of(ctx), listingid)

    @transaction
    async def CloseBidding(self, ctx: Context, listingid: str) -> Listing:  # noqa: N802
        """The documents' other name for `market:close_bidding`."""
        return await listings.close_bidding(world_of(ctx), listingid)
