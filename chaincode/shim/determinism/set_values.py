"""Which expressions are sets, as far as one module tells: literals, calls, annotations, names."""

import ast
from collections.abc import Iterable

SET_TYPES = frozenset(
    {"set", "frozenset", "Set", "AbstractSet", "FrozenSet", "MutableSet", "KeysView", "ItemsView"}
)
SET_METHODS = frozenset({"union", "intersection", "difference", "symmetric_difference"})
VIEWS = frozenset({"keys", "items"})
SET_OPERATORS = (ast.BitOr, ast.BitAnd, ast.BitXor, ast.Sub)

Scope = dict[str, bool]
"""Local name → whether it holds a set now."""


class SetValues:
    """Names known to hold sets; `scopes` ends with the innermost function's."""

    def __init__(self, tree: ast.Module) -> None:
        self.scopes: list[Scope] = [{}]
        self._functions = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and is_set_type(node.returns)
        }
        self._attributes = set(_set_attributes(tree))

    def bind(self, target: ast.expr, *, is_set: bool) -> None:
        """A name gets a new value; tuples of names get unknown ones."""
        if isinstance(target, ast.Name):
            self.scopes[-1][target.id] = is_set
        elif isinstance(target, ast.Tuple | ast.List):
            for part in target.elts:
                self.bind(part, is_set=False)
        elif isinstance(target, ast.Attribute) and is_set:
            self._attributes.add(target.attr)

    def is_set(self, node: ast.expr) -> bool:
        """Whether the expression is a set (or a frozenset, or a set of keys)."""
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Name(id=name):
                return self._name_is_set(name)
            case ast.Attribute(attr=name):
                return name in self._attributes
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, SET_OPERATORS):
                return any(self.is_set(side) or _is_view(side) for side in (left, right))
            case ast.Call():
                return self._call_gives_set(node)
        return any(self.is_set(part) for part in _alternatives(node))

    def _name_is_set(self, name: str) -> bool:
        return next((scope[name] for scope in reversed(self.scopes) if name in scope), False)

    def _call_gives_set(self, node: ast.Call) -> bool:
        match node.func:
            case ast.Name(id="set" | "frozenset"):
                return True
            case ast.Name(id=name):
                return name in self._functions
            case ast.Attribute(value=owner, attr=name):
                if name in SET_METHODS or name == "copy":
                    return self.is_set(owner)
                return name in self._functions
        return False


def is_set_type(annotation: ast.expr | None) -> bool:
    """Whether an annotation says `set[...]` or the like; `| None` changes nothing."""
    match annotation:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in SET_TYPES
        case ast.Subscript(value=ast.Name(id="ClassVar" | "Final" | "Optional"), slice=inner):
            return is_set_type(inner)
        case ast.Subscript(value=value):
            return is_set_type(value)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return is_set_type(left) or is_set_type(right)
        case ast.Constant(value=str() as text):
            return text.partition("[")[0] in SET_TYPES
    return False


def _alternatives(node: ast.expr) -> list[ast.expr]:
    """Expressions whose value this one has."""
    match node:
        case ast.IfExp(body=first, orelse=second):
            return [first, second]
        case ast.BoolOp(values=values):
            return values
        case ast.NamedExpr(value=value) | ast.Await(value=value):
            return [value]
    return []


def _is_view(node: ast.expr) -> bool:
    """`d.keys()`: in order by itself, a set without order once combined."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in VIEWS
        and not node.args
    )


def _set_attributes(tree: ast.Module) -> Iterable[str]:
    """Fields that a class of this module annotates as sets."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                if (
                    isinstance(part, ast.AnnAssign)
                    and isinstance(part.target, ast.Name)
                    and is_set_type(part.annotation)
                ):
                    yield part.target.id
