"""Every record the energy contracts keep in the world state, and frozen bytes of each.

    .venv/bin/python -m tests.architecture.energy_records

adds the records that have no frozen bytes yet; what is frozen is never changed. A record read by
tomorrow's contracts was written by yesterday's, so a new field needs a default and no field goes.
"""

import ast
import dataclasses
import importlib
import json
import types
import typing
from collections.abc import Iterator
from enum import Enum

from chaincode.energy import records
from tests.architecture.source_files import ROOT, python_files, tree_of

FROZEN = ROOT / "tests" / "vectors" / "energy-records.json"
READERS = frozenset({"find", "get", "scan", "decode"})
"""Functions of the contracts whose first argument is the kind of record they read."""
EXAMPLES: dict[object, object] = {
    str: "text",
    int: 7,
    bool: True,
    object: 7,
    typing.Any: 7,
    type(None): None,
}


def stored_kinds() -> dict[str, type]:
    """Name -> class of all records some contract reads from the state."""
    found: dict[str, type] = {}
    for path in python_files("chaincode/energy"):
        module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        for name in _read_names(tree_of(path)):
            value = getattr(module, name, None)
            if isinstance(value, type) and dataclasses.is_dataclass(value):
                other = found.setdefault(value.__name__, value)
                assert other is value, f"two records are called {value.__name__}"
    return found


def _read_names(tree: ast.Module) -> Iterator[str]:
    """Names given to a reader, or standing as values in a table of kinds."""
    for node in ast.walk(tree):
        values: list[ast.expr] = []
        if isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            values = node.args[:1] if called in READERS else []
        elif isinstance(node, ast.Dict):
            values = node.values
        yield from (value.id for value in values if isinstance(value, ast.Name))


def example(kind: type) -> object:
    """A record with every field filled."""
    hints = typing.get_type_hints(kind)
    return kind(**{field.name: _value(hints[field.name]) for field in dataclasses.fields(kind)})


def _value(hint: object) -> object:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _value(next(part for part in arguments if part is not type(None)))
    if origin is typing.Literal:
        return arguments[0]
    if origin in (list, tuple):
        return [_value(arguments[0])]
    if origin is dict:
        return {"text": _value(arguments[1])}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint)).value
    return EXAMPLES[hint]


def frozen() -> dict[str, str]:
    """Name -> the bytes of its example, as they were when it was new."""
    stored: dict[str, str] = json.loads(FROZEN.read_text(encoding="utf-8"))
    return stored


def missing() -> Iterator[tuple[str, type]]:
    """Records without frozen bytes."""
    known = frozen() if FROZEN.exists() else {}
    return ((name, kind) for name, kind in sorted(stored_kinds().items()) if name not in known)


def main() -> None:
    """Freeze what is new."""
    known = frozen() if FROZEN.exists() else {}
    known |= {name: records.encode(example(kind)).decode() for name, kind in missing()}
    FROZEN.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
