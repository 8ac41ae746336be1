"""Texts that show an address in memory, such as `<object object at 0x7f…>`."""

import ast
from collections.abc import Iterator

from chaincode.shim.determinism.module_values import methods_of
from chaincode.shim.determinism.scopes import Function, Note, bound_names

RULE = "identity"
SHOWING = frozenset({"str", "repr", "ascii", "format"})
TEXT_METHODS = frozenset({"__str__", "__repr__", "__format__"})
_ADVICE = "as text shows its address in memory, which differs between peers; write what it holds"


def address_text(tree: ast.Module) -> Iterator[Note]:
    """Objects without a text of their own that are made into text."""
    plain = {
        node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and _is_plain(node)
    }
    shown_by_name = _names_of_such(tree, plain)
    for node in ast.walk(tree):
        for shown in _made_text(node):
            is_named = isinstance(shown, ast.Name) and shown.id in shown_by_name
            if is_named or _has_address(shown, plain):
                yield shown, RULE, f"`{ast.unparse(shown)}` {_ADVICE}"
        if isinstance(node, ast.ClassDef) and node.name in plain:
            yield from _of_itself(node)


def _names_of_such(tree: ast.Module, plain: set[str]) -> set[str]:
    """Module variables and functions that no function has as a name of its own."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign) and _has_address(node.value, plain):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    for function in ast.walk(tree):
        if isinstance(function, Function):
            names -= bound_names(function)
    return names


def _of_itself(node: ast.ClassDef) -> Iterator[Note]:
    for method in methods_of(node):
        if method.decorator_list or not method.args.args:
            continue  # a property has an owner too, but a class method's class has no address
        owner = method.args.args[0].arg
        for shown in (shown for part in ast.walk(method) for shown in _made_text(part)):
            if isinstance(shown, ast.Name) and shown.id == owner:
                yield shown, RULE, f"`{owner}` {_ADVICE}"


def _has_address(node: ast.expr, plain: set[str]) -> bool:
    match node:
        case ast.Lambda() | ast.GeneratorExp():
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name == "object" or name in plain
    return False


def _is_plain(node: ast.ClassDef) -> bool:
    """No text of its own, none inherited and none from a decorator such as `dataclass`."""
    bases = {ast.unparse(base).split(".")[-1] for base in node.bases}
    has_text = any(method.name in TEXT_METHODS for method in methods_of(node))
    return not (has_text or node.decorator_list or node.keywords or bases - {"object", "Contract"})


def _made_text(node: ast.AST) -> list[ast.expr]:
    """Expressions that this one makes into text."""
    match node:
        case ast.FormattedValue(value=value):
            return [value]
        case ast.Call(func=ast.Name(id=name), args=[value, *_]) if name in SHOWING:
            return [value]
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()), attr="format")):
            return [*node.args, *(word.value for word in node.keywords)]
        case ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod(), right=right):
            return right.elts if isinstance(right, ast.Tuple) else [right]
    return []
