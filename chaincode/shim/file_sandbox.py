"""Which files a chaincode process may open: those of its libraries, to read, and no others.

Landlock (Linux 5.13 and newer, no privileges needed) refuses everything else with EACCES from
then on, before any contract code runs: the peer's keys and ledger belong to the same user. Files
that are open already stay usable. Where the kernel has no Landlock, `restrict_files` says so.
"""

import ctypes
import importlib.util
import os
import struct
import sysconfig
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION = 1
RULE_PATH_BENEATH = 1
PR_SET_NO_NEW_PRIVS = 38

EXECUTE, READ_FILE, READ_DIR = 1 << 0, 1 << 2, 1 << 3
ALL_RIGHTS = (0, (1 << 13) - 1, (1 << 14) - 1, (1 << 15) - 1, (1 << 15) - 1, (1 << 16) - 1)
"""Every right that a version of Landlock knows, by version; newer ones know these too."""

SYSTEM_LIBRARIES = ("/usr/lib", "/usr/local/lib", "/lib", "/lib64", "/usr/share/zoneinfo")
DEVICES = ("/dev/null", "/dev/urandom")


def libraries(module: str) -> tuple[Path, ...]:
    """Where Python, its packages, the shim and the contract's own package lie."""
    paths = sysconfig.get_paths()
    found = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    for package in (module, "chaincode", "ledger"):
        spec = importlib.util.find_spec(package.partition(".")[0])
        if spec is None:
            continue
        found += spec.submodule_search_locations or [str(spec.origin)]
    return tuple(Path(path) for path in (*found, *SYSTEM_LIBRARIES, *DEVICES))


def restrict_files(readable: Iterable[Path]) -> bool:
    """Refuse to open any file but these and what lies below; False where that is not possible."""
    library = ctypes.CDLL(None, use_errno=True)
    version = library.syscall(CREATE_RULESET, None, 0, ASK_VERSION)
    if version < 1:
        return False
    handled = ALL_RIGHTS[min(version, len(ALL_RIGHTS) - 1)]
    attributes = struct.pack("=Q", handled)
    ruleset = library.syscall(CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    try:
        for path in readable:
            _allow(library, ruleset, path)
        library.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(library.syscall(RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(library: ctypes.CDLL, ruleset: int, path: Path) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no right
    try:
        rights = READ_FILE | EXECUTE | (READ_DIR if path.is_dir() else 0)
        rule = struct.pack("=Qi", rights, handle)
        if library.syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, rule, 0) != 0:
            raise OSError(ctypes.get_errno(), f"{path} cannot be made readable")
    finally:
        os.close(handle)
