"""The sources a contract module brings along: itself and what it imports of its own package."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from chaincode.shim.determinism.finding import Finding
from chaincode.shim.determinism.scopes import is_type_checking
from chaincode.shim.determinism.source_check import findings
from chaincode.shim.errors import DefinitionError

MODULES_MAX = 1_000
PACKAGE_FILE = "__init__.py"


def module_findings(module: str) -> tuple[Finding, ...]:
    """Findings in the module and in all it reaches inside its top-level package, by file.

    DefinitionError if there is no source for the module.
    """
    found: list[Finding] = []
    for _, path in sorted(reached_sources(module).items()):
        found += findings(path.read_bytes(), _shown(path))
    return tuple(found)


def reached_sources(module: str) -> dict[str, Path]:
    """Module name → source file, for the module and what it imports of its own package."""
    top = module.partition(".")[0]
    sources: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in sources or name.startswith("chaincode.shim"):
            continue
        path = source_of(name)
        if path is None:
            if name == module:
                raise DefinitionError(f"there is no source of a module {module}")
            continue
        sources[name] = path
        if len(sources) > MODULES_MAX:
            raise DefinitionError(f"{module} reaches more than {MODULES_MAX} modules")
        package = name if path.name == PACKAGE_FILE else name.rpartition(".")[0]
        waiting += [other for other in _imports(sources[name], package) if _is_below(other, top)]
    return sources


def source_of(name: str) -> Path | None:
    """The file of a module, found without importing the packages it lies in."""
    top, *rest = name.split(".")
    spec = importlib.util.find_spec(top) if top.isidentifier() else None
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin)
    for part in rest:
        if path.name != PACKAGE_FILE:
            return None
        below = path.parent / part
        path = below / PACKAGE_FILE if below.is_dir() else below.with_suffix(".py")
    return path if path.suffix == ".py" and path.is_file() else None


def _imports(path: Path, package: str) -> Iterator[str]:
    """Names of modules a source may import; some are names inside a module."""
    try:
        waiting: list[ast.AST] = [ast.parse(path.read_bytes())]
    except (SyntaxError, ValueError):
        return  # the check of this source says it
    while waiting:
        node = waiting.pop()
        if is_type_checking(node):
            continue
        waiting.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                relative = "." * node.level + base
                base = importlib.util.resolve_name(relative, package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _is_below(module: str, top: str) -> bool:
    return module == top or module.startswith(f"{top}.")


def _shown(path: Path) -> str:
    """Relative to the working folder where that is shorter to read."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
