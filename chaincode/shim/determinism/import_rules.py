"""Modules whose answers differ between machines, or that reach out of the transaction."""

import ast
from collections.abc import Iterator

from chaincode.shim.determinism.scopes import Note, is_type_checking

_REASONS = {
    "clock": "the machine's clock and time zone rules differ between peers;"
    " use ctx.stub.get_tx_timestamp()",
    "randomness": "every peer would draw another number; derive it from ctx.stub.get_tx_id()",
    "io": "files, networks and logs are a single machine's;"
    " keep data in state or take it as an argument",
    "threads": "the order of threads, tasks and processes differs between peers;"
    " only the stub's methods are awaited",
    "environment": "the interpreter and the machine differ between peers; keep settings in state",
    "floats": "floating-point results depend on machine and library; use integers with a unit",
}

_MODULES = {
    "clock": "time sched timeit zoneinfo locale calendar pytz dateutil tzdata tzlocal",
    "randomness": "random secrets faker",
    "io": "os io pathlib socket socketserver ssl select selectors subprocess tempfile shutil glob"
    " fileinput sqlite3 dbm shelve http ftplib smtplib poplib imaplib telnetlib xmlrpc mmap fcntl"
    " logging pickle marshal requests httpx aiohttp urllib3 grpc boto3 psycopg psycopg2 pymongo"
    " redis plyvel paho websockets webbrowser pty tty zipfile tarfile",
    "threads": "threading _thread multiprocessing concurrent asyncio queue signal trio anyio"
    " gevent greenlet curio uvloop",
    "environment": "sys platform getpass sysconfig site ctypes gc weakref resource atexit"
    " tracemalloc importlib runpy code pdb inspect pwd grp cffi psutil",
    "floats": "cmath statistics colorsys numpy pandas scipy torch tensorflow sklearn",
}

RULE_OF_MODULE = {name: rule for rule, names in _MODULES.items() for name in names.split()}
ALLOWED_BELOW = frozenset({"urllib.parse"})
FORBIDDEN_BELOW = {"urllib": "io"}
"""Packages of which only some modules are harmless."""


def forbidden_imports(tree: ast.Module) -> Iterator[Note]:
    """Imports that a contract must do without."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if is_type_checking(node):
            continue
        waiting.extend(ast.iter_child_nodes(node))
        for module in _modules(node):
            rule = _rule(module)
            if rule and isinstance(node, ast.stmt):
                yield node, rule, f"`{module}`: {_REASONS[rule]}"


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level and node.module:
        if node.module in FORBIDDEN_BELOW:
            return [f"{node.module}.{alias.name}" for alias in node.names]
        return [node.module]
    return []


def _rule(module: str) -> str | None:
    if module in ALLOWED_BELOW:
        return None
    top = module.partition(".")[0]
    return RULE_OF_MODULE.get(top) or FORBIDDEN_BELOW.get(top)
