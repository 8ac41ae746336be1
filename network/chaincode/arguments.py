"""`key=value` on the command line as a contract function's arguments.

What the values are is told by the contract's metadata (Fabric's form, which contracts in any
language answer): numbers, truth values and JSON are checked here, before anybody signs.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ledger.errors import GridledgerError

METADATA_FUNCTION = "org.hyperledger.fabric:GetMetadata"
FILE_MARK = "@"
FILE_BYTES_MAX = 1024 * 1024
JSON_KINDS: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "number": (int, float),
}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,77})", re.ASCII)


class WrongArguments(GridledgerError):  # noqa: N818 - what the person typed
    """The text says what is wrong and what is possible."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function; `schema` is a JSON schema."""

    name: str
    schema: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """For people: `integer`, `string`, ..."""
        return str(self.schema.get("type", "object" if "$ref" in self.schema else "JSON"))


@dataclass(frozen=True, slots=True)
class Function:
    """A function as its contract describes it."""

    name: str
    """As it is called: with its contract's name, unless that is the default contract."""
    parameters: tuple[Parameter, ...]
    is_query: bool

    @property
    def usage(self) -> str:
        """How it is called."""
        return " ".join([self.name, *(f"{p.name}=<{p.kind}>" for p in self.parameters)])


def functions_of(metadata: bytes) -> dict[str, Function]:
    """The functions of a chaincode by every name they are called by; raises WrongArguments."""
    try:
        contracts = json.loads(metadata)["contracts"]
        return {
            function.name: function
            for name, contract in contracts.items()
            for described in contract["transactions"]
            for function in _functions(name, contract, described)
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrongArguments("the chaincode's metadata cannot be read; use --raw") from error


def _functions(
    contract: str, described: Mapping[str, Any], transaction: Mapping[str, Any]
) -> list[Function]:
    parameters = tuple(
        [
            Parameter(str(one["name"]), one.get("schema", {}))
            for one in transaction.get("parameters", ())
        ]
    )
    tags = {str(tag).lower() for tag in transaction.get("tag", ())}
    is_query = bool(tags & {"evaluate", "evaluatetx"})
    short, full = str(transaction["name"]), f"{contract}:{transaction['name']}"
    names = [full, short] if described.get("default") or contract == "" else [full]
    return [Function(name, parameters, is_query) for name in names]


def encode_arguments(function: Function, words: Sequence[str]) -> list[bytes]:
    """The arguments in the function's order; raises WrongArguments."""
    given = dict(_split(function, word) for word in words)
    if len(given) < len(words):
        raise WrongArguments(f"an argument is given twice\nusage: {function.usage}")
    known = {parameter.name: parameter for parameter in function.parameters}
    for name in given.keys() - known.keys():
        near = get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise WrongArguments(
            f"{function.name} has no parameter {name!r}{hint}\nusage: {function.usage}"
        )
    present = [parameter.name in given for parameter in function.parameters]
    if False in present and True in present[present.index(False) :]:
        missing = function.parameters[present.index(False)].name
        raise WrongArguments(f"{missing} is missing\nusage: {function.usage}")
    return [_encoded(known[name], given[name]) for name in known if name in given]


def _split(function: Function, word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise WrongArguments(f"{word!r} is not key=value\nusage: {function.usage}")
    return name, value


def _encoded(parameter: Parameter, text: str) -> bytes:
    return _checked(parameter, _typed_or_file(text))


def _typed_or_file(text: str) -> bytes:
    """What was typed, or of `@FILE` what is in the file."""
    if text.startswith(FILE_MARK):
        return _file(Path(text.removeprefix(FILE_MARK)))
    return word_bytes(text)


def _checked(parameter: Parameter, raw: bytes) -> bytes:
    kind = parameter.kind
    if kind == "string":
        return raw
    try:
        text = raw.decode().strip()
    except UnicodeDecodeError as error:
        raise _wrong(parameter, repr(raw[:80]), "is not UTF-8") from error
    if kind == "integer":
        if not _INTEGER.fullmatch(text):
            raise _wrong(parameter, text, "is not a whole number")
        return text.encode()
    if kind == "boolean":
        if text not in {"true", "false"}:
            raise _wrong(parameter, text, "is neither true nor false")
        return text.encode()
    return _json(parameter, text)


def _json(parameter: Parameter, text: str) -> bytes:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(parameter, text, f"is no JSON ({error})") from error
    wanted = JSON_KINDS.get(parameter.kind)
    if wanted is not None and type(value) not in wanted:
        raise _wrong(parameter, text, f"is no JSON {parameter.kind}")
    return text.encode()


def _wrong(parameter: Parameter, text: str, what: str) -> WrongArguments:
    return WrongArguments(f"{parameter.name}={text[:80]} {what}")


def transient_pair(word: str) -> tuple[str, bytes]:
    """Name and value of a `--transient key=value`; `key=@FILE` is what is in the file."""
    name, equals, value = word.partition("=")
    if not equals:
        raise WrongArguments(f"{word!r} is not key=value")
    return name, _typed_or_file(value)


def word_bytes(word: str) -> bytes:
    """The bytes that were typed, also where they are not UTF-8."""
    return os.fsencode(word)


def _file(path: Path) -> bytes:
    with path.open("rb") as stream:
        content = stream.read(FILE_BYTES_MAX + 1)  # a device has no size to ask for
    if len(content) > FILE_BYTES_MAX:
        raise WrongArguments(f"{path} is larger than {FILE_BYTES_MAX} bytes")
    return content
