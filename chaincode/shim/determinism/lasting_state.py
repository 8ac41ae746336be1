"""Memory of a process: what outlives a transaction is another thing on every peer.

Peers run other transactions, in another order, and restart at other times.
"""

import ast
from collections.abc import Iterator

from chaincode.shim.determinism.scopes import Note

RULE = "memory"
SETTING_UP = frozenset({"__init__", "__post_init__"})
_ADVICE = "outlives the transaction and differs between peers; keep it in state"


def lasting_state(tree: ast.Module) -> Iterator[Note]:
    """`global`, attributes set on a contract, and code that runs when memory is freed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield node, RULE, f"the module variable {', '.join(node.names)} {_ADVICE}"
        elif isinstance(node, ast.ClassDef):
            yield from _of_class(node)


def _of_class(node: ast.ClassDef) -> Iterator[Note]:
    methods = [m for m in node.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)]
    for method in methods:
        if method.name == "__del__":
            yield method, RULE, "when memory is freed differs between peers"
        if _is_contract(node) and method.name not in SETTING_UP and method.args.args:
            yield from _assigned_to(method.args.args[0].arg, method)


def _is_contract(node: ast.ClassDef) -> bool:
    return any(ast.unparse(parent).split(".")[-1].endswith("Contract") for parent in node.bases)


def _assigned_to(owner: str, method: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Note]:
    for node in ast.walk(method):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == owner
        ):
            yield node, RULE, f"{owner}.{node.attr} {_ADVICE}"
