"""What every test may use; the row report that `./test --rows` prints."""

import json
import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# A slow example on a busy machine says nothing about the code under test.
hypothesis.settings.register_profile("no-deadline", deadline=None)
hypothesis.settings.load_profile("no-deadline")

ROW_REPORT_OPTION = "--row-report"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        ROW_REPORT_OPTION,
        default=None,
        metavar="FILE",
        help="write {row id: {test id: outcome}} as JSON to FILE",
    )
    parser.addoption("--strict-skips", action="store_true", help="a skipped test is a failure")
    parser.addoption("--full", action="store_true", help="also run tests marked full")
    parser.addoption("--fast", action="store_true", help="leave out tests marked slow")


def pytest_configure(config: pytest.Config) -> None:
    # SIGTERM unwinds as Ctrl-C does, so that the networks of running tests are stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report_path = config.getoption(ROW_REPORT_OPTION)
    if report_path is not None:
        config.pluginmanager.register(RowReport(Path(report_path)), "row-report")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect (never skip) what this run does not ask for: a skip always means a missing part."""
    unwanted = set()
    if not config.getoption("--full"):
        unwanted.add("full")
    if config.getoption("--fast"):
        unwanted.add("slow")
    kept = [item for item in items if not unwanted & {mark.name for mark in item.iter_markers()}]
    dropped = [item for item in items if item not in set(kept)]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """`./test --strict`: what could not run has not been shown."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter is not None and reporter.stats.get("skipped")
    if skipped and session.config.getoption("--strict-skips") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def logging_stays_on() -> Iterator[None]:
    """Commands that silence logging do it for a process of their own, not for the next test."""
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def anyio_backend() -> str:
    """`@pytest.mark.anyio` tests run on asyncio, the loop the product uses."""
    return "asyncio"


class RowReport:
    """Collects the outcome of every test that claims a row of docs/requirements.md."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows_of: dict[str, list[str]] = {}
        self._outcomes: dict[str, dict[str, str]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            rows = [str(mark.args[0]) for mark in item.iter_markers("row")]
            if rows:
                self._rows_of[item.nodeid] = rows

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        worth_noting = report.when == "call" or report.outcome != "passed"
        for row in self._rows_of.get(report.nodeid, []) if worth_noting else []:
            self._outcomes.setdefault(row, {})[report.nodeid] = report.outcome

    def pytest_sessionfinish(self) -> None:
        self._path.write_text(json.dumps(self._outcomes, indent=1, sort_keys=True))
