"""The steps that put a chaincode on a channel, by our own command line."""

import fcntl
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from network.cli import main as gridledger

CONTRACTS = Path(__file__).parent / "contracts"
"""Ours, by the names of the Go ones they answer for."""


class CommandFailed(Exception):  # noqa: N818 - what happened
    """Our command line refused; it has said why on standard error."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the members are to agree on."""

    name: str
    version: str
    policy: str = ""
    sequence: int = 1
    collections: Path | None = None

    @property
    def options(self) -> list[str]:
        """As our command line takes it."""
        words = [self.name, "--version", self.version, "--sequence", str(self.sequence)]
        words += ["--policy", self.policy] if self.policy else []
        return words + (["--collections", str(self.collections)] if self.collections else [])


class LifecycleSteps:
    """Acts for one member of the network that a plan describes."""

    def __init__(self, plan_path: Path, member_id: str) -> None:
        self._plan_path = plan_path
        self._member_id = member_id

    def package_contract(self, module: str, label: str, output: Path) -> None:
        """One of our contracts, to be run by the peers themselves."""
        place = ("--root", str(CONTRACTS), "-o", str(output))
        require(["chaincode", "package", module, "--label", label, *place])

    def package_service(self, address: str, label: str, output: Path) -> None:
        """A chaincode that listens at an address."""
        require(
            ["chaincode", "package", "--service", address, "--label", label, "-o", str(output)]
        )

    def install(self, package: Path) -> None:
        """On every peer of the member."""
        with one_at_a_time(self._plan_path.parent / f"{self._member_id}.lock"):
            self._run("install", str(package))

    def installed(self) -> list[str]:
        """Package ids."""
        return [line.split()[0] for line in self._run("installed").splitlines() if line]

    def approve(self, wish: Wish, package_id: str) -> None:
        """For the member."""
        self._run("approve", *wish.options, "--package-id", package_id)

    def commit(self, wish: Wish) -> None:
        """For all."""
        self._run("commit", *wish.options)

    def committed(self, name: str) -> tuple[str, int]:
        """Version and sequence of a chaincode."""
        found = re.search(r"version (\S+), sequence (\d+)", self._run("definitions", name))
        assert found is not None
        return found[1], int(found[2])

    def _run(self, action: str, *words: str) -> str:
        whose = ("--plan", str(self._plan_path), "--as", self._member_id)
        return require(["chaincode", action, *words, *whose])


def require(words: Sequence[str]) -> str:
    """What our command line printed; raises CommandFailed."""
    output = io.StringIO()
    with redirect_stdout(output):
        status = gridledger(list(words))
    if status != 0:
        raise CommandFailed(f"gridledger {' '.join(words)}: status {status}\n{output.getvalue()}")
    return output.getvalue()


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Suites install on all peers at once; ours does it for all peers of a member."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
