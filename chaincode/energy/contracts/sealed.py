"""The contract `sealed`: orders nobody can read before the gate closes."""

from typing import Any

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.market import sealed
from chaincode.energy.market.records import MarketOrder, SealedOrder
from chaincode.shim import Context, Contract, query, transaction


class Sealed(Contract):
    """Commit, reveal, and void what was not revealed."""

    name = "sealed"

    @transaction
    async def commit(self, ctx: Context, listing_id: str, commitment: str) -> SealedOrder:
        """Participant: place an order by its hash; locks the listing's deposit."""
        return await sealed.commit(world_of(ctx), listing_id=listing_id, commitment=commitment)

    @transaction
    async def withdraw(self, ctx: Context, listing_id: str, order_id: str) -> SealedOrder:
        """Participant: take an own sealed order back before the gate closes."""
        return await sealed.withdraw(world_of(ctx), listing_id=listing_id, order_id=order_id)

    @transaction
    async def reveal(
        self,
        ctx: Context,
        listing_id: str,
        idgrid: str,
        order_id: str,
        opening: dict[str, Any],
    ) -> MarketOrder:
        """Participant itself, or a market operator it gave its opening to: open the order."""
        return await sealed.reveal(
            world_of(ctx),
            listing_id=listing_id,
            idgrid=idgrid,
            order_id=order_id,
            opening=opening,
        )

    @transaction
    async def void(self, ctx: Context, listing_id: str) -> sealed.Voided:
        """Market operator: orders that were not revealed in time, a page at a time."""
        return await sealed.void(world_of(ctx), listing_id)

    @query
    async def hidden(self, ctx: Context, listing_id: str) -> list[str]:
        """Ids of sealed orders of a listing that are not revealed."""
        return await sealed.hidden(world_of(ctx), listing_id)
