"""The contract `settlement`: pages, corrections, disputes, and who kept what was matched."""

from dataclasses import asdict
from typing import Any

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.settlement import deliveries, disputes, fulfilment, substitutes
from chaincode.energy.settlement.records import (
    Dispute,
    Reputation,
    SettlementRecord,
    Substitute,
)
from chaincode.shim import Context, Contract, query, transaction


class Settlement(Contract):
    """What follows `market:settle`: pages of big listings, corrections, disputes."""

    name = "settlement"

    @transaction
    async def pay_page(self, ctx: Context, listing_id: str, page: int) -> bool:
        """Market operator or oracle: pay one page; false if it is paid already."""
        return await fulfilment.pay_page(world_of(ctx), listing_id, page)

    @transaction
    async def correct(self, ctx: Context, listing_id: str) -> SettlementRecord:
        """Market operator or oracle: settle again with what is known now, pay the differences."""
        return await fulfilment.correct(world_of(ctx), listing_id)

    @transaction
    async def substitute(
        self,
        ctx: Context,
        listing_id: str,
        idgrid: str,
        imported_wh: int,
        exported_wh: int,
        reason: str,
    ) -> Substitute:
        """Grid operator: state the energy of a connection whose readings are missing or wrong."""
        return await substitutes.substitute(
            world_of(ctx),
            listing_id=listing_id,
            idgrid=idgrid,
            imported_wh=imported_wh,
            exported_wh=exported_wh,
            reason=reason,
        )

    @transaction
    async def dispute(self, ctx: Context, listing_id: str, reason: str) -> Dispute:
        """Household with a line: dispute the settlement; no personal data in the reason."""
        return await disputes.raise_dispute(world_of(ctx), listing_id=listing_id, reason=reason)

    @transaction
    async def decide_dispute(
        self, ctx: Context, listing_id: str, idgrid: str, decision: str, note: str
    ) -> Dispute:
        """Manager or grid operator: UPHELD (after a correction) or REJECTED."""
        return await disputes.decide(
            world_of(ctx), listing_id=listing_id, idgrid=idgrid, decision=decision, note=note
        )

    @transaction
    async def lapse_disputes(self, ctx: Context, listing_id: str) -> list[dict[str, Any]]:
        """Market operator: end disputes nobody decided in time; the settlement stands."""
        lapsed = await disputes.lapse(world_of(ctx), listing_id)
        return [asdict(dispute) for dispute in lapsed]

    @query
    async def get_disputes(self, ctx: Context, listing_id: str) -> list[dict[str, Any]]:
        """Participant: its own dispute of a listing; staff: all of them."""
        found = await disputes.disputes_seen(world_of(ctx), listing_id)
        return [asdict(dispute) for dispute in found]

    @query
    async def get_corrections(
        self, ctx: Context, listing_id: str, idgrid: str
    ) -> list[dict[str, Any]]:
        """Participant itself or staff: what corrections added to its line."""
        found = await fulfilment.get_corrections(
            world_of(ctx), listing_id=listing_id, idgrid=idgrid
        )
        return [asdict(line) for line in found]

    @query
    async def reputation(self, ctx: Context, idgrid: str) -> Reputation:
        """Participant itself or staff: how it kept what was matched."""
        return await deliveries.reputation(world_of(ctx), idgrid)

    @query
    async def non_deliveries(
        self, ctx: Context, idgrid: str, listing_id: str = ""
    ) -> list[dict[str, Any]]:
        """Itself or staff: where it fell short; of one listing who traded with it: its part."""
        found = await deliveries.non_deliveries(world_of(ctx), idgrid, listing_id)
        return [asdict(entry) for entry in found]
