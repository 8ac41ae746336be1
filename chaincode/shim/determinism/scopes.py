"""Which name means what: imports by their full name, and a walk that knows a function's locals."""

import ast
from collections.abc import Iterable, Iterator
from typing import TypeVar

Place = ast.expr | ast.stmt | ast.excepthandler | ast.arg
Note = tuple[Place, str, str]
"""(where, rule, message)"""

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Value = TypeVar("Value")


class Names:
    """Full names of what a module imports: after `import datetime as d`, `d.date` is known."""

    def __init__(self, tree: ast.Module) -> None:
        self._imported: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.name if alias.asname else alias.name.partition(".")[0]
                    self._imported[alias.asname or name] = name
            elif isinstance(node, ast.ImportFrom) and not node.level:
                for alias in node.names:
                    self._imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def full_name(self, node: ast.expr) -> str:
        """`datetime.datetime.now` for what the expression means; empty if nothing imported."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self._imported:
            return ""
        return ".".join([self._imported[node.id], *reversed(parts)])


def bound_names(function: Function) -> set[str]:
    """Parameters and everything assigned, imported or defined inside a function."""
    names = {argument.arg for argument in parameters_of(function)}
    for node in own_nodes(function):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
                | ast.MatchMapping(rest=str(name))
            ):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {(alias.asname or alias.name).partition(".")[0] for alias in aliases}
    return names


def parameters_of(function: Function) -> list[ast.arg]:
    """All parameters, of every kind."""
    arguments = function.args
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return found + [extra for extra in (arguments.vararg, arguments.kwarg) if extra]


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Nodes of the body, without those of functions and classes inside it."""
    body: Iterable[ast.AST] = (
        [function.body] if isinstance(function, ast.Lambda) else function.body
    )
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


def is_type_checking(node: ast.AST) -> bool:
    """Whether this is `if TYPE_CHECKING:`, whose imports never happen."""
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
