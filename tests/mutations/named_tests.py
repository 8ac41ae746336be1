"""Running the named tests: each on the shipped code, and again with each mistake it must catch."""

import signal
import traceback
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

from tests.mutations.mutation import Mutation
from tests.mutations.planting import StaleEdit, planted

TESTS = Path(__file__).parents[1]
SECONDS_MAX = 20
"""A test that takes longer with a mistake planted has not failed: it says nothing."""


class TookTooLong(BaseException):
    """The mistake made the test run for ever."""


@contextmanager
def _limited() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TookTooLong(f"after {SECONDS_MAX} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS_MAX)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@dataclass(slots=True)
class Verdict:
    """What a mutation's named test said, over all its parameters."""

    passes_shipped: bool = True
    failure: str = ""
    """How it failed with the mistake planted; empty: the mistake survived."""
    surprise: str = ""
    """Something else than a failed check, which proves nothing: a broken edit, a missing test."""

    @property
    def is_killed(self) -> bool:
        return self.passes_shipped and bool(self.failure) and not self.surprise


@dataclass(slots=True, eq=False)
class NamedTests:
    """A pytest plugin; `verdicts` are by the mutation's number."""

    mutations: Sequence[Mutation]
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    _raised: BaseException | None = None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            raise pytest.UsageError(report.longreprtext)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        tests = {f"tests/{mutation.test}" for mutation in self.mutations}
        items[:] = [item for item in items if _name(item) in tests]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        if call.excinfo is not None:
            self._raised = call.excinfo.value
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool:
        named = [m for m in self.mutations if f"tests/{m.test}" == _name(item)]
        passes_shipped = self._run(item) is None
        for mutation in named:
            verdict = self.verdicts.setdefault(mutation.number, Verdict())
            verdict.passes_shipped &= passes_shipped
            try:
                with planted(mutation.edits):
                    raised = self._run(item)
            except StaleEdit as error:
                raised = error
            _judge(verdict, mutation, raised)
        return True

    def _run(self, item: pytest.Item) -> BaseException | None:
        """What the test raised, if anything; every fixture is made anew."""
        assert isinstance(item, pytest.Function), "named tests are functions"
        self._raised = None
        item._initrequest()
        with _limited():
            runtestprotocol(item, log=False, nextitem=None)
        return self._raised


def _name(item: pytest.Item) -> str:
    """Node id without the parameters."""
    return item.nodeid.split("[")[0]


def _judge(verdict: Verdict, mutation: Mutation, raised: BaseException | None) -> None:
    if raised is None:
        return
    text = f"{type(raised).__name__}: {raised}".split("\n")[0][:160]
    if not (mutation.says or _is_from_a_test(raised)):
        verdict.surprise = text
    elif mutation.says in text:
        verdict.failure = verdict.failure or text


def _is_from_a_test(raised: BaseException) -> bool:
    """Whether a test missed what it asked for; an error in the shipped code proves nothing."""
    if isinstance(raised, AssertionError | pytest.fail.Exception):
        return True
    innermost = traceback.extract_tb(raised.__traceback__)[-1]
    return isinstance(raised, Exception) and Path(innermost.filename).is_relative_to(TESTS)


def run_named_tests(mutations: Sequence[Mutation]) -> dict[str, Verdict]:
    """Verdicts by number; a test that does not exist is a surprise, not a survivor."""
    plugin = NamedTests(mutations)
    files = sorted({TESTS / mutation.test.split("::")[0] for mutation in mutations})
    options = ["--rootdir", str(TESTS.parent), "-o", "addopts=", "-p", "no:terminal"]
    there = [str(file) for file in files if file.exists()]
    pytest.main([*options, "-p", "no:cacheprovider", *there], plugins=[plugin])
    for mutation in mutations:
        missing = Verdict(surprise=f"there is no test tests/{mutation.test}")
        plugin.verdicts.setdefault(mutation.number, missing)
    return plugin.verdicts
