"""The contract `anchors`: hashes of data that members keep off the ledger."""

from dataclasses import asdict
from typing import Any

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.oracle import anchors
from chaincode.energy.oracle.anchors import Anchor
from chaincode.shim import Context, Contract, query, transaction


class Anchors(Contract):
    """One series of batches per member and name."""

    name = "anchors"

    @transaction
    async def record(
        self, ctx: Context, series: str, number: int, last_row: int, root: str
    ) -> Anchor:
        """Oracle: the Merkle root of the next batch of rows of its member's series."""
        return await anchors.record(
            world_of(ctx), series=series, number=number, last_row=last_row, root=root
        )

    @query
    async def get(self, ctx: Context, mspid: str, series: str, number: int = 0) -> Anchor:
        """A batch's anchor (0: the newest); anybody may compare."""
        return await anchors.get(world_of(ctx), mspid=mspid, series=series, number=number)

    @query
    async def page(
        self, ctx: Context, mspid: str, series: str, first: int = 1
    ) -> list[dict[str, Any]]:
        """Anchors of a series from a number on, in order."""
        found = await anchors.page(world_of(ctx), mspid=mspid, series=series, first=first)
        return [asdict(anchor) for anchor in found]
