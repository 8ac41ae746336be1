"""Contracts: classes whose marked functions are the transactions of a chaincode.

    from chaincode.shim import Contract, Context, ContractError, query, transaction

    class Tokens(Contract):
        name = "tokens"                       # callers say "tokens:transfer"

        @transaction
        async def transfer(self, ctx: Context, to: str, amount_utoken: int) -> dict[str, int]:
            if amount_utoken <= 0:
                raise ContractError("INVALID_AMOUNT", "the amount must be positive")
            ctx.client.require_attribute("role", "participant")
            balance = parse_json(await ctx.stub.get_state(f"account/{ctx.client.id}") or b"0")
            …
            await ctx.stub.put_state(key, canonical_json(value))
            ctx.stub.set_event("transferred", canonical_json(…))
            return {"amount_utoken": amount_utoken}

        @query
        async def balance(self, ctx: Context, account: str) -> int: …

    CONTRACTS = (Tokens,)                     # in the module the peer is told to load

Functions are `async def` and never use asyncio: only the stub's methods are awaited. Arguments
follow their annotations (`chaincode.shim.arguments`); results are bytes, text or canonical JSON.
`@query` marks a function that may not write. `before_transaction(ctx)` runs first,
`after_transaction(ctx, result)` last, `unknown_transaction(ctx)` in place of what is not there.
The names are those of Fabric's contract API, so a contract moves to a Fabric network as a
service unchanged: `ctx.get_stub()`, `ctx.get_client_identity()`.
"""

import inspect
import typing
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from chaincode.shim.arguments import Parser, argument_parser
from chaincode.shim.client_identity import ClientIdentity, client_identity
from chaincode.shim.errors import ContractError, DefinitionError
from chaincode.shim.stub import ChaincodeStub

Function = TypeVar("Function", bound=Callable[..., Coroutine[Any, Any, Any]])

KIND_ATTRIBUTE = "__contract_function_kind__"
SUBMIT = "submit"
EVALUATE = "evaluate"
SHOWN_NAME_LENGTH = 80


def transaction(function: Function) -> Function:
    """Mark a contract method as a transaction: it may read and write."""
    setattr(function, KIND_ATTRIBUTE, SUBMIT)
    return function


def query(function: Function) -> Function:
    """Mark a contract method as a query: it reads; writing is an error."""
    setattr(function, KIND_ATTRIBUTE, EVALUATE)
    return function


class Context:
    """What a function is given: the stub and the client."""

    __slots__ = ("_client", "stub")

    def __init__(self, stub: ChaincodeStub) -> None:
        self.stub = stub
        self._client: ClientIdentity | None = None

    @property
    def client(self) -> ClientIdentity:
        """Who sent the transaction."""
        if self._client is None:
            self._client = client_identity(self.stub.get_creator())
        return self._client

    def get_stub(self) -> ChaincodeStub:
        """Fabric's name for `stub`."""
        return self.stub

    def get_client_identity(self) -> ClientIdentity:
        """Fabric's name for `client`."""
        return self.client


class Contract:
    """Base of all contracts; `name` is the part of a call before the colon."""

    name: ClassVar[str] = ""

    def get_name(self) -> str:
        """`name`, or the class's own name."""
        return self.name or type(self).__name__

    async def before_transaction(self, ctx: Context) -> None:
        """Run before every function; raise ContractError to refuse."""

    async def after_transaction(self, ctx: Context, result: Any) -> None:
        """Run after every function that did not fail, with its result; raise to refuse."""

    async def unknown_transaction(self, ctx: Context) -> Any:
        """Run when the contract has no function of the name called; refuses."""
        called = ctx.stub.get_args()[0].decode("utf-8", "replace") if ctx.stub.get_args() else ""
        raise ContractError(
            "UNKNOWN_FUNCTION", f"there is no function {called[:SHOWN_NAME_LENGTH]!r}"
        )

    def get_evaluate_transactions(self) -> list[str]:
        """Names of the functions marked as queries."""
        return [f.name for f in contract_functions(self).values() if f.kind == EVALUATE]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a function."""

    name: str
    parse: Parser
    annotation: Any
    is_required: bool


@dataclass(frozen=True, slots=True)
class ContractFunction:
    """A callable function of a contract instance."""

    name: str
    kind: str
    method: Callable[..., Coroutine[Any, Any, Any]]
    parameters: tuple[Parameter, ...]
    returns: Any

    def parse_arguments(self, raw: tuple[bytes, ...]) -> list[Any]:
        """Typed values of the arguments after the function's name."""
        required = sum(parameter.is_required for parameter in self.parameters)
        if not required <= len(raw) <= len(self.parameters):
            names = ", ".join(parameter.name for parameter in self.parameters) or "none"
            raise ContractError(
                "INVALID_ARGUMENT",
                f"{self.name} takes {len(self.parameters)} arguments ({names}), not {len(raw)}",
            )
        return [
            parameter.parse(data, parameter.name)
            for parameter, data in zip(self.parameters, raw, strict=False)
        ]


def contract_functions(contract: Contract) -> dict[str, ContractFunction]:
    """The marked functions of a contract by name; DefinitionError if one cannot be called."""
    functions = {}
    for name, method in inspect.getmembers(contract, inspect.ismethod):
        kind = getattr(method, KIND_ATTRIBUTE, None)
        if kind is not None:
            functions[name] = _function(contract, name, kind, method)
    if not functions:
        raise DefinitionError(f"{type(contract).__name__} has no @transaction or @query function")
    return functions


def _function(
    contract: Contract, name: str, kind: str, method: Callable[..., Any]
) -> ContractFunction:
    where = f"{contract.get_name()}:{name}"
    if not inspect.iscoroutinefunction(method):
        raise DefinitionError(f"{where} must be `async def`")
    try:
        hints = typing.get_type_hints(method)
    except NameError as error:
        raise DefinitionError(
            f"{where}: {error}; what annotations name must be imported when it runs"
        ) from error
    _context, *declared = inspect.signature(method).parameters.values()
    parameters = []
    for parameter in declared:
        if parameter.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
            raise DefinitionError(f"{where}: {parameter.name} must be a plain parameter")
        if parameter.name not in hints:
            raise DefinitionError(f"{where}: {parameter.name} has no annotation")
        annotation = hints[parameter.name]
        parameters.append(
            Parameter(
                name=parameter.name,
                parse=argument_parser(annotation),
                annotation=annotation,
                is_required=parameter.default is inspect.Parameter.empty,
            )
        )
    return ContractFunction(name, kind, method, tuple(parameters), hints.get("return", type(None)))
