"""The one table of all official suites: what is counted, and what is named as not run."""

from pathlib import Path

import pytest

from tests.interop import __main__ as command
from tests.interop.registry_suites import REGISTRY_SUITES, count
from tests.interop.workshop import ROOT, Counted, SuiteError

SHIMS = "tests.integration.test_fabric_shims"
CALIPER = """<testcase classname="tests.interop.test_caliper" name="test_a_write"><properties>
<property name="Caliper writes" value="200 of 200" />
<property name="Caliper reads" value="{reads} of 400" /></properties>{end}</testcase>"""


def case(module: str, name: str, end: str = "") -> str:
    return f'<testcase classname="{module}" name="{name}">{end}</testcase>'


def report(*cases: str) -> dict[str, Counted]:
    text = f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"
    return {one.suite: one for one in count(text)}


def test_tests_count_for_the_suite_of_their_module_and_parameter() -> None:
    counted = report(
        case(SHIMS, "test_state[node service]"),
        case(SHIMS, "test_state[node dials in]", "<failure/>"),
        case(SHIMS, "test_state[python service]"),
        case(SHIMS, "test_a_node_contract_calls_a_python_contract"),
        case("tests.integration.test_fabric_gateway_sdk", "test_the_sdk"),
        case("tests.integration.test_fabric_peer_follows", "test_one", "<error/>"),
        case("tests.integration.test_fabric_peer_follows", "test_two", "<skipped/>"),
    )
    failures = ("test_state[node dials in]",)
    assert counted["npm fabric-shim"] == Counted("npm fabric-shim", 1, 2, failures)
    counts = {name: (one.passed, one.total) for name, one in counted.items()}
    assert counts["PyPI fabric-chaincode-python"] == (1, 1)
    assert counts["npm fabric-shim calls fabric-chaincode-python"] == (1, 1)
    assert counts["Gateway SDK for Node, energy contracts"] == (1, 1)
    assert counts["follower by Fabric's rules"] == (0, 2)
    assert counted["fabric-chaincode-go"].needs == "GRIDLEDGER_GO_CONTRACT"


def test_a_test_that_counts_for_itself_gives_its_own_lines() -> None:
    counted = report(CALIPER.format(reads=400, end=""))
    assert counted["Caliper writes"] == Counted("Caliper writes", 200, 200)
    assert counted["Caliper reads"] == Counted("Caliper reads", 400, 400)
    assert "Caliper" not in counted
    counted = report(CALIPER.format(reads=399, end="<failure/>"))
    assert counted["Caliper reads"] == Counted("Caliper reads", 399, 400)
    assert counted["Caliper"] == Counted("Caliper", 0, 1, ("test_a_write",))


def test_a_suite_without_a_test_has_not_passed() -> None:
    assert {(one.passed, one.total) for one in report().values() if not one.needs} == {(0, 1)}


@pytest.mark.parametrize("suite", REGISTRY_SUITES, ids=lambda suite: suite.name)
def test_the_module_of_each_suite_is_there(suite) -> None:  # type: ignore[no-untyped-def]
    assert (ROOT / f"{suite.module.replace('.', '/')}.py").is_file()


GIVEN = {
    "run_registry_suites": [Counted("Caliper writes", 199, 200, ("one",))],
    "run_scenarios": [Counted("client scenarios", 60, 60), Counted("client scenarios, HSM", 6, 6)],
}


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, list[str]]:
    monkeypatch.setattr(command, "Workshop", lambda folder: folder)  # which would fetch Node
    for name, counted in GIVEN.items():
        monkeypatch.setattr(command, name, lambda *_, counted=counted, **__: counted)
    status = command.main(arguments)
    return status, capsys.readouterr().out.splitlines()


def test_without_arguments_what_needs_a_path_is_named_as_not_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, capsys) == (
        1,
        [
            "suite                  passed  total",
            "Caliper writes            199    200",
            "    failed: one",
            "client scenarios      not run: needs --scenario CHECKOUT",
            "client scenarios, HSM not run: needs --scenario CHECKOUT",
            "Node chaincode tests  not run: needs --fv CHECKOUT",
            "Fabric's peer command not run: needs --peer RELEASE",
        ],
    )


def test_a_path_adds_its_suite_to_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(GIVEN, "run_registry_suites", [Counted("Caliper writes", 200, 200)])
    status, lines = run(monkeypatch, capsys, "--scenario", str(tmp_path))
    assert status == 0
    assert lines[1:4] == [
        "Caliper writes            200    200",
        "client scenarios           60     60",
        "client scenarios, HSM       6      6",
    ]
    assert [line.split(" not run")[0].strip() for line in lines[4:]] == [
        "Node chaincode tests",
        "Fabric's peer command",
    ]


def test_a_suite_that_cannot_run_is_a_line_that_has_not_passed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_shop: object) -> list[Counted]:
        raise SuiteError("no report")

    monkeypatch.setattr(command, "Workshop", lambda folder: folder)
    monkeypatch.setattr(command, "run_registry_suites", broken)
    assert command.main([]) == 1
    assert "    failed: it did not run" in capsys.readouterr().out.splitlines()
