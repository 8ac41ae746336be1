"""Memory of a process: what outlives a transaction is another thing on every peer.

Peers run other transactions, in another order, and restart at other times.
"""

import ast
from collections.abc import Iterator

from chaincode.shim.determinism.lasting_scopes import LastingScopes
from chaincode.shim.determinism.lasting_values import Kind
from chaincode.shim.determinism.module_values import ModuleValues
from chaincode.shim.determinism.scopes import Names, Note, Place

RULE = "memory"
_ADVICE = "outlives the transaction and differs between peers; keep it in state"

_METHODS = (
    "append appendleft extend extendleft insert pop popleft popitem setdefault clear rotate"
    " move_to_end __setitem__ __delitem__ __next__"
)
_METHODS_OF_CONTAINERS = (
    "add update remove discard sort reverse subtract difference_update intersection_update"
    " symmetric_difference_update"
)
_FUNCTIONS = (
    "heapq.heapify heapq.heappush heapq.heappop heapq.heappushpop heapq.heapreplace"
    " bisect.insort bisect.insort_left bisect.insort_right"
    " operator.setitem operator.delitem operator.iadd operator.ior"
)
CHANGING = frozenset(_METHODS.split())
CHANGING_CONTAINERS = CHANGING | frozenset(_METHODS_OF_CONTAINERS.split())
"""`add`, `update` and the like are methods of many other things, too."""
CHANGING_FUNCTIONS = frozenset(_FUNCTIONS.split())
"""They change their first argument."""


class LastingState(LastingScopes):
    """Changes, inside functions, to what was there before the call and will be there after it."""

    def __init__(self, values: ModuleValues, names: Names) -> None:
        super().__init__(values)
        self._names = names
        self._notes: list[Note] = []

    def notes_of(self, tree: ast.Module) -> Iterator[Note]:
        """Every such place in the module."""
        self.visit(tree)
        return iter(self._notes)

    def visit_Global(self, node: ast.Global) -> None:
        """A module variable that the function sets."""
        self._note(node, f"the module variable {', '.join(node.names)}")

    def visit_Name(self, node: ast.Name) -> None:
        """Whoever reads an iterator moves it on."""
        self._read(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """`lasting.x = …`, `del lasting.x`, and `lasting.append`, called or handed on."""
        self._read(node)
        owner = self.referent(node.value)
        if isinstance(node.ctx, ast.Load):
            if _is_change_by(node.attr, owner.kind, node.value):
                self._note(node, ast.unparse(node.value))
        elif owner.keeps_attributes:
            self._note(node, ast.unparse(node))
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """`lasting[x] = …` and `del lasting[x]`."""
        if not isinstance(node.ctx, ast.Load) and self.referent(node.value).keeps_attributes:
            self._note(node, ast.unparse(node.value))
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """`self.tags |= {…}` changes the set of the class before it sets the attribute."""
        if self.referent(node.target).kind is Kind.CONTAINER:
            self._note(node.target, ast.unparse(node.target))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """`heappush(lasting, …)`, `list.append(lasting, …)`, `next(lasting)`."""
        if node.args and self._changes_argument(node.func):
            first = self.referent(node.args[0])
            if first.keeps_attributes and first.kind is not Kind.ITERATOR:
                self._note(node.args[0], ast.unparse(node.args[0]))
        self.generic_visit(node)

    def _changes_argument(self, function: ast.expr) -> bool:
        match function:
            case ast.Name(id="next" | "setattr" | "delattr"):
                return True
            case ast.Attribute(value=ast.Name(id="list" | "dict" | "set"), attr=name):
                return name in CHANGING_CONTAINERS
        return self._names.full_name(function) in CHANGING_FUNCTIONS

    def _read(self, node: ast.Name | ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Load) and self.referent(node).kind is Kind.ITERATOR:
            self._note(node, f"how far {ast.unparse(node)} was read")

    def _note(self, node: Place, what: str) -> None:
        if self.is_in_call:
            self._notes.append((node, RULE, f"{what} {_ADVICE}"))


def _is_change_by(method: str, kind: Kind, owner: ast.expr) -> bool:
    """Whether a method of that name changes its owner, as far as one can tell."""
    if kind is Kind.CONTAINER:
        return method in CHANGING_CONTAINERS
    if kind is Kind.NAMED:  # of a module it is a function, of a constant a change
        last = ast.unparse(owner).split(".")[-1]
        return method in CHANGING_CONTAINERS and last.isupper() and len(last) > 1
    return kind is Kind.OBJECT and method in CHANGING
