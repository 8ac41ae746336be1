"""Long work tells how far it is: a bar on a terminal, lines elsewhere, nothing if it is short."""

import io

from network.progress import LINE_EVERY_S, QUIET_S, Lines, progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_begin_after_a_while_and_do_not_crowd():
    now_s = 0.0
    out = io.StringIO()
    lines = Lines("checking blocks", out, lambda: now_s)
    for now_s, done in ((1.0, 10), (QUIET_S, 30), (QUIET_S + 1, 40)):  # noqa: B007
        lines.report(done, 2_000)
    assert out.getvalue() == "  checking blocks: 30 of 2,000\n"
    now_s = QUIET_S + LINE_EVERY_S
    lines.report(130, None)
    assert out.getvalue().splitlines()[1:] == ["  checking blocks: 130"]


def test_short_work_says_nothing_where_there_is_no_terminal():
    out = io.StringIO()
    with progress("checking blocks", out) as report:
        report(1, 2)
    assert out.getvalue() == ""


def test_a_terminal_gets_a_bar_that_goes_away():
    out = Terminal()
    with progress("checking [red] blocks", out) as report:
        report(1, 2)
    drawn = out.getvalue()
    assert "checking [red] blocks" in drawn
    assert "1/2" in drawn
    assert drawn.rstrip().endswith("\x1b[2K"), "the last thing is the bar's line wiped"
