"""The contract `persons`: names and e-mail addresses, in private data only."""

from typing import Any

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.registry import persons
from chaincode.energy.registry.persons import PersonHash
from chaincode.shim import Context, Contract, query, transaction


class Persons(Contract):
    """Names and e-mail addresses; they come as transient data."""

    name = "persons"

    @transaction
    async def set_index_key(self, ctx: Context) -> None:
        """Community manager, once: transient `index_key`, 32 random bytes."""
        await persons.set_index_key(world_of(ctx))

    @transaction
    async def record(self, ctx: Context, idgrid: str) -> PersonHash:
        """Community manager: transient `name`, `email`, `salt` (16 random bytes)."""
        return await persons.record(world_of(ctx), idgrid)

    @transaction
    async def change(self, ctx: Context, idgrid: str) -> PersonHash:
        """Community manager: other values, transient as in `record`."""
        return await persons.change(world_of(ctx), idgrid)

    @transaction
    async def erase(self, ctx: Context, idgrid: str) -> None:
        """Community manager: purge what is private about who has left."""
        await persons.erase(world_of(ctx), idgrid)

    @query
    async def get(self, ctx: Context, idgrid: str) -> dict[str, Any]:
        """Manager or the person itself: personal data, registry record, balance."""
        return await persons.by_idgrid(world_of(ctx), idgrid)

    @query
    async def address(self, ctx: Context, idgrid: str) -> dict[str, str]:
        """Manager or notifier: the e-mail address."""
        return await persons.address(world_of(ctx), idgrid)

    @query
    async def find(self, ctx: Context) -> dict[str, Any]:
        """Manager or the person itself: the same by transient `email`."""
        return await persons.by_email(world_of(ctx))

    @query
    async def holder(self, ctx: Context) -> dict[str, str]:
        """Manager or notifier: the IDgrid that uses the transient `email`, nothing else."""
        return await persons.holder(world_of(ctx))
