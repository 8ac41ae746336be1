"""Places where the order of a set shows: it follows from hash() of the elements.

For text that differs from process to process, so two peers would write in another order.
"""

import ast
from collections.abc import Iterator, Sequence

from chaincode.shim.determinism.reading_order import ReadingOrder
from chaincode.shim.determinism.scopes import Note, Place

RULE = "set-order"
ORDER_FREE = frozenset({"sorted", "min", "max", "sum", "any", "all", "set", "frozenset", "len"})
ORDERED = frozenset(
    {"list", "tuple", "iter", "enumerate", "zip", "map", "filter", "str", "repr", "deque"}
)
ORDERED_METHODS = frozenset({"join", "extend", "fromkeys", "format"})
WITH_KEY = frozenset({"sorted", "min", "max"})


class SetOrder(ReadingOrder):
    """Notes every use of a set that depends on its order."""

    def __init__(self, tree: ast.Module) -> None:
        super().__init__(tree)
        self._order_free: set[int] = set()
        self._notes: list[Note] = []

    def notes_of(self, tree: ast.Module) -> Iterator[Note]:
        """Every place in the module."""
        self.walk(tree.body, {})
        return iter(self._notes)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Remember what holds a set; unpacking one shows its order."""
        self.visit(node.value)
        is_set = self.values.is_set(node.value)
        for target in node.targets:
            if is_set and isinstance(target, ast.Tuple | ast.List) and len(target.elts) > 1:
                self._note(node.value, "unpacking a set")
            self.values.bind(target, is_set=is_set)

    # -- where order shows ------------------------------------------------------------------------

    def visit_For(self, node: ast.For) -> None:
        """The body runs in the set's order."""
        self._ordered_use(node.iter, "a loop over a set")
        self.values.bind(node.target, is_set=False)
        self.generic_visit(node)

    def visit_ListComp(self, node: ast.ListComp | ast.DictComp) -> None:
        """A list, or a dictionary, in the set's order."""
        self._comprehension(node.generators, "a list or dictionary made from a set")
        self.generic_visit(node)

    visit_DictComp = visit_ListComp  # dictionaries keep the order of insertion

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        """Harmless only inside `sorted(…)`, `sum(…)` and the like."""
        if id(node) not in self._order_free:
            self._comprehension(node.generators, "a generator over a set")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """`list(s)`, `", ".join(s)`, `s.pop()`, and ties of `sorted(s, key=…)`."""
        match node.func:
            case ast.Name(id=name) if name in ORDER_FREE:
                self._order_free |= {id(argument) for argument in node.args}
                if name in WITH_KEY and any(word.arg == "key" for word in node.keywords):
                    self._arguments(node, f"{name}(…, key=…) of a set, where keys are equal,")
            case ast.Name(id=name) if name in ORDERED:
                self._arguments(node, f"{name}() of a set")
            case ast.Attribute(value=owner, attr="pop") if not node.args:
                self._ordered_use(owner, "pop() of a set")
            case ast.Attribute(attr=name) if name in ORDERED_METHODS:
                self._arguments(node, f"{name}() of a set")
        self.generic_visit(node)

    def visit_Set(self, node: ast.Set) -> None:
        """`{*a, *b}` is a set again."""
        self._order_free |= {id(element) for element in node.elts}
        self.generic_visit(node)

    def visit_Starred(self, node: ast.Starred) -> None:
        """`[*s]`."""
        if isinstance(node.ctx, ast.Load) and id(node) not in self._order_free:
            self._ordered_use(node.value, "unpacking a set")
        self.generic_visit(node)

    def visit_YieldFrom(self, node: ast.YieldFrom) -> None:
        """A generator in the set's order."""
        self._ordered_use(node.value, "yield from a set")
        self.generic_visit(node)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> None:
        """A text that shows the set."""
        self._ordered_use(node.value, "a set as text")
        self.generic_visit(node)

    def _arguments(self, node: ast.Call, what: str) -> None:
        for argument in node.args:
            inner = argument.generators if isinstance(argument, ast.GeneratorExp) else []
            self._comprehension(inner, what)
            self._ordered_use(argument, what)

    def _comprehension(self, generators: Sequence[ast.comprehension], what: str) -> None:
        for generator in generators:
            self._ordered_use(generator.iter, what)

    def _ordered_use(self, node: ast.expr, what: str) -> None:
        if self.values.is_set(node):
            self._note(node, what)

    def _note(self, node: Place, what: str) -> None:
        advice = "has another order on every peer; use sorted(…)"
        if "key=" in what:
            advice = "has another order on every peer; make the keys differ"
        self._notes.append((node, RULE, f"{what} {advice}"))
