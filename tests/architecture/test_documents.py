"""Nothing written goes stale unnoticed."""

import ast
import re
from pathlib import PurePosixPath

from ledger.errors import Reason
from ledger.model.codes import ValidationCode
from network.cli import COMMANDS, usage
from tests.architecture.source_files import ROOT, python_files, repository_files, text_of, tree_of
from tests.runner import ROW_LINE, row_lines

ROW_COUNT = 140


def rows_claimed() -> dict[str, list[str]]:
    """Row id → where tests claim it."""
    claims: dict[str, list[str]] = {}
    for path in python_files("tests"):
        for node in ast.walk(tree_of(path)):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == "pytest.mark.row"
                and isinstance(node.args[0], ast.Constant)
            ):
                claims.setdefault(str(node.args[0].value), []).append(f"{path}:{node.lineno}")
    return claims


def test_the_requirements_are_complete() -> None:
    ids = [row for row, _, _ in ROW_LINE.findall(text_of("docs/requirements.md"))]
    assert ids == [f"E{number:03}" for number in range(1, ROW_COUNT + 1)]


def test_every_claimed_row_exists() -> None:
    ids = {row for row, _, _ in ROW_LINE.findall(text_of("docs/requirements.md"))}
    assert {row: where for row, where in rows_claimed().items() if row not in ids} == {}


def test_a_row_counts_only_when_all_its_tests_pass() -> None:
    lines = row_lines({"E001": {"a": "passed"}, "E002": {"a": "passed", "b": "skipped"}})
    assert lines[0].startswith("E001  passed")
    assert lines[-1] == "1 of 140 rows are shown by passing tests"


def documented(heading: str) -> set[str]:
    """Names in the first column of the table under a heading of docs/errors.md."""
    section = text_of("docs/errors.md").split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return set(re.findall(r"^\| `([A-Z_0-9]+)` \|", section, re.MULTILINE))


def test_every_reason_is_explained() -> None:
    assert documented("Reasons") == {reason.value for reason in Reason}


def test_every_validation_code_is_explained() -> None:
    assert documented("Validation codes") == {code.name for code in ValidationCode}


def test_links_between_documents_lead_somewhere() -> None:
    links = [
        (path, target)
        for path in repository_files()
        if path.endswith(".md")
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text_of(path))
        if "://" not in target
    ]
    assert links
    folder_of = {path: ROOT / PurePosixPath(path).parent for path, _ in links}
    assert [link for link in links if not (folder_of[link[0]] / link[1]).exists()] == []


def test_commands_named_in_documents_exist() -> None:
    documents = "".join(text_of(path) for path in repository_files() if path.endswith(".md"))
    named = set(re.findall(r"\bgridledger ([a-z-]+)\b", documents))
    assert named & set(COMMANDS), "the documents name no command at all"
    in_code = set(re.findall(r"(?:`|bin/)gridledger ([a-z-]+)\b", documents))
    assert in_code - set(COMMANDS) == set()


def test_usage_lists_every_command() -> None:
    assert all(f"  {name} " in usage() for name in COMMANDS)


def test_every_decision_is_in_the_index() -> None:
    pages = {path for path in repository_files() if re.match(r"docs/adr/\d{4}-", path)}
    index = text_of("docs/adr/README.md")
    assert pages
    assert [page for page in pages if PurePosixPath(page).name not in index] == []
