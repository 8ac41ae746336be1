"""What every suite needs: a folder to work in, Node, and our stand-ins on its PATH."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from network.layout import make_private_folder
from tests.interop.running_peers import FOLDER_VARIABLE
from tests.support.node_runtime import NodeRuntime, node_runtime

ROOT = Path(__file__).resolve().parents[2]
INSTALL_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class Counted:
    """How many of a suite's parts passed."""

    suite: str
    passed: int
    total: int
    failures: tuple[str, ...] = ()
    """Names of those that did not."""
    needs: str = ""
    """It has not run: what has to be given for that."""


class SuiteError(Exception):
    """A suite could not be run; the text says why."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """A folder of one suite's run; nothing outside it is changed."""

    folder: Path
    node: NodeRuntime = field(default_factory=node_runtime)

    @property
    def network(self) -> Path:
        """Where the network of the run lies."""
        return self.folder / "network"

    @property
    def programs(self) -> Path:
        """The folder that precedes others on the suite's PATH."""
        return self.folder / "bin"

    def begin(self, programs: Mapping[str, str]) -> None:
        """An empty folder, with programs that run one of our modules each."""
        shutil.rmtree(self.folder, ignore_errors=True)
        make_private_folder(self.network)
        for name, module in programs.items():
            self.add_program(name, module)

    def add_program(self, name: str, module: str) -> None:
        """A program of that name that runs one of our modules; what it complains of is kept."""
        path = self.programs / name
        make_private_folder(self.programs)
        complaints = self.folder / f"{name}.log"
        path.write_text(
            f'#!/bin/sh\necho "$0 $*" >>"{complaints}"\n'
            f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m {module} "$@" 2>>"{complaints}"\n',
            encoding="utf-8",
        )
        path.chmod(0o755)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The suite's environment: our programs and Node first on the PATH."""
        folders = (str(self.programs), str(self.node.program.parent), os.environ["PATH"])
        own = {
            "PATH": os.pathsep.join(folders),
            FOLDER_VARIABLE: str(self.network),
            "npm_config_nodedir": str(self.node.program.parents[1]),
        }
        return {**os.environ, **own, **(more or {})}

    def npm(self, *words: str, folder: Path) -> None:
        """Run npm; raises SuiteError with what it said."""
        self.require(self.node.npm_command(*words), folder=folder, timeout_s=INSTALL_TIMEOUT_S)

    def run(
        self,
        command: Sequence[str | Path],
        *,
        folder: Path,
        timeout_s: float,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; its output is kept in the folder as `<program>.log`."""
        done = subprocess.run(
            command,
            cwd=folder,
            env=self.environment(environment),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        log = self.folder / f"{Path(command[0]).name}.log"
        log.write_text(f"{command}\n{done.stdout}\n{done.stderr}\n", encoding="utf-8")
        return done

    def require(self, command: Sequence[str | Path], *, folder: Path, timeout_s: float) -> None:
        """Run a command that must succeed."""
        done = self.run(command, folder=folder, timeout_s=timeout_s)
        if done.returncode != 0:
            raise SuiteError(f"{command} failed:\n{done.stdout}\n{done.stderr}")
