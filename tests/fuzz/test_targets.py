"""Every fuzz target for a short while, and every input that ever was a finding."""

import pytest

from tests.fuzz.engine import Finding, FuzzTarget, Report, judge, regression_inputs, run
from tests.fuzz.registry import TARGETS

FAST_SECONDS = 0.5
FULL_SECONDS = 5.0
BUDGET_MS = 250
"""The command asks for 50; a test must not fail because a machine is slow or busy."""

each_target = pytest.mark.parametrize("target", TARGETS, ids=[target.name for target in TARGETS])


@pytest.mark.slow
@each_target
def test_nothing_is_found(target: FuzzTarget, pytestconfig: pytest.Config) -> None:
    seconds = FULL_SECONDS if pytestconfig.getoption("--full") else FAST_SECONDS
    report = run(target, seconds=seconds, budget_ms=BUDGET_MS)
    assert report.inputs > 0
    assert report.findings == [], [
        f"{finding.problem}; keep it as regressions/{finding.target}/{finding.file_name}: "
        f"{finding.data[:400].hex()}"
        for finding in report.findings
    ]


@each_target
def test_what_was_found_once_stays_mended(target: FuzzTarget) -> None:
    attempt, report = target.prepare(), Report(target.name)
    for data in regression_inputs(target):
        assert not isinstance(judge(target, attempt, data, report, budget_ms=BUDGET_MS), Finding)


def test_names_are_different() -> None:
    assert len({target.name for target in TARGETS}) == len(TARGETS)
