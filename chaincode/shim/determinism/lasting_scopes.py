"""A walk over a module that knows which names, inside a function, mean something that lasts."""

import ast
from collections import Counter

from chaincode.shim.determinism.lasting_values import LOCAL, Kind, Referent
from chaincode.shim.determinism.module_values import Method, ModuleValues
from chaincode.shim.determinism.scopes import (
    Function,
    bound_names,
    own_nodes,
    parameters_of,
)

SETTING_UP = frozenset({"__init__", "__post_init__"})
OF_THE_CLASS = frozenset({"__new__", "__init_subclass__", "__class_getitem__"})
READING_ON = frozenset({"get", "setdefault", "values", "items"})
"""Methods whose result is, or holds, what their owner holds."""


class LastingScopes(ast.NodeVisitor):
    """Keeps the scopes true to the place that is visited."""

    def __init__(self, values: ModuleValues) -> None:
        self._values = values
        self._scopes: list[dict[str, Referent]] = [values.variables]
        self._around: ast.ClassDef | None = None

    @property
    def is_in_call(self) -> bool:
        """Whether this runs in calls, not once when the module is loaded."""
        return len(self._scopes) > 1

    def referent(self, node: ast.expr) -> Referent:
        """What the expression refers to."""
        match node:
            case ast.Name(id=name):
                found = (scope[name] for scope in reversed(self._scopes) if name in scope)
                return next(found, LOCAL)
            case ast.Attribute(value=value, attr=attribute):
                return self.referent(value).attribute(attribute)
            case ast.Subscript(value=value):
                return self.referent(value).element()
            case ast.Call(func=ast.Name(id="type"), args=[argument]):
                return self.referent(argument).attribute("__class__")
            case ast.Call(func=ast.Name(id="vars"), args=[argument]):
                return self.referent(argument).attribute("__dict__")
            case ast.Call(func=ast.Attribute(value=value, attr=name)) if name in READING_ON:
                return self.referent(value).element()
        return LOCAL

    # -- scopes -----------------------------------------------------------------------------------

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Methods know their class."""
        outer, self._around = self._around, node
        self.generic_visit(node)
        self._around = outer

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Decorators and defaults are of the place around it; the body has names of its own."""
        self._enter(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """See visit_FunctionDef."""
        self._enter(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """See visit_FunctionDef."""
        self._enter(node)

    def _enter(self, node: Function) -> None:
        for outside in [*getattr(node, "decorator_list", ()), *_defaults(node)]:
            self.visit(outside)
        scope = dict.fromkeys(bound_names(node), LOCAL) | self._first_parameter(node)
        self._scopes.append(scope)
        outer, self._around = self._around, None
        scope |= self._imported(node)
        scope |= self._second_names(node)
        for statement in [node.body] if isinstance(node, ast.Lambda) else node.body:
            self.visit(statement)
        self._around = outer
        self._scopes.pop()

    def _first_parameter(self, node: Function) -> dict[str, Referent]:
        if self._around is None or not isinstance(node, Method) or not node.args.args:
            return {}
        decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
        attributes = self._values.attributes_of(self._around)
        is_setting_up = attributes.is_contract and node.name in SETTING_UP
        if "staticmethod" in decorators or is_setting_up:
            return {}
        is_class = "classmethod" in decorators or node.name in OF_THE_CLASS
        kind = Kind.CLASS if is_class else Kind.INSTANCE
        return {node.args.args[0].arg: Referent(kind, attributes)}

    def _imported(self, node: Function) -> dict[str, Referent]:
        """Names of imports inside the function."""
        found: dict[str, Referent] = {}
        for part in own_nodes(node):
            if isinstance(part, ast.Import | ast.ImportFrom):
                found |= self._values.defined_by(part)
        return found

    def _second_names(self, node: Function) -> dict[str, Referent]:
        """Names bound once in the function, to something that lasts: `seen = SEEN`."""
        stores = Counter(argument.arg for argument in parameters_of(node))
        given: list[tuple[str, ast.expr]] = []
        for part in own_nodes(node):
            match part:
                case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                    stores[name] += 1
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    given.append((name, value))
        return {name: self.referent(value) for name, value in given if stores[name] == 1}


def _defaults(node: Function) -> list[ast.expr]:
    return [*node.args.defaults, *(default for default in node.args.kw_defaults if default)]
