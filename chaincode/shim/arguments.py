"""Arguments and results of contract functions: bytes on the wire, typed values in Python."""

import dataclasses
import re
import types
import typing
from collections.abc import Callable
from typing import Any

from chaincode.shim.errors import ContractError, DefinitionError
from chaincode.shim.json_values import canonical_json, parse_json

INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,77})", re.ASCII)
"""Decimal, no leading zeros; 78 digits hold 256 bits."""

Parser = Callable[[bytes, str], Any]


def argument_parser(annotation: Any) -> Parser:
    """The parser for one parameter's annotation; DefinitionError for types without a rule.

    bytes as sent, str UTF-8, int decimal, bool true/false, dict, list and dataclass JSON;
    `X | None` takes the empty argument for None.
    """
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return _optional_parser(annotation)
    plain = typing.get_origin(annotation) or annotation
    simple: dict[Any, Parser] = {
        bytes: lambda data, _name: data,
        str: _parse_text,
        int: _parse_integer,
        bool: _parse_bool,
        dict: lambda data, name: _parse_container(data, name, dict),
        list: lambda data, name: _parse_container(data, name, list),
        Any: lambda data, name: parse_json(data, what=name),
    }
    if plain in simple:
        return simple[plain]
    if isinstance(plain, type) and dataclasses.is_dataclass(plain):
        return _dataclass_parser(plain)
    if plain is float:
        raise DefinitionError("floating-point numbers are not deterministic; use int with a unit")
    raise DefinitionError(f"no rule for an argument of type {annotation!r}")


def encode_result(value: Any) -> bytes:
    """A function's result as payload: bytes as they are, str UTF-8, None empty, else JSON."""
    if isinstance(value, bytes):
        return value
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8")
    return canonical_json(value)


def _invalid(name: str, what: str) -> ContractError:
    return ContractError("INVALID_ARGUMENT", f"{name} {what}")


def _parse_text(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise _invalid(name, "is not UTF-8 text") from None


def _parse_integer(data: bytes, name: str) -> int:
    text = _parse_text(data, name)
    if not INTEGER.fullmatch(text):
        raise _invalid(name, "is not a whole number in decimal digits")
    return int(text)


def _parse_bool(data: bytes, name: str) -> bool:
    if data not in (b"true", b"false"):
        raise _invalid(name, "is neither true nor false")
    return data == b"true"


def _parse_container(data: bytes, name: str, kind: type) -> Any:
    value = parse_json(data, what=name)
    if not isinstance(value, kind):
        raise _invalid(name, f"is not a JSON {'object' if kind is dict else 'array'}")
    return value


def _optional_parser(annotation: Any) -> Parser:
    members = [member for member in typing.get_args(annotation) if member is not types.NoneType]
    if len(members) != 1:
        raise DefinitionError(f"no rule for an argument of type {annotation!r}")
    inner = argument_parser(members[0])
    return lambda data, name: inner(data, name) if data else None


def _dataclass_parser(cls: type) -> Parser:
    fields = {field.name: field for field in dataclasses.fields(cls)}
    hints = typing.get_type_hints(cls)
    required = {
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }

    def parse(data: bytes, name: str) -> Any:
        value = _parse_container(data, name, dict)
        if unknown := sorted(value.keys() - fields.keys()):
            raise _invalid(name, f"has unknown members: {', '.join(unknown)}")
        if missing := sorted(required - value.keys()):
            raise _invalid(name, f"lacks members: {', '.join(missing)}")
        for key, item in value.items():
            _require_type(item, hints[key], f"{name}.{key}")
        return cls(**value)

    return parse


def _require_type(value: Any, annotation: Any, name: str) -> None:
    members = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    allowed = [typing.get_origin(member) or member for member in members]
    if Any in allowed or (value is None and types.NoneType in allowed):
        return
    if type(value) not in allowed:
        raise _invalid(name, f"is not of type {getattr(annotation, '__name__', annotation)}")


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)
