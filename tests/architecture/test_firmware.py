"""The firmware's own rules: one importer of the hardware, nothing of ours, small files."""

import ast

from tests.architecture.source_files import imported_modules, python_files, text_of, tree_of

HARDWARE = {"machine", "network", "esp32", "rp2"}
OURS = {"ledger", "chaincode", "gateway", "tests"}
NODE = "firmware/src/"
FILE_LINES_MAX = 300
"""A board compiles a file in its own memory."""
FUNCTION_LINES_MAX = 50
METHODS_MAX = 15


def test_only_board_imports_machine_and_network() -> None:
    others = [path for path in python_files("firmware") if not path.startswith(f"{NODE}board/")]
    assert others
    assert [path for path in others if imported_modules(path) & HARDWARE] == []


def test_a_board_needs_nothing_of_the_other_packages() -> None:
    importing = [
        path
        for path in python_files("firmware/src")
        if {name.split(".")[0] for name in imported_modules(path)} & OURS
    ]
    assert importing == []


def test_meternode_leans_on_nothing_above_it() -> None:
    pure = python_files(f"{NODE}meternode")
    assert [path for path in pure if imported_modules(path) & {"board", "drivers"}] == []


def test_files_and_functions_of_a_board_are_small() -> None:
    grown = []
    for path in python_files("firmware"):
        if text_of(path).count("\n") > FILE_LINES_MAX:
            grown.append(path)
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                grown += [f"{path} {node.name}"] if length > FUNCTION_LINES_MAX else []
            if isinstance(node, ast.ClassDef):
                methods = sum(isinstance(part, ast.FunctionDef) for part in node.body)
                grown += [f"{path} {node.name}"] if methods > METHODS_MAX else []
    assert grown == []
