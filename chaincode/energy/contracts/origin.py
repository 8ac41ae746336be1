"""The contract `origin`: tokens of signed production, certificates, and their trace."""

from dataclasses import asdict
from typing import Any

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.origin import issuing, tracing
from chaincode.energy.origin.records import Certificate, EnergyToken, Issue
from chaincode.shim import Context, Contract, query, transaction


class Origin(Contract):
    """Where a kilowatt-hour came from."""

    name = "origin"

    @transaction
    async def issue(self, ctx: Context, listing_id: str, page: int) -> Issue:
        """Market operator or oracle: mint and certify one page of a settled listing, once."""
        return await issuing.issue(world_of(ctx), listing_id, page)

    @transaction
    async def transfer(
        self, ctx: Context, token_id: str, to_idgrid: str, energy_wh: int
    ) -> Certificate:
        """Producer: give some of what is left of an own token to a participant."""
        return await tracing.transfer(
            world_of(ctx), token_id=token_id, to_idgrid=to_idgrid, energy_wh=energy_wh
        )

    @query
    async def token(self, ctx: Context, token_id: str) -> EnergyToken:
        """Producer itself or staff: what was fed in, and what is left of it."""
        return await tracing.get_token(world_of(ctx), token_id)

    @query
    async def held(self, ctx: Context, idgrid: str) -> list[dict[str, Any]]:
        """Participant itself or staff: its certificates."""
        return [asdict(one) for one in await tracing.held(world_of(ctx), idgrid)]

    @query
    async def trace(self, ctx: Context, certificate_id: str) -> tracing.Trace:
        """Its holder, the producer or staff: sources, hour and signed readings behind it."""
        return await tracing.trace(world_of(ctx), certificate_id)
