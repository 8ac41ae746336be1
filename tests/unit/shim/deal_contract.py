"""A contract for several members: deals with private prices, agreed by both sides."""

import json

from chaincode.shim import (
    Context,
    Contract,
    ContractError,
    KeyPolicy,
    implicit_collection,
    query,
    signed_by_all,
    transaction,
)

DEALS = "deals"


class Deals(Contract):
    name = "deals"

    @transaction
    async def offer(self, ctx: Context, deal_id: str, seller: str, buyer: str) -> None:
        """Public terms; from now on both sides must endorse what happens to the deal."""
        terms = {"buyer": buyer, "seller": seller, "state": "offered"}
        await ctx.stub.put_state(deal_id, json.dumps(terms, sort_keys=True))
        await ctx.stub.set_state_validation_parameter(deal_id, signed_by_all([seller, buyer]))

    @transaction
    async def accept(self, ctx: Context, deal_id: str) -> None:
        terms = json.loads(await ctx.stub.get_state(deal_id))
        terms["state"] = "accepted"
        await ctx.stub.put_state(deal_id, json.dumps(terms, sort_keys=True))

    @query
    async def signers(self, ctx: Context, deal_id: str) -> list[str]:
        policy = await ctx.stub.get_state_validation_parameter(deal_id)
        return KeyPolicy(policy).list_orgs()

    @query
    async def in_state(self, ctx: Context, state: str) -> list[str]:
        found = ctx.stub.get_query_result({"selector": {"state": state}})
        return [row.key async for row in found]

    @query
    async def page(self, ctx: Context, size: int, bookmark: str) -> list[object]:
        rows, following = await ctx.stub.get_state_by_range_with_pagination("", "", size, bookmark)
        return [[row.key for row in rows], following]

    @transaction
    async def set_price(self, ctx: Context, collection: str, deal_id: str) -> None:
        price = ctx.stub.get_transient()["price"]
        await ctx.stub.put_private_data(collection, deal_id, price)

    @query
    async def price(self, ctx: Context, collection: str, deal_id: str) -> bytes:
        return await ctx.stub.get_private_data(collection, deal_id)

    @query
    async def price_hash(self, ctx: Context, collection: str, deal_id: str) -> str:
        return (await ctx.stub.get_private_data_hash(collection, deal_id)).hex()

    @query
    async def prices(self, ctx: Context, collection: str) -> dict[str, str]:
        rows = ctx.stub.get_private_data_by_range(collection, "", "")
        return {row.key: row.value.decode() async for row in rows}

    @transaction
    async def raise_price(self, ctx: Context, collection: str, deal_id: str) -> None:
        price = int(await ctx.stub.get_private_data(collection, deal_id) or b"0")
        await ctx.stub.put_private_data(collection, deal_id, str(price + 1))

    @transaction
    async def forget(self, ctx: Context, collection: str, deal_id: str, purge: bool) -> None:
        if purge:
            await ctx.stub.purge_private_data(collection, deal_id)
        else:
            await ctx.stub.del_private_data(collection, deal_id)

    @transaction
    async def note(self, ctx: Context) -> None:
        """For the own member only, in its implicit collection."""
        own = implicit_collection(ctx.client.mspid)
        await ctx.stub.put_private_data(own, "note", ctx.stub.get_transient()["text"])

    @transaction
    async def signed_price(self, ctx: Context, collection: str, deal_id: str) -> None:
        policy = signed_by_all(["A", "B"])
        await ctx.stub.set_private_data_validation_parameter(collection, deal_id, policy)

    @transaction
    async def whose_peer(self, ctx: Context) -> None:
        """Wrong: every peer writes its own name."""
        await ctx.stub.put_state("peer", ctx.stub.get_mspid())

    @transaction
    async def pay(self, ctx: Context, chaincode: str, deal_id: str, channel: str) -> str:
        answer = await ctx.stub.invoke_chaincode(chaincode, ["pay", deal_id], channel)
        await ctx.stub.put_state(deal_id, b"paid")
        return f"{answer.status} {answer.message} {answer.payload.decode()}"


class Tokens(Contract):
    name = "tokens"

    @transaction
    async def pay(self, ctx: Context, deal_id: str) -> str:
        if deal_id == "bad":
            raise ContractError("NO_MONEY", "the account is empty", 402)
        await ctx.stub.put_state(deal_id, b"1")
        return "done"

    @transaction
    async def round_trip(self, ctx: Context) -> str:
        answer = await ctx.stub.invoke_chaincode("contract", ["deals:pay", "tokens", "x", ""])
        return answer.message
