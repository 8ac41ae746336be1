"""Functions that ask the machine: the clock, memory addresses, files, code made at run time."""

import ast
import builtins
from collections.abc import Iterator

from chaincode.shim.determinism.scopes import Function, Names, Note, bound_names

_CLOCK = "the machine's clock differs between peers; use ctx.stub.get_tx_timestamp()"
_LOCAL_ZONE = "without a time zone it is the machine's own; pass datetime.UTC"
_UNSEEN = "code made at run time cannot be checked"

BUILTINS = {
    "id": ("identity", "an address in memory differs between peers; compare the values"),
    "hash": ("identity", "hash() of text differs from process to process; use SHA-256"),
    "open": ("io", "a peer's files are its own; keep data in state"),
    "input": ("io", "nobody sits at a peer; take it as an argument"),
    "print": ("io", "output goes nowhere on a peer; return a value or set an event"),
    "breakpoint": ("io", "nobody sits at a peer; take it out before packaging"),
    "exec": ("environment", _UNSEEN),
    "eval": ("environment", _UNSEEN),
    "compile": ("environment", _UNSEEN),
    "__import__": ("environment", _UNSEEN),
    "globals": ("memory", "module variables outlive the transaction; keep them in state"),
}
assert all(hasattr(builtins, name) for name in BUILTINS), "each is a builtin function"

FULL_NAMES = {
    "datetime.datetime.now": ("clock", _CLOCK),
    "datetime.datetime.utcnow": ("clock", _CLOCK),
    "datetime.datetime.today": ("clock", _CLOCK),
    "datetime.date.today": ("clock", _CLOCK),
    "datetime.date.fromtimestamp": ("clock", _LOCAL_ZONE),
    "uuid.uuid1": ("randomness", "it names machine and time; derive ids from the transaction's"),
    "uuid.uuid4": ("randomness", "it is random; derive ids from ctx.stub.get_tx_id()"),
    "uuid.getnode": ("environment", "it names the machine"),
}
MACHINE_LIMITS = frozenset({"MemoryError", "RecursionError"})


class CallRules(ast.NodeVisitor):
    """Uses of such functions, called or handed on."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._scopes: list[set[str]] = []
        self._notes: list[Note] = []

    def notes_of(self, tree: ast.Module) -> Iterator[Note]:
        """Every use in the module."""
        self._scopes = [_module_names(tree)]
        self.visit(tree)
        return iter(self._notes)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Names the function binds are its own."""
        self._enter(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """See visit_FunctionDef."""
        self._enter(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """See visit_FunctionDef."""
        self._enter(node)

    def visit_Name(self, node: ast.Name) -> None:
        """A builtin, or a name imported from a module."""
        if not isinstance(node.ctx, ast.Load):
            return
        self._check_full_name(node)
        if node.id in BUILTINS and not any(node.id in scope for scope in self._scopes):
            rule, message = BUILTINS[node.id]
            self._notes.append((node, rule, f"`{node.id}`: {message}"))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """`module.function`."""
        self._check_full_name(node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """Calls that depend on the machine only without a certain argument."""
        name = self._names.full_name(node.func)
        if name == "datetime.datetime.fromtimestamp" and len(node.args) + len(node.keywords) < 2:  # noqa: PLR2004
            self._notes.append((node, "clock", f"`fromtimestamp`: {_LOCAL_ZONE}"))
        is_method = isinstance(node.func, ast.Attribute) and node.func.attr == "astimezone"
        if is_method and not node.args and not node.keywords:
            self._notes.append((node, "clock", f"`astimezone`: {_LOCAL_ZONE}"))
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        """Where memory or stack end differs between machines."""
        caught = ast.walk(node.type) if node.type else ()
        for part in caught:
            if isinstance(part, ast.Name) and part.id in MACHINE_LIMITS:
                message = f"`{part.id}`: machines have other limits; let it pass"
                self._notes.append((part, "environment", message))
        self.generic_visit(node)

    def _enter(self, node: Function) -> None:
        self._scopes.append(bound_names(node))
        self.generic_visit(node)
        self._scopes.pop()

    def _check_full_name(self, node: ast.Name | ast.Attribute) -> None:
        name = self._names.full_name(node)
        if name in FULL_NAMES:
            rule, message = FULL_NAMES[name]
            self._notes.append((node, rule, f"`{name}`: {message}"))


def _module_names(tree: ast.Module) -> set[str]:
    """What the module itself binds to a name of a builtin."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names |= {alias.asname or alias.name for alias in node.names}
    return names
