"""`./test --coverage`: how many branches of the deciding code its own tests take, and the floor.

The tests are those of consensus and validation themselves, the stories, and a few random
schedules; what a test of something else happens to pass through does not count.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ledger/consensus", "ledger/validation")
BRANCHES_PERCENT_MIN = 95
TESTS = (
    "tests/unit/consensus",
    "tests/unit/validation",
    # configurations are validated on a whole ledger
    "tests/unit/node/membership/test_channel_change.py",
    "tests/scenarios",
)
SEEDS = 20
DATA = ROOT / ".cache" / "coverage"


def main() -> int:
    """Status 0 when everything passed and each package reaches the floor."""
    DATA.parent.mkdir(exist_ok=True)
    pytest = ["pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    seeds = ["tests.simulation", "--validators", "4", "--seeds", str(SEEDS), "--jobs", "1"]
    passed = _measured(pytest) and _measured(seeds, append=True)
    report = DATA.with_name("branches.json")
    _coverage("json", "-q", "-o", str(report))
    files = json.loads(report.read_text(encoding="utf-8"))["files"]
    for package in PACKAGES:
        summaries = [
            entry["summary"] for name, entry in files.items() if name.startswith(f"{package}/")
        ]
        taken = sum(summary["covered_branches"] for summary in summaries)
        there = sum(summary["num_branches"] for summary in summaries)
        percent = 100 * taken / there
        passed &= percent >= BRANCHES_PERCENT_MIN
        sys.stdout.write(
            f"branch coverage of {package}: {percent:.1f} % ({taken} of {there} branches;"
            f" at least {BRANCHES_PERCENT_MIN} %)\n"
        )
    return 0 if passed else 1


def _measured(module: list[str], *, append: bool = False) -> bool:
    sources = ",".join(package.replace("/", ".") for package in PACKAGES)
    options = ["--branch", f"--source={sources}", *(["--append"] if append else [])]
    return _coverage("run", *options, "-m", *module)


def _coverage(command: str, *arguments: str) -> bool:
    coverage = [sys.executable, "-m", "coverage", command, f"--data-file={DATA}"]
    return subprocess.run([*coverage, *arguments], cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
