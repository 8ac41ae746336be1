"""The documents' tables of refusals and rows say what the code and the tests say."""

import re

from chaincode.energy.errors import Refusal
from tests.architecture.energy_tables import (
    MARKET_ROWS,
    REFUSALS,
    REFUSALS_INTRO,
    REFUSALS_PAGE,
    ROWS,
    ROWS_INTRO,
    ROWS_PAGE,
    refusal_table,
    row_table,
    section,
    written,
)
from tests.architecture.source_files import python_files, text_of

WRITE_ANEW = "write it anew: .venv/bin/python -m tests.architecture.energy_tables"


def test_every_refusal_stands_in_the_document_with_its_text() -> None:
    expected = written(REFUSALS, REFUSALS_INTRO, refusal_table())
    assert section(REFUSALS_PAGE, REFUSALS) == expected, WRITE_ANEW


def test_every_row_stands_in_the_document_with_the_tests_that_show_it() -> None:
    expected = written(ROWS, ROWS_INTRO, row_table())
    assert section(ROWS_PAGE, ROWS) == expected, WRITE_ANEW


def test_a_test_shows_every_row() -> None:
    shown = {row: f"| {row} |" for row in MARKET_ROWS}
    still_open = {
        row
        for row, begin in shown.items()
        for line in row_table().splitlines()
        if line.startswith(begin) and line.endswith("| open |")
    }
    assert not still_open


def test_a_test_reaches_every_refusal() -> None:
    tests = [path for path in python_files("tests") if not path.startswith("tests/architecture/")]
    named = {word for path in tests for word in re.findall(r"\b[A-Z_]{4,}\b", text_of(path))}
    assert [refusal.name for refusal in Refusal if refusal.name not in named] == []


def test_texts_of_refusals_are_one_line_each_and_name_no_code() -> None:
    for refusal in Refusal:
        assert 400 <= refusal.status < 500, refusal
        assert refusal.text.isprintable(), refusal
        assert refusal.name not in refusal.text
