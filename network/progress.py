"""What long work says meanwhile, on standard error: a bar on a terminal, else a line now and then.

Work that is over within `QUIET_S` says nothing where there is no terminal.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

QUIET_S = 3.0
LINE_EVERY_S = 10.0

Report = Callable[[int, int | None], None]
"""Told how many are done, and of how many; None: that is not known."""


@contextmanager
def progress(what: str, out: TextIO | None = None) -> Iterator[Report]:
    """Around work of unknown length; `what` is a phrase like "checking blocks"."""
    stream = sys.stderr if out is None else out
    with _bar(what, stream) if stream.isatty() else _lines(what, stream) as report:
        yield report


def step(text: str) -> None:
    """A line on standard error: what begins now."""
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()


@contextmanager
def _bar(what: str, out: TextIO) -> Iterator[Report]:
    columns = (
        SpinnerColumn(),
        TextColumn(what, markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    shown = Progress(
        *columns,
        console=Console(file=out),
        transient=True,
        # What is printed meanwhile goes above the bar, unless it goes into a file.
        redirect_stdout=sys.stdout.isatty(),
        redirect_stderr=sys.stderr.isatty(),
    )
    with shown:
        task = shown.add_task(what, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


@contextmanager
def _lines(what: str, out: TextIO) -> Iterator[Report]:
    lines = Lines(what, out, time.monotonic)
    first = threading.Timer(QUIET_S, lines.write)
    first.daemon = True
    first.start()
    try:
        yield lines.report
    finally:
        first.cancel()


class Lines:
    """A line when the work has taken `QUIET_S`, then one every `LINE_EVERY_S`."""

    def __init__(self, what: str, out: TextIO, clock_s: Callable[[], float]) -> None:
        self._what = what
        self._out = out
        self._clock_s = clock_s
        self._due_s = clock_s() + QUIET_S
        self._told = ""
        self._writing = threading.Lock()

    def report(self, done: int, total: int | None) -> None:
        """Note how far it is; says so when a line is due."""
        self._told = f": {done:,}" + (f" of {total:,}" if total is not None else "")
        if self._clock_s() >= self._due_s:
            self.write()

    def write(self) -> None:
        """A line now, unless there was one just before."""
        with self._writing:
            if self._clock_s() < self._due_s:
                return
            self._due_s = self._clock_s() + LINE_EVERY_S
            print(f"  {self._what}{self._told}", file=self._out, flush=True)
