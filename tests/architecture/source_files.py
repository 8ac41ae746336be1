"""The repository's own files, as the architecture tests see them."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("ledger", "chaincode", "gateway", "network")
GENERATED = "ledger/wire/"


@cache
def repository_files() -> tuple[str, ...]:
    """Paths of all files git tracks or would track, relative to the root."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = sorted(set(filter(None, listing.split("\0"))))
    return tuple(path for path in paths if (ROOT / path).is_file())


def python_files(*folders: str) -> tuple[str, ...]:
    """Hand-written Python files under these folders (all of them without arguments)."""
    return tuple(
        path
        for path in repository_files()
        if path.endswith(".py")
        and not path.startswith(GENERATED)
        and (not folders or path.startswith(tuple(f"{folder}/" for folder in folders)))
    )


@cache
def text_of(path: str) -> str:
    """The file's text; empty for binary files."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@cache
def tree_of(path: str) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(text_of(path), filename=path)


def imported_modules(path: str) -> set[str]:
    """Names of the modules a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names
