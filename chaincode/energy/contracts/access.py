"""The contract `access`: who may read whose meters."""

from dataclasses import asdict
from typing import Any

from chaincode.energy.access import granting
from chaincode.energy.access.records import AccessGrants
from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.oracle import meter_data
from chaincode.shim import Context, Contract, query, transaction


class Access(Contract):
    """Who may read whose meters."""

    name = "access"

    @transaction
    async def grant(
        self, ctx: Context, grantee: str, meter_id: str, until_ms: int = 0
    ) -> AccessGrants:
        """Owner: let `market`, a staff role or an IDgrid read a meter (0: until revoked)."""
        return await granting.grant(
            world_of(ctx), grantee=grantee, meter_id=meter_id, until_ms=until_ms
        )

    @transaction
    async def revoke(self, ctx: Context, grantee: str, meter_id: str) -> AccessGrants:
        """Owner: end a grant; running settlements still complete."""
        return await granting.revoke(world_of(ctx), grantee=grantee, meter_id=meter_id)

    @query
    async def meter_series(
        self, ctx: Context, meter_id: str, from_ms: int, to_ms: int
    ) -> list[dict[str, Any]]:
        """Owner or grantee: readings with from_ms < t_end_ms <= to_ms, at most 1,000."""
        found = await meter_data.meter_series(
            world_of(ctx), meter_id=meter_id, from_ms=from_ms, to_ms=to_ms
        )
        return [asdict(one) for one in found]

    @query
    async def totals(
        self, ctx: Context, from_ms: int, to_ms: int, tolerance_ms: int = 0
    ) -> meter_data.Totals:
        """Staff: the community's import and export between two instants."""
        return await meter_data.totals(
            world_of(ctx), from_ms=from_ms, to_ms=to_ms, tolerance_ms=tolerance_ms
        )

    @query
    async def list_grants(self, ctx: Context, owner_idgrid: str) -> list[dict[str, Any]]:
        """Owner or staff: every grant in force."""
        found = await granting.list_grants(world_of(ctx), owner_idgrid)
        return [asdict(grants) for grants in found]
