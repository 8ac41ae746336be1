"""fabric-chaincode-node's functional tests, unmodified: Node chaincodes on our peers.

Taken from a checkout; its own shim and contract libraries are packed from it, everything else
comes from the npm registry. The tests call Fabric's programs, for which ours stand in.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from tests.interop.running_peers import stop_all
from tests.interop.workshop import ROOT, Counted, SuiteError, Workshop

SUITE_TIMEOUT_S = 2_400
LIBRARIES = ("apis/fabric-shim-api", "apis/fabric-contract-api", "libraries/fabric-shim")
LEDGER_LIBRARY = "libraries/fabric-ledger"
"""In TypeScript and not on npm: compiled here."""
REGISTRY_PACKAGES = {
    "@tsconfig/node20": "^20.1.6",
    "@types/node": "^18.19.130",
    "ajv": "^6.12.2",
    "chai": "^4.3.4",
    "chai-as-promised": "^7.1.1",
    "ip": "^2.0.1",
    "mocha": "9.1.3",
    "typescript": "~5.8.3",
}
"""What the tests' and chaincodes' own package files ask for."""
PROGRAMS = {
    "peer": "tests.interop.fabric_peer",
    "fabric-ca-client": "tests.interop.enrolment",
    "configtxlator": "tests.interop.block_json",
}


def run_functional_tests(checkout: Path, shop: Workshop) -> Counted:
    """How many of the tests passed."""
    shop.begin(PROGRAMS)
    suite = _prepare(checkout, shop)
    report = shop.folder / "report.json"
    tests = sorted(path.name for path in (suite / "test/fv").glob("*.js"))
    command: list[str | Path] = [shop.node.program, suite / "node_modules/mocha/bin/mocha", *tests]
    command += ["--reporter", "json"]
    try:
        done = shop.run(command, folder=suite / "test/fv", timeout_s=SUITE_TIMEOUT_S)
    finally:
        stop_all(shop.network)
    start = done.stdout.rfind('{\n  "stats"')
    if start < 0:
        raise SuiteError(f"the tests did not run:\n{done.stdout}\n{done.stderr}")
    report.write_text(done.stdout[start:], encoding="utf-8")
    return count(json.loads(report.read_text(encoding="utf-8")))


def count(report: dict[str, Any]) -> Counted:
    """Of mocha's JSON report."""
    total = int(report["stats"]["tests"])
    failures = tuple(str(one["fullTitle"]) for one in report["failures"])
    return Counted("Node chaincode tests", int(report["stats"]["passes"]), total, failures)


def _prepare(checkout: Path, shop: Workshop) -> Path:
    suite = shop.folder / "suite"
    for name in ("apis", "libraries", "test"):
        shutil.copytree(checkout / name, suite / name)
    packages = {Path(library).name: _packed(suite, library, shop) for library in LIBRARIES}
    wanted = {**REGISTRY_PACKAGES, **{name: f"file:{path}" for name, path in packages.items()}}
    content = {"private": True, "dependencies": wanted}
    (suite / "package.json").write_text(json.dumps(content), encoding="utf-8")
    shop.npm("install", "--no-audit", "--no-fund", "--ignore-scripts", folder=suite)
    compiler = suite / "node_modules/typescript/bin/tsc"
    for project in (LEDGER_LIBRARY, "test/chaincodes/annotations"):
        shop.require([shop.node.program, compiler, "-p", project], folder=suite, timeout_s=300)
    shutil.copytree(suite / LEDGER_LIBRARY, suite / "node_modules/fabric-ledger")
    _lay_out_samples(suite / "fabric-samples", shop)
    return suite


def _packed(suite: Path, library: str, shop: Workshop) -> Path:
    """A library of the checkout as npm would publish it."""
    place = suite / "packed" / Path(library).name
    place.mkdir(parents=True)
    shop.npm("pack", "--silent", str(suite / library), folder=place)
    archives = list(place.glob("*.tgz"))
    if len(archives) != 1:
        raise SuiteError(f"{library} could not be packed")
    return archives[0]


def _lay_out_samples(samples: Path, shop: Workshop) -> None:
    """Where the tests look for Fabric's sample network: its programs and its script."""
    (samples / "config").mkdir(parents=True)
    (samples / "bin").symlink_to(shop.programs)
    script = samples / "test-network" / "network.sh"
    script.parent.mkdir()
    script.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m tests.interop.sample_network'
        ' "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    shop.require([script, "up"], folder=script.parent, timeout_s=120)
