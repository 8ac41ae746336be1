"""The contract `sharing`: sharing keys, and metered energy shared by them."""

from dataclasses import asdict
from typing import Any

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.sharing import agreeing, sharing
from chaincode.energy.sharing.records import SharingKey, SharingResult
from chaincode.shim import Context, Contract, query, transaction


class Sharing(Contract):
    """What the law shares after delivery, beside what the auction decided before it."""

    name = "sharing"

    @transaction
    async def agree(self, ctx: Context, parameters: dict[str, Any]) -> SharingKey:
        """Community manager: the next version of the key, with its date."""
        return await agreeing.agree(world_of(ctx), parameters)

    @transaction
    async def share(self, ctx: Context, listing_id: str) -> SharingResult:
        """Market operator or oracle: share a settled listing by the key in force."""
        return await sharing.share(world_of(ctx), listing_id)

    @query
    async def key_at(self, ctx: Context, time_ms: int) -> SharingKey:
        """The key in force at an instant; of its parts and ranks a participant sees its own."""
        return await agreeing.key_shown_at(world_of(ctx), time_ms)

    @query
    async def keys(self, ctx: Context) -> list[dict[str, Any]]:
        """Staff: every version."""
        return [asdict(key) for key in await agreeing.all_keys(world_of(ctx))]

    @query
    async def result(self, ctx: Context, listing_id: str) -> SharingResult:
        """Staff: a listing shared by key, all members in it, beside its auction."""
        return await sharing.get_result_of_all(world_of(ctx), listing_id)

    @query
    async def of_member(self, ctx: Context, listing_id: str, idgrid: str) -> dict[str, Any]:
        """Participant itself or staff: its share, and the difference to the auction."""
        share = await sharing.get_share(world_of(ctx), listing_id=listing_id, idgrid=idgrid)
        return asdict(share) | {"difference_wh": share.difference_wh}
