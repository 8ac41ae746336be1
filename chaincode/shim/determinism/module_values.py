"""The names of a module and of its classes: which hold containers, which iterators."""

import ast
from collections.abc import Iterable, Iterator

from chaincode.shim.determinism.lasting_values import ClassAttributes, Kind, Referent
from chaincode.shim.determinism.scopes import Names, own_nodes

_COLLECTIONS = ("ChainMap", "Counter", "OrderedDict", "defaultdict", "deque")
CONTAINERS = frozenset({"list", "dict", "set", "bytearray"}) | frozenset(
    f"collections.{name}" for name in _COLLECTIONS
)
ITERATORS = frozenset({"iter", "map", "filter", "zip", "enumerate", "reversed"})
CONTRACT = "Contract"
Method = ast.FunctionDef | ast.AsyncFunctionDef


class ModuleValues:
    """Classes and variables of one module."""

    def __init__(self, tree: ast.Module, names: Names) -> None:
        self._names = names
        self._classes = {n.name: n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)}
        self._contracts = _contracts(self._classes)
        self._attributes: dict[ast.ClassDef, ClassAttributes] = {}
        self._generators = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and _is_generator(node)
        }
        self.variables: dict[str, Referent] = {}
        for node in _loaded_once(tree.body):
            self.variables |= self.defined_by(node)
        for name, value in _assignments(_loaded_once(tree.body)):
            self.variables[name] = Referent(self._kind(value))

    def defined_by(self, node: ast.AST) -> dict[str, Referent]:
        """Names that a statement binds to functions, classes or what it imports."""
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                return {name: Referent(Kind.NAMED)}
            case ast.ClassDef(name=name):
                return {name: Referent(Kind.CLASS, self.attributes_of(node))}
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                imported = ((a.asname or a.name).partition(".")[0] for a in aliases)
                return dict.fromkeys(imported, Referent(Kind.NAMED))
        return {}

    def attributes_of(self, node: ast.ClassDef) -> ClassAttributes:
        """With those that it inherits from classes of this module."""
        if node not in self._attributes:
            self._attributes[node] = ClassAttributes()  # for a class that is its own base
            self._attributes[node] = self._find_attributes(node)
        return self._attributes[node]

    def is_container(self, node: ast.expr) -> bool:
        """Whether the expression makes a list, dictionary or set."""
        return not isinstance(node, ast.Name) and self._kind(node) is Kind.CONTAINER

    def _find_attributes(self, node: ast.ClassDef) -> ClassAttributes:
        is_contract = node.name in self._contracts
        shared: dict[str, Kind] = {}
        own: set[str] = set()
        for base in _bases(node):
            if base in self._classes:
                inherited = self.attributes_of(self._classes[base])
                shared |= inherited.shared
                own |= inherited.own
        values = dict(_assignments(node.body))
        for method in methods_of(node):
            assigned = dict(_assignments_to(method))
            own |= assigned.keys()
            if is_contract:
                values |= assigned
        kinds = {name: self._kind(value) for name, value in values.items()}
        shared |= {
            name: kind for name, kind in kinds.items() if kind in {Kind.CONTAINER, Kind.ITERATOR}
        }
        return ClassAttributes(is_contract, shared, frozenset(own))

    def _kind(self, value: ast.expr) -> Kind:
        match value:
            case ast.List() | ast.Dict() | ast.Set():
                return Kind.CONTAINER
            case ast.ListComp() | ast.DictComp() | ast.SetComp():
                return Kind.CONTAINER
            case (
                ast.BinOp(left=ast.List() | ast.Dict()) | ast.BinOp(right=ast.List() | ast.Dict())
            ):
                return Kind.CONTAINER
            case ast.GeneratorExp():
                return Kind.ITERATOR
            case ast.Call(func=function):
                return self._kind_of_result(function)
            case ast.Name(id=name) if name in self.variables:
                return self.variables[name].kind
        return Kind.OBJECT

    def _kind_of_result(self, function: ast.expr) -> Kind:
        name = self._names.full_name(function)
        if isinstance(function, ast.Name) and not name:
            name = function.id
        if name in CONTAINERS:
            return Kind.CONTAINER
        is_iterator = name in ITERATORS | self._generators or name.startswith("itertools.")
        return Kind.ITERATOR if is_iterator else Kind.OBJECT


def methods_of(node: ast.ClassDef) -> list[Method]:
    """Functions in the body of the class."""
    return [part for part in node.body if isinstance(part, Method)]


def _contracts(classes: dict[str, ast.ClassDef]) -> set[str]:
    """Contracts, what they inherit from in this module and what inherits from them."""
    bases = {name: _bases(node) for name, node in classes.items()}
    heirs: dict[str, list[str]] = {}
    for name, own_bases in bases.items():
        for base in own_bases:
            heirs.setdefault(base, []).append(name)
    roots = {name for name in heirs if name.endswith(CONTRACT)}
    return _reached(_reached(roots, heirs) - roots, bases) & classes.keys()


def _reached(start: Iterable[str], links: dict[str, list[str]]) -> set[str]:
    found = set(start)
    waiting = list(found)
    while waiting:
        new = [name for name in links.get(waiting.pop(), ()) if name not in found]
        found.update(new)
        waiting += new
    return found


def _bases(node: ast.ClassDef) -> list[str]:
    return [ast.unparse(base).split(".")[-1] for base in node.bases]


def _loaded_once(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Statements that run when the module is loaded, those inside `if` and `try` too."""
    for node in body:
        yield node
        if not isinstance(node, Method | ast.ClassDef):
            yield from _loaded_once(ast.iter_child_nodes(node))


def _assignments(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    for node in nodes:
        match node:
            case ast.Assign(targets=targets, value=value):
                yield from ((name.id, value) for name in targets if isinstance(name, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case ast.NamedExpr(target=ast.Name(id=name), value=value):
                yield name, value


def _assignments_to(method: Method) -> Iterator[tuple[str, ast.expr]]:
    """Attributes that a method sets on its first parameter, with the value on the right."""
    owner = method.args.args[0].arg if method.args.args else ""
    for node in own_nodes(method):
        match node:
            case ast.Assign(targets=targets, value=value):
                parts = [part for target in targets for part in ast.walk(target)]
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                parts = [target]
            case _:
                continue
        yield from ((name, value) for part in parts if (name := _set_on(owner, part)))


def _set_on(owner: str, node: ast.AST) -> str:
    """The attribute that `owner.attribute = …` sets; empty for anything else."""
    match node:
        case ast.Attribute(value=ast.Name(id=name), attr=attribute, ctx=ast.Store()):
            return attribute if name == owner else ""
    return ""


def _is_generator(node: ast.FunctionDef) -> bool:
    return any(isinstance(part, ast.Yield | ast.YieldFrom) for part in own_nodes(node))
