"""Rules about single calls and imports that import contracts cannot express."""

import ast

from tests.architecture.source_files import (
    PACKAGES,
    imported_modules,
    python_files,
    tree_of,
)

MAY_HASH = {
    "ledger/crypto/hashing.py",
    "ledger/crypto/merkle.py",
    "network/bootstrap.py",  # runs before anything of ours can be imported
    "gateway/mqtt/embedded_broker.py",  # compares demo passwords by their digest
}
SHARES_NO_CODE = "ledger/audit/"
"""Checks what the rest wrote, so it has hashes and readers of its own."""
MAY_SEE_WIRE = (
    "ledger/model/",
    "ledger/rpc/",
    "ledger/client/",
    "ledger/endorsement/",
    "ledger/ordering/",
    "ledger/node/",
    "chaincode/shim/",
    "network/founding/genesis.py",
)
PURE = ("ledger/consensus", "ledger/validation", "ledger/receipts", "chaincode/energy")


def test_hashes_are_made_in_one_place() -> None:
    """Contracts are apart: they hash what their own rules name, through the shim or hashlib."""
    hashing = [
        path
        for path in python_files("ledger", "gateway", "network")
        if "hashlib" in imported_modules(path)
        and path not in MAY_HASH
        and not path.startswith(SHARES_NO_CODE)
    ]
    assert hashing == []


def test_generated_messages_stay_at_the_border() -> None:
    seen = [
        path
        for path in python_files(*PACKAGES)
        if any(name.startswith("ledger.wire.") for name in imported_modules(path))
        and not path.startswith(MAY_SEE_WIRE)
    ]
    assert seen == []


def test_pure_packages_hold_no_floating_point_numbers() -> None:
    floats = [
        f"{path}:{node.lineno}"
        for path in python_files(*PURE)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, float)
    ]
    assert floats == []


def _calls(path: str) -> list[tuple[str, ast.Call]]:
    return [
        (ast.unparse(node.func), node)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
    ]


def test_no_test_sleeps_in_place_of_a_condition() -> None:
    sleeping = [
        f"{path}:{call.lineno}"
        for path in python_files("tests/unit", "tests/simulation", "tests/scenarios")
        for name, call in _calls(path)
        if name.endswith("sleep") and not (call.args and ast.unparse(call.args[0]) == "0")
    ]
    assert sleeping == []


def test_no_test_is_skipped_by_decree() -> None:
    """A missing system part may skip a test (`skipif`); a failing one is mended, not skipped."""
    skipped = [
        f"{path}:{node.lineno}"
        for path in python_files("tests")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node) in {"pytest.mark.skip", "pytest.mark.xfail"}
    ]
    assert skipped == []


def test_only_commands_end_the_process() -> None:
    ending = [
        f"{path}:{call.lineno}"
        for path in python_files(*PACKAGES)
        for name, call in _calls(path)
        if name in {"sys.exit", "exit", "quit", "os._exit"} and "__main__" not in _main_part(path)
    ]
    assert ending == []


def _main_part(path: str) -> str:
    return "".join(ast.unparse(node) for node in tree_of(path).body if isinstance(node, ast.If))


def test_no_mutable_module_globals() -> None:
    """Lists, dicts and sets at module level are constants: upper case, never rebound."""
    mutable = [
        f"{path}:{node.lineno} {target.id}"
        for path in python_files(*PACKAGES)
        for node in tree_of(path).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List | ast.Dict | ast.Set)
        for target in node.targets
        if isinstance(target, ast.Name)
        and not target.id.lstrip("_").isupper()
        and not target.id.startswith("__")
    ]
    assert mutable == []
