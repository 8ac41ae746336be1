"""The client scenarios of the Fabric Gateway SDK for Node, unmodified, against five peers.

Taken from a checkout of the SDK's repository; the SDK itself comes from the npm registry in the
version the checkout names.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.interop.containers import FIXTURES_VARIABLE
from tests.interop.workshop import Counted, SuiteError, Workshop

SUITE_TIMEOUT_S = 3_600
PROGRAMS = {
    "docker": "tests.interop.containers",
    "fabric-ca-client": "tests.interop.enrolment",
}
SDK = "@hyperledger/fabric-gateway"
HSM_TAG = "@hsm"
TOKEN_PROGRAM = "softhsm2-util"
SUITE, TOKEN_SUITE = "client scenarios", "client scenarios, HSM"


def run_scenarios(
    checkout: Path, shop: Workshop, *, features: tuple[str, ...] = ()
) -> list[Counted]:
    """Scenarios and steps, first without and then with a hardware token (if SoftHSM is here)."""
    shop.begin(PROGRAMS)
    suite = _prepare(checkout, shop)
    environment = {
        FIXTURES_VARIABLE: str(suite.parent / "fixtures"),
        "SOFTHSM2_CONF": str(_token_settings(shop)),
    }
    tags = [] if shutil.which(TOKEN_PROGRAM) else ["--tags", f"not {HSM_TAG}"]
    report = shop.folder / "report.json"
    command: list[str | Path] = [shop.node.program, suite / "node_modules/.bin/cucumber-js", *tags]
    command += ["--format", "summary", "--format", f"json:{report}", "--require", "dist/**/*.js"]
    command += [f"../features/{name}.feature" for name in features] or ["../features"]
    done = shop.run(command, folder=suite, timeout_s=SUITE_TIMEOUT_S, environment=environment)
    if not report.exists():
        raise SuiteError(f"the scenarios did not run:\n{done.stdout}\n{done.stderr}")
    counted = count(json.loads(report.read_text(encoding="utf-8")))
    missing = [Counted(TOKEN_SUITE, 0, 0, needs=TOKEN_PROGRAM)] if tags else []
    return [*counted, *missing]


def _prepare(checkout: Path, shop: Workshop) -> Path:
    """A copy of the suite with its packages, compiled; its `node` folder."""
    shutil.copytree(checkout / "scenario", shop.folder / "scenario")
    wanted = json.loads((checkout / "node/package.json").read_text(encoding="utf-8"))
    packed = shop.folder / "node"
    packed.mkdir()
    shop.npm("pack", f"{SDK}@{wanted['version']}", folder=packed)
    [archive] = packed.glob("*.tgz")
    archive.rename(packed / "fabric-gateway-dev.tgz")
    suite = shop.folder / "scenario" / "node"
    _trust_registry(suite / "package-lock.json")
    shop.npm("ci", "--no-audit", "--no-fund", "--ignore-scripts", folder=suite)
    if shutil.which(TOKEN_PROGRAM):
        shop.npm("rebuild", "pkcs11js", folder=suite)
    shop.npm("run", "compile", folder=suite)
    for chaincode in (shop.folder / "scenario/fixtures/chaincode/node").iterdir():
        shop.npm("install", "--no-audit", "--no-fund", "--ignore-scripts", folder=chaincode)
    return suite


def _trust_registry(lock: Path) -> None:
    """The lock file has the checksum of an SDK built from the checkout; ours was released."""
    content = json.loads(lock.read_text(encoding="utf-8"))
    del content["packages"][f"node_modules/{SDK}"]["integrity"]
    lock.write_text(json.dumps(content), encoding="utf-8")


def _token_settings(shop: Workshop) -> Path:
    tokens = shop.folder / "tokens"
    tokens.mkdir()
    path = shop.folder / "softhsm2.conf"
    path.write_text(f"directories.tokendir = {tokens}\n", encoding="utf-8")
    return path


def count(report: list[dict[str, Any]]) -> list[Counted]:
    """Scenarios and steps of cucumber's JSON report, those with a token apart."""
    counted: list[Counted] = []
    for suite, with_token in ((SUITE, False), (TOKEN_SUITE, True)):
        scenarios = [
            scenario
            for feature in report
            for scenario in feature["elements"]
            if any(tag["name"] == HSM_TAG for tag in scenario["tags"]) == with_token
        ]
        if scenarios:
            counted += _counted(suite, scenarios)
    return counted


def _counted(suite: str, scenarios: list[dict[str, Any]]) -> Iterator[Counted]:
    failures = tuple(one["name"] for one in scenarios if not all(map(_passed, one["steps"])))
    yield Counted(suite, len(scenarios) - len(failures), len(scenarios), failures)
    steps = [step for one in scenarios for step in one["steps"]]
    yield Counted(f"{suite}: steps", sum(map(_passed, steps)), len(steps))


def _passed(step: dict[str, Any]) -> bool:
    return bool(step["result"]["status"] == "passed")
