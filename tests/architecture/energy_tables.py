"""The tables of the documents that follow from the code: refusals, and rows with their tests.

    .venv/bin/python -m tests.architecture.energy_tables

writes both anew; a test compares them.
"""

import ast
import re
from collections.abc import Iterator

from chaincode.energy.errors import Refusal
from tests.architecture.source_files import ROOT, python_files, text_of, tree_of
from tests.runner import ROW_LINE

MARKET_ROWS = (
    *(f"E{number:03}" for number in range(1, 68)),
    *("E112", "E113", "E114", "E115", "E116", "E135", "E136", "E137", "E138", "E139"),
)
ROW_MARK = "pytest.mark.row"
REFUSALS_PAGE, REFUSALS = "docs/errors.md", "Refusals of the energy contracts"
ROWS_PAGE, ROWS = "docs/market.md", "Rows and the tests that show them"

REFUSALS_INTRO = """\
A refused transaction changes nothing. The message is `CODE: text (detail)`; the detail names the
identifier or the numbers concerned, the status is the one HTTP gets. Where the source documents
word a refusal, the text is theirs. Generated from `chaincode/energy/errors.py`, see
`tests/architecture/energy_tables.py`."""
ROWS_INTRO = """\
Rows of [requirements.md](requirements.md) that the market answers for, each with the tests that
carry its mark. `open` means that no test shows the whole row yet. Generated, see
`tests/architecture/energy_tables.py`."""


def refusal_table() -> str:
    """One line for each code, in the order of the code."""
    lines = [
        f"| `{refusal.name}` | {refusal.status} | {refusal.text.replace('|', '/')} |"
        for refusal in Refusal
    ]
    return "\n".join(["| code | status | text |", "|---|---|---|", *lines])


def row_table() -> str:
    """One line for each row: what it asks for, and the tests that show it."""
    titles = {row: title for row, title, _ in ROW_LINE.findall(text_of("docs/requirements.md"))}
    shown_by: dict[str, list[str]] = {}
    for path in python_files("tests"):
        for row, test in _marked(path):
            name = f"`{path.removeprefix('tests/')}` {test}"
            if name not in shown_by.setdefault(row, []):
                shown_by[row].append(name)
    lines = [
        f"| {row} | {titles[row]} | {'<br>'.join(shown_by.get(row, ['open']))} |"
        for row in MARKET_ROWS
    ]
    return "\n".join(["| row | what | tests |", "|---|---|---|", *lines])


def _marked(path: str) -> Iterator[tuple[str, str]]:
    """(row, test) for every mark in a file; a mark on all tests of a file names no test."""
    text = text_of(path)
    if ROW_MARK not in text:
        return
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                yield from ((row, node.name) for row in _rows_in(decorator))
        elif isinstance(node, ast.Assign):
            yield from ((row, "all") for row in _rows_in(node.value))


def _rows_in(expression: ast.expr) -> Iterator[str]:
    for node in ast.walk(expression):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == ROW_MARK:
            yield from (str(arg.value) for arg in node.args if isinstance(arg, ast.Constant))


def section(page: str, heading: str) -> str | None:
    """The text of a page under a heading of the second level; None if it is not there."""
    found = _pattern(heading).search(text_of(page))
    return found[0] if found else None


def written(heading: str, intro: str, table: str) -> str:
    """The section as it must be."""
    return f"## {heading}\n\n{intro}\n\n{table}\n"


def main() -> None:
    """Write both sections, each where it is already, else at the end of its page."""
    for page, heading, text in (
        (REFUSALS_PAGE, REFUSALS, written(REFUSALS, REFUSALS_INTRO, refusal_table())),
        (ROWS_PAGE, ROWS, written(ROWS, ROWS_INTRO, row_table())),
    ):
        before = text_of(page)
        if _pattern(heading).search(before):
            after = _pattern(heading).sub(lambda _, text=text: text, before)
        else:
            after = before.rstrip("\n") + "\n\n" + text
        (ROOT / page).write_text(after, encoding="utf-8")


def _pattern(heading: str) -> re.Pattern[str]:
    return re.compile(rf"^## {re.escape(heading)}\n(?:(?!## ).*\n)*(?=\n## |\Z)", re.MULTILINE)


if __name__ == "__main__":
    main()
