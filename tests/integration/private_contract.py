"""A contract with private data; what is private comes as transient data."""

from chaincode.shim import Context, Contract, query, transaction


class Vault(Contract):
    name = "vault"

    @transaction
    async def put(self, ctx: Context, collection: str, key: str) -> None:
        value = ctx.stub.get_transient()["value"]
        await ctx.stub.put_private_data(collection, key, value)

    @transaction
    async def purge(self, ctx: Context, collection: str, key: str) -> None:
        await ctx.stub.purge_private_data(collection, key)

    @query
    async def get(self, ctx: Context, collection: str, key: str) -> bytes:
        return await ctx.stub.get_private_data(collection, key)

    @query
    async def get_hash(self, ctx: Context, collection: str, key: str) -> str:
        return (await ctx.stub.get_private_data_hash(collection, key)).hex()

    @query
    async def keys(self, ctx: Context, collection: str) -> list[str]:
        rows = ctx.stub.get_private_data_by_range(collection, "", "")
        return [row.key async for row in rows]


CONTRACTS = (Vault,)
