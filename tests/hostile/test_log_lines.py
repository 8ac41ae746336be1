"""Row 28: what strangers write stays on the log line it is reported on."""

import io
import logging
import subprocess
import sys

import pytest

from ledger.errors import InvalidMessage, Reason
from ledger.log_lines import FIELD_CHARACTERS_MAX, LINE_CHARACTERS_MAX, LineFormatter

FORGED = "Coop\r\n2026-01-01 00:00:00 ERROR ledger: all is lost"


@pytest.fixture
def written():
    """What a logger with the product's form writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter("%(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("tests.hostile.log")
    logger.addHandler(handler)
    logger.propagate = False
    yield logger, stream
    logger.removeHandler(handler)
    logger.propagate = True


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        (FORGED, r"Coop\r\n2026"),
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("a\x00b\x7f\x85", r"a\x00b\x7f\x85"),
        ("line\u2028break", r"line\u2028break"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\ud800", r"\ud800"),
        ("Genossenschaft für Bürgerstrom €", "Genossenschaft für Bürgerstrom €"),
    ],
)
def test_every_event_is_one_line(written, hostile, shown):
    logger, stream = written
    logger.warning("refused %s (%d)", InvalidMessage(Reason.MALFORMED, hostile), 3)
    logger.warning(hostile.replace("%", "%%"))
    lines = stream.getvalue().split("\n")
    assert len(lines) == 3
    assert shown in lines[0]
    assert lines[0].endswith("(3)")
    assert shown in lines[1]


def test_long_values_are_cut_and_the_others_stay(written):
    logger, stream = written
    logger.warning("%s said %s", "a" * 1_000_000, "b")
    line = stream.getvalue()
    assert "… (1000000 characters) said b" in line
    assert len(line) < FIELD_CHARACTERS_MAX + 200


def test_a_long_text_of_its_own_is_cut_too(written):
    logger, stream = written
    logger.warning("x" * 1_000_000)
    assert len(stream.getvalue()) < LINE_CHARACTERS_MAX + 200


def test_our_own_tracebacks_keep_their_lines(written):
    logger, stream = written
    try:
        {}["planted"]
    except KeyError:
        logger.exception("a fault")
    assert "Traceback" in stream.getvalue()
    assert stream.getvalue().count("\n") > 3


def test_a_node_logs_in_this_form():
    script = (
        "import logging; from ledger.node.telemetry import configure_logging; "
        "configure_logging(); logging.getLogger('x').info('a\\nb')"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stderr.endswith("x: a\\nb\n")
