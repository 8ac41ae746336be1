"""What a `def` makes once and every later call finds again: defaults, and caches of results."""

import ast
from collections.abc import Iterator

from chaincode.shim.determinism.module_values import ModuleValues, methods_of
from chaincode.shim.determinism.scopes import Function, Names, Note

RULE = "memory"
CACHES = frozenset({"functools.cache", "functools.lru_cache"})
CACHES_OF_OBJECTS = frozenset({"functools.cached_property"})
"""They last as long as their object: between transactions only on a contract."""


def made_once(tree: ast.Module, values: ModuleValues, names: Names) -> Iterator[Note]:
    """Mutable defaults, cached functions, and code that runs when memory is freed."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield from _defaults(node, values)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _caches(node, names, CACHES)
        elif isinstance(node, ast.ClassDef):
            is_contract = values.attributes_of(node).is_contract
            for method in methods_of(node):
                if method.name == "__del__":
                    yield method, RULE, "when memory is freed differs between peers"
                if is_contract:
                    yield from _caches(method, names, CACHES_OF_OBJECTS)


def _defaults(node: Function, values: ModuleValues) -> Iterator[Note]:
    for default in [*node.args.defaults, *node.args.kw_defaults]:
        if default is not None and values.is_container(default):
            message = "one object for all calls, it outlives the transaction; use () or None"
            yield default, RULE, f"the default `{ast.unparse(default)}`: {message}"


def _caches(
    node: ast.FunctionDef | ast.AsyncFunctionDef, names: Names, caches: frozenset[str]
) -> Iterator[Note]:
    for decorator in node.decorator_list:
        name = names.full_name(decorator.func if isinstance(decorator, ast.Call) else decorator)
        if name in caches:
            message = "what it remembers outlives the transaction and differs between peers"
            yield decorator, RULE, f"`{name}`: {message}; work it out again"
