"""`./test`: every check and test there is, then a table of what ran and what is missing here."""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SIGNALLED = 128
"""A shell's exit status for a signal is this and its number."""
ROW_LINE = re.compile(r"^\| (E\d{3}) \| (.+) \| (must|should) \|$", re.MULTILINE)

DESCRIPTION = """\
Runs lint, format, type and import checks and all tests, and ends with a table. Arguments it
does not know go to pytest, and then only pytest runs: ./test tests/unit/storage -k journal
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One step; `command` is run in the repository's root."""

    name: str
    command: list[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step went."""

    name: str
    passed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class SystemPart:
    """A program outside Python; everything but the tests named in `purpose` works without it."""

    program: str
    apt_package: str
    purpose: str
    is_optional: bool = False
    """Not every release of Debian has it; its tests are skipped then."""


SYSTEM_PARTS = (
    SystemPart("mosquitto", "mosquitto", "MQTT tests against the production broker"),
    SystemPart("chromium", "chromium", "tests of the pages in a browser"),
    SystemPart("postgres", "postgresql", "several gateways that share a database"),
    SystemPart("node", "nodejs", "Fabric's JavaScript client, --full"),
    SystemPart("npm", "npm", "Fabric's JavaScript client, --full"),
    SystemPart(
        "micropython",
        "micropython",
        "firmware tests where no wheel of it exists (Debian 13 or newer has it)",
        is_optional=True,
    ),
)


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; status 0 when everything passed."""
    options, pytest_arguments = _parser().parse_known_args(arguments)
    if options.setup:
        return install_system_parts()
    if options.rows:
        return show_rows(pytest_arguments, full=options.full)
    outcomes = [] if pytest_arguments else [_run(check) for check in static_checks()]
    outcomes.append(_run(Check("tests", pytest_command(options, pytest_arguments))))
    if options.coverage or (options.full and not pytest_arguments):
        outcomes.append(_run(Check("coverage", [sys.executable, "tests/core_coverage.py"])))
    print_table(outcomes)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./test", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--fast", action="store_true", help="leave out tests marked slow")
    parser.add_argument("--full", action="store_true", help="add tests that need the network")
    parser.add_argument("--coverage", action="store_true", help="branches of the deciding code")
    parser.add_argument("--strict", action="store_true", help="a skipped test is a failure")
    parser.add_argument("--rows", action="store_true", help="which requirements have a test")
    parser.add_argument("--setup", action="store_true", help="apt install the system parts")
    return parser


def static_checks() -> list[Check]:
    """Everything that only reads the code."""
    return [
        Check("lint", [str(BIN / "ruff"), "check", "--quiet", "."]),
        Check("format", [str(BIN / "ruff"), "format", "--check", "--quiet", "."]),
        Check("types", [str(BIN / "mypy")]),
        Check("imports", [str(BIN / "lint-imports"), "--no-logo"]),
    ]


def pytest_command(options: argparse.Namespace, extra: Sequence[str]) -> list[str]:
    """How pytest is called for these options."""
    command = [sys.executable, "-m", "pytest", "-q"]
    command += ["--fast"] if options.fast else []
    command += ["--full"] if options.full else []
    command += ["--strict-skips"] if options.strict else []
    return [*command, *extra]


def _run(check: Check) -> Outcome:
    print(f"── {check.name}", flush=True)
    started = time.monotonic()
    status = run_to_end(check.command)
    return Outcome(check.name, status == 0, time.monotonic() - started)


def run_to_end(command: Sequence[str]) -> int:
    """The command's status; `SystemExit` when we were told to stop.

    Either way its end is awaited, since tests stop the networks they started: SIGTERM is passed
    on, and Ctrl-C reaches it from the terminal.
    """
    running: list[subprocess.Popen[bytes]] = []
    told: list[int] = []

    def stop(number: int, _frame: object) -> None:
        told.append(number)
        for process in running if number == signal.SIGTERM else ():
            process.terminate()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        running.append(subprocess.Popen(command, cwd=ROOT))
        if signal.SIGTERM in told:  # while it was being started: `stop` did not see it yet
            running[0].terminate()
        status = running[0].wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if told:
        raise SystemExit(SIGNALLED + told[0])
    return status


def find_program(name: str) -> str | None:
    """Where a program is; daemons of Debian lie in sbin or folders of their own, off the path."""
    servers = map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
    daemons = ":".join(["/usr/sbin", "/usr/local/sbin", "/sbin", *servers])
    return shutil.which(name) or shutil.which(name, path=daemons)


def print_table(outcomes: Sequence[Outcome]) -> None:
    """What ran, and what this machine lacks."""
    print("\nchecks")
    for outcome in outcomes:
        verdict = "ok" if outcome.passed else "FAILED"
        print(f"  {outcome.name:<12} {verdict:<8} {outcome.seconds:6.1f} s")
    print("optional system parts")
    for part in SYSTEM_PARTS:
        if find_program(part.program):
            print(f"  {part.program:<12} ok")
        else:
            print(f"  {part.program:<12} MISSING  (apt install {part.apt_package}) {part.purpose}")


def install_system_parts() -> int:
    """Install what is missing when this user may; otherwise print the one line to run as root."""
    missing = [part for part in SYSTEM_PARTS if find_program(part.program) is None]
    if not missing:
        print("all system parts are here")
        return 0
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        needed = [part for part in missing if not part.is_optional]
        if needed:
            packages = " ".join(part.apt_package for part in needed)
            print(f"as root: apt-get update && apt-get install --no-install-recommends {packages}")
        return _tell_not_installed(missing)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-q"], env=environment, check=False)
    failed = []
    for part in missing:
        install = ["apt-get", "install", "-qy", "--no-install-recommends", part.apt_package]
        if subprocess.run(install, env=environment, check=False).returncode != 0:
            failed.append(part)
    return _tell_not_installed(failed)


def _tell_not_installed(missing: Sequence[SystemPart]) -> int:
    """Say what these are for; status 0 when all of them are optional."""
    for part in missing:
        kind = "optional, skipped without it" if part.is_optional else "missing"
        print(f"not installed: {part.program} ({kind}): {part.purpose}")
    return 0 if all(part.is_optional for part in missing) else 1


def show_rows(pytest_arguments: Sequence[str], *, full: bool) -> int:
    """Run the tests, then print row → tests → passed or nothing yet, and the count."""
    report = ROOT / ".cache" / "rows.json"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", f"--row-report={report}"]
    command += ["--full"] if full else []
    status = run_to_end([*command, *pytest_arguments])
    outcomes = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    print("\n".join(row_lines(outcomes)))
    return status


def row_lines(outcomes: dict[str, dict[str, str]]) -> list[str]:
    """One block per row; `outcomes` maps row id → test id → pytest's outcome."""
    text = (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8")
    lines, shown = [], 0
    rows = ROW_LINE.findall(text)
    for row, title, _level in rows:
        tests = outcomes.get(row, {})
        passed = bool(tests) and all(outcome == "passed" for outcome in tests.values())
        shown += passed
        verdict = "passed" if passed else "FAILED" if "failed" in tests.values() else "nothing yet"
        lines.append(f"{row}  {verdict:<12} {title}")
        lines += [f"      {outcome:<8} {test}" for test, outcome in sorted(tests.items())]
    lines.append(f"{shown} of {len(rows)} rows are shown by passing tests")
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
