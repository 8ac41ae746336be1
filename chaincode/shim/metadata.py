"""The description of a chaincode that clients and explorers ask for, in Fabric's form.

`org.hyperledger.fabric:GetMetadata` gives it as JSON: contracts, functions, the JSON schemas of
their parameters and results, and of every dataclass among them under `components`.
"""

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from chaincode.shim.contract import EVALUATE, ContractFunction

Schema = dict[str, Any]

SCHEMA_ADDRESS = (
    "https://hyperledger.github.io/fabric-chaincode-node/main/api/contract-schema.json"
)
TAGS = {True: ["evaluate", "EVALUATE"], False: ["submit", "SUBMIT"]}
"""Is it a query? → what Fabric's tools look for."""

_SIMPLE: Mapping[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    bytes: {"type": "string", "format": "binary"},
    dict: {"type": "object"},
}


def contract_metadata(
    functions: Mapping[str, Sequence[ContractFunction]], *, version: str
) -> dict[str, object]:
    """Metadata of contracts by name; the first one is the default."""
    schemas = _Schemas()
    default = next(iter(functions))
    contracts = {
        name: {
            "name": name,
            "contractInstance": {"name": name, "default": name == default},
            "default": name == default,
            "transactions": [_function(function, schemas) for function in of_contract],
            "info": {"title": name, "version": version},
        }
        for name, of_contract in functions.items()
    }
    return {
        "$schema": SCHEMA_ADDRESS,
        "info": {"title": default, "version": version},
        "contracts": contracts,
        "components": {"schemas": schemas.found},
    }


def _function(function: ContractFunction, schemas: "_Schemas") -> dict[str, object]:
    described: dict[str, object] = {
        "name": function.name,
        "tag": TAGS[function.kind == EVALUATE],
        "parameters": [
            {"name": p.name, "required": p.is_required, "schema": schemas.of(p.annotation)}
            for p in function.parameters
        ],
    }
    if function.returns is not types.NoneType:
        described["returns"] = schemas.of(function.returns)
    return described


class _Schemas:
    """JSON schemas; those of dataclasses are kept by name and referred to."""

    def __init__(self) -> None:
        self.found: dict[str, Schema] = {}

    def of(self, annotation: Any) -> Schema:
        """The schema of values of this type; empty where anything goes."""
        if typing.get_origin(annotation) in (typing.Union, types.UnionType):
            members = [m for m in typing.get_args(annotation) if m is not types.NoneType]
            return self.of(members[0]) if len(members) == 1 else {}
        plain = typing.get_origin(annotation) or annotation
        if plain in _SIMPLE:
            return dict(_SIMPLE[plain])
        if plain in (list, tuple):
            inner = [a for a in typing.get_args(annotation) if a is not Ellipsis]
            items = {"items": self.of(inner[0])} if len(set(inner)) == 1 else {}
            return {"type": "array", **items}
        if isinstance(plain, type) and issubclass(plain, enum.StrEnum):
            return {"type": "string", "enum": [member.value for member in plain]}
        if isinstance(plain, type) and dataclasses.is_dataclass(plain):
            return self._of_dataclass(plain)
        return {}

    def _of_dataclass(self, cls: type) -> Schema:
        name = cls.__name__
        if name not in self.found:
            self.found[name] = {}  # a dataclass may refer to itself
            fields, hints = dataclasses.fields(cls), typing.get_type_hints(cls)
            self.found[name] = {
                "$id": name,
                "type": "object",
                "properties": {field.name: self.of(hints[field.name]) for field in fields},
                "required": [f.name for f in fields if _is_required(f)],
                "additionalProperties": False,
            }
        return {"$ref": f"#/components/schemas/{name}"}


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing
