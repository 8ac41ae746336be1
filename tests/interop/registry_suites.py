"""Suites whose packages a registry gives: they are tests of ours, counted by pytest's report.

A test that counts for itself (transactions, messages) records a property: the suite's name and
`<passed> of <total>`. Any other test counts as one.
"""

import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.interop.workshop import ROOT, Counted, SuiteError, Workshop

SUITE_TIMEOUT_S = 1_800
SHIMS = "tests.integration.test_fabric_shims"

_COUNT = re.compile(r"(\d+) of (\d+)")


@dataclass(frozen=True, slots=True)
class RegistrySuite:
    """Tests of one module; with `way` those whose parameter begins with it."""

    name: str
    module: str
    way: str = ""
    needs: str = ""
    """What has to be given for it to run, if not only a registry."""

    def has(self, module: str, test: str) -> bool:
        """Whether a test of the report is one of this suite."""
        _, _, parameter = test.partition("[")
        return module == self.module and parameter.startswith(self.way)


REGISTRY_SUITES = (
    RegistrySuite("Caliper", "tests.interop.test_caliper"),
    RegistrySuite("npm fabric-shim", SHIMS, "node"),
    RegistrySuite("PyPI fabric-chaincode-python", SHIMS, "python"),
    RegistrySuite("fabric-chaincode-go", SHIMS, "go", "GRIDLEDGER_GO_CONTRACT"),
    RegistrySuite("npm fabric-shim calls fabric-chaincode-python", SHIMS),
    RegistrySuite(
        "Gateway SDK for Node, energy contracts", "tests.integration.test_fabric_gateway_sdk"
    ),
    RegistrySuite("follower by Fabric's rules", "tests.integration.test_fabric_peer_follows"),
    RegistrySuite(
        "follower on Fabric 3.1.5's blocks", "tests.unit.model.test_follower_on_fabric_blocks"
    ),
    RegistrySuite("fabric-protos", "tests.unit.model.test_official_messages"),
)
"""A test belongs to the first that has it."""


def run_registry_suites(shop: Workshop) -> list[Counted]:
    """What the registries give; raises SuiteError if pytest gave no report."""
    shop.begin({})
    report = shop.folder / "report.xml"
    modules = dict.fromkeys(suite.module for suite in REGISTRY_SUITES)
    files = [f"{module.replace('.', '/')}.py" for module in modules]
    command: list[str | Path] = [sys.executable, "-m", "pytest", "-q", "--full", "-m", "full"]
    command += [f"--junitxml={report}", "-o", "junit_family=xunit1", *files]  # has properties
    done = shop.run(command, folder=ROOT, timeout_s=SUITE_TIMEOUT_S)
    if not report.exists():
        raise SuiteError(f"the tests did not run:\n{done.stdout}\n{done.stderr}")
    return count(report.read_text(encoding="utf-8"))


def count(report: str) -> list[Counted]:
    """Of pytest's JUnit report, in the suites' order."""
    cases: dict[RegistrySuite, list[ET.Element]] = {suite: [] for suite in REGISTRY_SUITES}
    for case in ET.fromstring(report).iter("testcase"):
        module, test = case.get("classname", ""), case.get("name", "")
        if suite := next((one for one in REGISTRY_SUITES if one.has(module, test)), None):
            cases[suite].append(case)
    return [one for suite, found in cases.items() for one in _counted(suite, found)]


def _counted(suite: RegistrySuite, cases: Sequence[ET.Element]) -> Iterator[Counted]:
    if not cases and suite.needs:
        yield Counted(suite.name, 0, 0, needs=suite.needs)
        return
    own = [(case, list(_own_counts(case))) for case in cases]
    for _, counts in own:
        yield from counts
    plain = [case for case, counts in own if not counts or not _passed(case)]
    failures = tuple(case.get("name", "") for case in plain if not _passed(case))
    if plain or not cases:
        total = len(plain) or 1  # a suite without a test has not passed
        yield Counted(suite.name, len(plain) - len(failures), total, failures)


def _own_counts(case: ET.Element) -> Iterator[Counted]:
    for told in case.iter("property"):
        if found := _COUNT.fullmatch(told.get("value", "")):
            yield Counted(told.get("name", ""), int(found[1]), int(found[2]))


def _passed(case: ET.Element) -> bool:
    return all(case.find(kind) is None for kind in ("failure", "error", "skipped"))
