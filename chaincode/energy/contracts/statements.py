"""The contract `statements`: what a month came to, household by household."""

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.settlement import statements
from chaincode.energy.settlement.months import Statement
from chaincode.shim import Context, Contract, query, transaction


class Statements(Contract):
    """Monthly statements."""

    name = "statements"

    @transaction
    async def issue(self, ctx: Context, month: str) -> statements.StatementRun:
        """Market operator: next step of the statements of a month; repeat until ISSUED."""
        return await statements.issue(world_of(ctx), month)

    @query
    async def run(self, ctx: Context, month: str) -> statements.StatementRun:
        """How far the statements of a month are, and what they add up to."""
        return await statements.run_shown(world_of(ctx), month)

    @query
    async def preview(self, ctx: Context, idgrid: str, month: str) -> Statement:
        """Participant itself or staff: the month as it is now."""
        return await statements.preview(world_of(ctx), idgrid=idgrid, month=month)

    @query
    async def get(self, ctx: Context, idgrid: str, month: str) -> Statement:
        """Participant itself or staff: the statement as issued."""
        return await statements.issued(world_of(ctx), idgrid=idgrid, month=month)
