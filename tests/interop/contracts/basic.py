"""What the client scenarios call `basic`: echoes, one key, an event, an error."""

from chaincode.shim import Context, Contract, ContractError, query, transaction


class Basic(Contract):
    """Function names are the callers'."""

    name = "basic"

    @query
    async def echo(self, ctx: Context, text: str) -> str:
        """The argument, as the result."""
        return text

    @query
    async def echoTransient(self, ctx: Context) -> dict[str, str]:  # noqa: N802
        """The transient data as text."""
        return {name: value.decode() for name, value in ctx.stub.get_transient().items()}

    @transaction
    async def put(self, ctx: Context, key: str, value: str) -> str:
        """Write a key and give the value back."""
        await ctx.stub.put_state(key, value.encode())
        return value

    @query
    async def get(self, ctx: Context, key: str) -> str:
        """The key's value; empty when there is none."""
        return (await ctx.stub.get_state(key) or b"").decode()

    @transaction
    async def event(self, ctx: Context, name: str, payload: str) -> None:
        """Emit that event."""
        ctx.stub.set_event(name, payload.encode())

    @query
    async def errorMessage(self, ctx: Context, text: str) -> None:  # noqa: N802
        """Fail with that text."""
        raise ContractError("ASKED_FOR", text)


CONTRACTS = (Basic,)
