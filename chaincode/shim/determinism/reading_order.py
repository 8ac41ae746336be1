"""A walk over a module in the order it is read, so that `x = sorted(x)` is understood."""

import ast
from collections.abc import Sequence

from chaincode.shim.determinism.scopes import Function, parameters_of
from chaincode.shim.determinism.set_values import Scope, SetValues, is_set_type


class ReadingOrder(ast.NodeVisitor):
    """Keeps `values` true to what the names hold at the place that is visited."""

    def __init__(self, tree: ast.Module) -> None:
        self.values = SetValues(tree)
        self._later: list[Function] = []

    def walk(self, body: Sequence[ast.AST], scope: Scope) -> None:
        """Statements of one scope, then the functions in it, which know all its names."""
        outer, self._later = self._later, []
        self.values.scopes.append(scope)
        for part in body:
            self.visit(part)
        for function in self._later:
            inner = [function.body] if isinstance(function, ast.Lambda) else function.body
            known = {a.arg: is_set_type(a.annotation) for a in parameters_of(function)}
            self.walk(inner, known)
        self.values.scopes.pop()
        self._later = outer

    # -- scopes and names -------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Its body is walked when everything around it is known."""
        self._later.append(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """See visit_FunctionDef."""
        self._later.append(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """See visit_FunctionDef."""
        self._later.append(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """The annotation counts as much as the value."""
        if node.value is not None:
            self.visit(node.value)
        is_set = node.value is not None and self.values.is_set(node.value)
        self.values.bind(node.target, is_set=is_set or is_set_type(node.annotation))
