"""Installing packages on one peer, and what is installed."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from ledger.endorsement.lifecycle.messages import (
    References,
    encode_all_installed,
    encode_installed,
)
from ledger.endorsement.lifecycle.rules import LifecycleRefused
from ledger.endorsement.packages.archives import ArchiveRefused
from ledger.endorsement.packages.package import ChaincodePackage, read_package
from ledger.endorsement.packages.store import InstalledPackage, PackageMissing, PackageStore
from ledger.model.state import StateSnapshot
from ledger.wire import lifecycle_pb2


class BuildsPackages(Protocol):
    """Makes sure that this peer can run a package."""

    def build(self, package: ChaincodePackage) -> None:
        """Raise PackageRefused for one it cannot; may take some time."""
        ...


class PackageInstalls:
    """The functions of `_lifecycle` about packages."""

    def __init__(
        self,
        store: PackageStore,
        *,
        builder: BuildsPackages,
        references: Callable[[str, StateSnapshot], References],
        on_installed: Callable[[], None],
    ) -> None:
        """`references` says who runs from a package; `on_installed` hears of new ones."""
        self._store = store
        self._builder = builder
        self._references = references
        self._on_installed = on_installed
        self._one_at_a_time = asyncio.Lock()

    async def install(self, raw: bytes) -> bytes:
        """InstallChaincode: keep a package that can be run here."""
        package_raw = lifecycle_pb2.InstallChaincodeArgs.FromString(raw).chaincode_install_package
        async with self._one_at_a_time:
            installed = await asyncio.to_thread(self._install, package_raw)
        self._on_installed()
        return lifecycle_pb2.InstallChaincodeResult(
            package_id=installed.package_id, label=installed.label
        ).SerializeToString()

    def _install(self, raw: bytes) -> InstalledPackage:
        try:
            package = read_package(raw)
        except ArchiveRefused as error:
            raise LifecycleRefused(
                f"could not parse as a chaincode install package: {error}"
            ) from error
        if self._store.has(package.package_id):
            raise LifecycleRefused(
                f"chaincode already successfully installed (package ID '{package.package_id}')"
            )
        try:
            self._builder.build(package)
            return self._store.save(package)
        except ArchiveRefused as error:
            raise LifecycleRefused(f"could not build chaincode: {error}") from error

    def query(self, raw: bytes, state: StateSnapshot) -> bytes:
        """QueryInstalledChaincode."""
        package_id = lifecycle_pb2.QueryInstalledChaincodeArgs.FromString(raw).package_id
        for one in self._store.installed():
            if one.package_id == package_id:
                return encode_installed(package_id, one.label, self._references(package_id, state))
        raise LifecycleRefused(f"could not find chaincode with package id '{package_id[:200]}'")

    def query_all(self, _raw: bytes, state: StateSnapshot) -> bytes:
        """QueryInstalledChaincodes."""
        return encode_all_installed(
            (one.package_id, one.label, self._references(one.package_id, state))
            for one in self._store.installed()
        )

    async def package(self, raw: bytes) -> bytes:
        """GetInstalledChaincodePackage."""
        package_id = lifecycle_pb2.GetInstalledChaincodePackageArgs.FromString(raw).package_id
        try:
            found = await asyncio.to_thread(self._store.raw, package_id)
        except PackageMissing as error:
            raise LifecycleRefused(f"could not load cc install package: {error}") from error
        return lifecycle_pb2.GetInstalledChaincodePackageResult(
            chaincode_install_package=found
        ).SerializeToString()
