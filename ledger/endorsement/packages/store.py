"""Installed chaincode packages on the peer's disk, and their code unpacked to be run.

    packages/<label>.<hash>.tar.gz     as installed, Fabric's file name, 0600
    packages/code/<label>.<hash>/      of `python` packages, made anew when the peer starts

A package appears whole or not at all; one that no longer has the hash in its name is a NodeFault.
"""

import os
import re
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

from ledger.endorsement.packages.package import ChaincodePackage, PackageRefused, read_package
from ledger.errors import GridledgerError, NodeFault

PACKAGES_MAX = 200
SUFFIX = ".tar.gz"
UNFINISHED = ".new"
CODE_FOLDER = "code"
PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
_FILE = re.compile(r"(.+)\.([0-9a-f]{64})\.tar\.gz", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*:[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """A package this peer has."""

    package_id: str
    label: str


class PackageMissing(GridledgerError):  # noqa: N818 - a fact about one request
    """This peer does not have the package."""

    def __init__(self, package_id: str) -> None:
        super().__init__(f"chaincode install package '{package_id[:200]}' not found")


class PackageStore:
    """One folder, used by one peer process; every method may wait for the disk."""

    def __init__(self, folder: Path) -> None:
        """Make the folder if need be and drop what an earlier process left unfinished."""
        self._folder = folder
        self._code = folder / CODE_FOLDER
        self._unpacking = threading.Lock()
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        for left in folder.glob(f"*{UNFINISHED}"):
            left.unlink()
        shutil.rmtree(self._code, ignore_errors=True)
        self._installed = {one.package_id: one for one in self._on_disk()}

    def installed(self) -> tuple[InstalledPackage, ...]:
        """All packages, by id."""
        return tuple([self._installed[key] for key in sorted(self._installed)])

    def has(self, package_id: str) -> bool:
        """Whether the package is installed."""
        return package_id in self._installed

    def save(self, package: ChaincodePackage) -> InstalledPackage:
        """Keep a package; durable when this returns. PackageRefused when there are too many."""
        if len(self._installed) >= PACKAGES_MAX and not self.has(package.package_id):
            raise PackageRefused(f"this peer keeps at most {PACKAGES_MAX} packages")
        _write_durably(self._path(package.package_id), package.raw)
        found = InstalledPackage(package.package_id, package.label)
        self._installed[package.package_id] = found
        return found

    def raw(self, package_id: str) -> bytes:
        """The package as it was installed; raises PackageMissing."""
        if not self.has(package_id):
            raise PackageMissing(package_id)
        try:
            return self._path(package_id).read_bytes()
        except FileNotFoundError as error:
            raise PackageMissing(package_id) from error

    def read(self, package_id: str) -> ChaincodePackage:
        """The package, checked against its id; raises PackageMissing, NodeFault if damaged."""
        path = self._path(package_id)
        try:
            package = read_package(self.raw(package_id))
        except PackageRefused as error:
            raise NodeFault(f"{path} is damaged: {error}") from error
        if package.package_id != package_id:
            raise NodeFault(f"{path} is damaged: it has another hash than its name")
        return package

    def unpacked(self, package_id: str, files: dict[str, bytes]) -> Path:
        """The folder with the package's code, for this process's life.

        `files` come from `ledger.endorsement.packages.package.code_files`, which makes paths safe.
        """
        folder = self._code / self._path(package_id).name.removesuffix(SUFFIX)
        with self._unpacking:
            if not folder.exists():
                unfinished = folder.with_name(folder.name + UNFINISHED)
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir(mode=PRIVATE_FOLDER, parents=True)
                for name, content in files.items():
                    _write_private(unfinished / name, content)
                unfinished.rename(folder)
        return folder

    def _path(self, package_id: str) -> Path:
        if not _ID.fullmatch(package_id):
            raise PackageMissing(package_id)
        return self._folder / (package_id.replace(":", ".", 1) + SUFFIX)

    def _on_disk(self) -> list[InstalledPackage]:
        found = [_FILE.fullmatch(path.name) for path in self._folder.iterdir()]
        return [
            InstalledPackage(f"{match[1]}:{match[2]}", match[1])
            for match in found
            if match is not None and _ID.fullmatch(f"{match[1]}:{match[2]}")
        ]


def _write_durably(path: Path, content: bytes) -> None:
    unfinished = path.with_name(path.name + UNFINISHED)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_private(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
