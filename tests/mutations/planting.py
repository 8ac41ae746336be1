"""Planting a mistake into the shipped code, for as long as a `with` block lasts.

A mistake is written as a reader would mark it: in this function, instead of this text, that text.
The function's code is replaced in place, so every module that imported it runs the mistake too.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import CodeType, FunctionType


class StaleEdit(Exception):  # noqa: N818
    """The shipped code no longer holds the text that an edit replaces: mend the edit."""


@dataclass(frozen=True, slots=True)
class Edit:
    """`where` is "module:function" or "module:Class.method"; `old` stands in it exactly once."""

    where: str
    old: str
    new: str


@contextmanager
def planted(edits: Iterable[Edit]) -> Iterator[None]:
    """The shipped code with these mistakes."""
    changes: dict[str, list[Edit]] = {}
    for edit in edits:
        changes.setdefault(edit.where, []).append(edit)
    with ExitStack() as stack:
        for where, of_function in changes.items():
            function = shipped_function(where)
            mistaken = _mistaken(function, of_function)
            stack.callback(setattr, function, "__code__", function.__code__)
            function.__code__ = mistaken
        yield


def shipped_function(where: str) -> FunctionType:
    """The function itself, below decorators."""
    module_name, path = where.split(":")
    *owners, name = path.split(".")
    found: object = import_module(module_name)
    for owner in owners:
        found = getattr(found, owner)
    found = inspect.getattr_static(found, name)
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, staticmethod | classmethod):
        found = found.__func__
    found = inspect.unwrap(found)  # type: ignore[arg-type]
    if not isinstance(found, FunctionType):
        raise StaleEdit(f"{where} is no function")
    return found


def _mistaken(function: FunctionType, edits: Iterable[Edit]) -> CodeType:
    source = textwrap.dedent(inspect.getsource(function))
    for edit in edits:
        if source.count(edit.old) != 1:
            raise StaleEdit(f"{edit.where} holds {source.count(edit.old)} times: {edit.old!r}")
        source = source.replace(edit.old, edit.new)
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        where = function.__qualname__
        raise StaleEdit(f"{where} is no Python with the mistake: {error}") from error
    ast.increment_lineno(tree, function.__code__.co_firstlineno - 1)
    module = compile(tree, function.__code__.co_filename, "exec")
    [code] = [
        part
        for part in module.co_consts
        if isinstance(part, CodeType) and part.co_name == function.__name__
    ]
    if code.co_freevars != function.__code__.co_freevars:
        raise StaleEdit(f"{function.__qualname__} uses names of an enclosing function")
    return code
