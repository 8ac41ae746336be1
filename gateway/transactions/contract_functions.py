"""What can be called on the ledger: every function of the community's contracts, described."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from chaincode.energy import CONTRACTS
from chaincode.shim.contract import EVALUATE, contract_functions
from chaincode.shim.metadata import contract_metadata


@dataclass(frozen=True, slots=True)
class FunctionParameter:
    """One argument. Arguments are sent as text: numbers in decimal, lists and objects as JSON."""

    name: str
    is_required: bool
    json_schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FunctionDescription:
    """`name` is what a proposal names; `kind` says whether it is submitted or only evaluated."""

    name: str
    kind: Literal["submit", "evaluate"]
    parameters: tuple[FunctionParameter, ...]
    description: str


@cache
def described_functions() -> tuple[FunctionDescription, ...]:
    """All functions, by contract and name."""
    found = {
        contract.name: contract_functions(contract) for contract in (kind() for kind in CONTRACTS)
    }
    metadata: Any = contract_metadata(
        {name: list(functions.values()) for name, functions in found.items()}, version="1"
    )
    return tuple(
        FunctionDescription(
            name=f"{contract}:{function.name}",
            kind="evaluate" if function.kind == EVALUATE else "submit",
            parameters=_parameters(metadata["contracts"][contract], function.name),
            description=(function.method.__doc__ or "").strip().partition("\n")[0],
        )
        for contract, functions in found.items()
        for function in functions.values()
    )


def _parameters(contract: Any, function: str) -> tuple[FunctionParameter, ...]:
    (described,) = (each for each in contract["transactions"] if each["name"] == function)
    return tuple(
        FunctionParameter(each["name"], each["required"], each["schema"])
        for each in described["parameters"]
    )
