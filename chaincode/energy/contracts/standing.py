"""The contract `standing`: orders for many listings, signed once, and hourly profiles."""

from dataclasses import asdict
from typing import Any

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.market import profiles, standing
from chaincode.energy.market.standing import CarriedOut
from chaincode.energy.market.standing_rules import HourlyProfile, StandingOrder
from chaincode.shim import Context, Contract, query, transaction


class Standing(Contract):
    """Standing orders and hourly profiles."""

    name = "standing"

    @transaction
    async def place(self, ctx: Context, order: dict[str, Any]) -> StandingOrder:
        """Participant: sign an order for many listings, with its limits."""
        return await standing.place_standing(world_of(ctx), order)

    @transaction
    async def withdraw(self, ctx: Context, standing_id: str) -> StandingOrder:
        """Participant: make no more orders from it."""
        return await standing.withdraw_standing(world_of(ctx), standing_id)

    @transaction
    async def carry_out(
        self, ctx: Context, listing_id: str, idgrid: str, standing_id: str
    ) -> CarriedOut:
        """Participant itself or market operator: make the order in a listing, once."""
        return await standing.carry_out(
            world_of(ctx), listing_id=listing_id, idgrid=idgrid, standing_id=standing_id
        )

    @query
    async def due(self, ctx: Context, listing_id: str) -> list[list[str]]:
        """Staff: what is still to be carried out in a listing, pairs of IDgrid and standing id."""
        return await standing.due(world_of(ctx), listing_id)

    @query
    async def get_orders(self, ctx: Context, idgrid: str) -> list[dict[str, Any]]:
        """Participant itself or staff: its standing orders."""
        return [asdict(found) for found in await standing.list_standing(world_of(ctx), idgrid)]

    @transaction
    async def submit_profile(
        self, ctx: Context, first_listing_id: str, hours: list[Any], res_id: str = ""
    ) -> HourlyProfile:
        """Participant: what it expects to order in 24 hours; the same first hour is a revision."""
        return await profiles.submit_profile(
            world_of(ctx), first_listing_id=first_listing_id, res_id=res_id, hours=hours
        )

    @transaction
    async def carry_out_profile(self, ctx: Context, listing_id: str, idgrid: str) -> CarriedOut:
        """Participant itself or market operator: make the profile's order, once."""
        return await profiles.carry_out_profile(
            world_of(ctx), listing_id=listing_id, idgrid=idgrid
        )

    @query
    async def due_profiles(self, ctx: Context, listing_id: str) -> list[str]:
        """Staff: households whose profile still has an order to be made in a listing."""
        return await profiles.due_profiles(world_of(ctx), listing_id)

    @query
    async def forecast(self, ctx: Context, first_listing_id: str) -> list[dict[str, Any]]:
        """What the community expects in 24 hours, in totals."""
        found = await profiles.forecast(world_of(ctx), first_listing_id)
        return [asdict(hour) for hour in found]

    @query
    async def get_revisions(
        self, ctx: Context, idgrid: str, first_listing_id: str
    ) -> list[dict[str, Any]]:
        """Participant itself or staff: every revision of a profile."""
        found = await profiles.revisions(
            world_of(ctx), idgrid=idgrid, first_listing_id=first_listing_id
        )
        return [asdict(profile) for profile in found]
