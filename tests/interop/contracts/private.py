"""What the client scenarios call `private`: collections, policies of keys, who endorses."""

from chaincode.shim import Context, Contract, ContractError, query, signed_by_all, transaction


class Private(Contract):
    """Function names are the callers'."""

    name = "private"

    @transaction
    async def getPeerOrg(self, ctx: Context) -> str:  # noqa: N802
        """Whose peer runs this."""
        return ctx.stub.get_mspid()

    @transaction
    async def checkEndorsingOrg(self, ctx: Context) -> str:  # noqa: N802
        """Refuse to run on peers of organisations that the transient data does not name."""
        mspid = ctx.stub.get_mspid()
        if mspid not in ctx.stub.get_transient():
            raise ContractError("NOT_ASKED", f"nobody meant a peer of {mspid}")
        return "success"

    @transaction
    async def WritePrivateData(self, ctx: Context) -> None:  # noqa: N802
        """Write one transient key and value to each collection the transient data lists."""
        transient = ctx.stub.get_transient()
        missing = {"collection", "key", "value"} - set(transient)
        if missing:
            raise ContractError("MISSING", f"transient data lacks {', '.join(sorted(missing))}")
        for collection in transient["collection"].decode().split(","):
            key = transient["key"].decode()
            await ctx.stub.put_private_data(collection, key, transient["value"])

    @query
    async def ReadPrivateData(self, ctx: Context, collection: str, key: str) -> str:  # noqa: N802
        """A private value as text."""
        return (await ctx.stub.get_private_data(collection, key) or b"").decode()

    @transaction
    async def SetStateWithEndorser(  # noqa: N802
        self, ctx: Context, key: str, value: str, endorser: str
    ) -> None:
        """Write a key that from then on only that organisation's peers may change."""
        await ctx.stub.put_state(key, value.encode())
        await ctx.stub.set_state_validation_parameter(key, signed_by_all([endorser]))

    @transaction
    async def SetStateEndorsers(  # noqa: N802
        self, ctx: Context, key: str, first: str, second: str
    ) -> None:
        """From then on peers of both organisations must endorse changes of the key."""
        await ctx.stub.set_state_validation_parameter(key, signed_by_all([first, second]))

    @query
    async def GetState(self, ctx: Context, key: str) -> str:  # noqa: N802
        """The key's value; empty when there is none."""
        return (await ctx.stub.get_state(key) or b"").decode()

    @transaction
    async def ChangeState(self, ctx: Context, key: str, value: str) -> None:  # noqa: N802
        """Write the key."""
        await ctx.stub.put_state(key, value.encode())


CONTRACTS = (Private,)
