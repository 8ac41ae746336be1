"""What runs a peer's chaincodes: started when the ledger says so, or at the latest when called.

A package of type `python` runs in a process of the peer, one of type `ccaas` is a service that
the peer dials, and for an id that the operator let dial in the peer waits.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from ledger.endorsement.lifecycle.invocable import Invocable
from ledger.endorsement.packages.connection_templates import filled
from ledger.endorsement.packages.package import (
    PYTHON,
    SERVICE,
    ChaincodePackage,
    PackageRefused,
    code_files,
    contract_module,
    service_connection,
)
from ledger.endorsement.packages.store import PackageMissing, PackageStore
from ledger.endorsement.runtimes.child_process import ChaincodeProgram
from ledger.endorsement.runtimes.peer_session import ExecutionFailed
from ledger.endorsement.runtimes.process import ChaincodeProcess
from ledger.endorsement.runtimes.runtime import CallChaincode, ChaincodeRuntime
from ledger.errors import NodeFault
from ledger.node.chaincodes.dial_in import DialIn
from ledger.node.chaincodes.service_values import service_values
from ledger.rpc.chaincode_connect import chaincode_service

log = logging.getLogger(__name__)

RETRY_AFTER_S = 5.0
"""How long a chaincode that did not start is not started again."""
MSPID_VARIABLE = "CORE_PEER_LOCALMSPID"
"""Where Fabric's shims read the peer's own MSP id."""

_Key = tuple[str, str]
"""(chaincode, package id)"""


class PackageBuilder:
    """Whether and how this peer runs a package."""

    def build(self, package: ChaincodePackage) -> None:
        """Raise PackageRefused for a package that cannot be run here."""
        if package.kind == SERVICE:
            service_connection(filled(code_files(package), service_values()))
        elif package.kind == PYTHON:
            contract_module(package, code_files(package))
        else:
            raise PackageRefused(
                f"chaincode type {package.kind[:40]!r} is not built by this peer; it runs"
                f" {PYTHON!r}, and {SERVICE!r} for a chaincode in any language that runs as a"
                " service"
            )


class ChaincodeRuntimes:
    """Use from the event loop. One runtime for each chaincode and package."""

    def __init__(
        self,
        store: PackageStore,
        *,
        mspid: str,
        call: CallChaincode,
        dial_in: DialIn,
    ) -> None:
        self._store = store
        self._mspid = mspid
        self._call = call
        self._dial_in = dial_in
        self._starting: dict[_Key, asyncio.Task[ChaincodeRuntime]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def available(self) -> list[str]:
        """Ids of everything this peer could run."""
        installed = [one.package_id for one in self._store.installed()]
        return [*installed, *self._dial_in.allowed]

    async def running(self, chaincode: Invocable) -> ChaincodeRuntime:
        """The runtime of a chaincode, started if it was not; raises ExecutionFailed."""
        key = (chaincode.name, chaincode.package_id)
        task = self._starting.get(key)
        if task is None:
            task = asyncio.create_task(self._started(chaincode), name=f"start {chaincode.name}")
            self._starting[key] = task
        try:
            return await asyncio.shield(task)
        except (NodeFault, PackageMissing, PackageRefused) as error:
            raise ExecutionFailed(
                f"could not launch chaincode {chaincode.package_id}: {error}"
            ) from error

    @asynccontextmanager
    async def trial(self, chaincode: Invocable) -> AsyncIterator[ChaincodeRuntime]:
        """A runtime of its own for a package that is not in use; raises ExecutionFailed."""
        if not self._store.has(chaincode.package_id):
            raise ExecutionFailed(str(PackageMissing(chaincode.package_id)))
        try:
            make = await asyncio.to_thread(self._prepared, chaincode)
            runtime = make()
            await runtime.start()
        except (NodeFault, PackageMissing, PackageRefused) as error:
            raise ExecutionFailed(f"could not launch {chaincode.package_id}: {error}") from error
        try:
            yield runtime
        finally:
            await runtime.stop()

    async def keep(self, wanted: Iterable[Invocable]) -> None:
        """Start what is wanted and end everything else; failures are logged."""
        chaincodes = {(one.name, one.package_id): one for one in wanted}
        for key in self._starting.keys() - chaincodes.keys():
            ending = asyncio.create_task(_ended(self._starting.pop(key)))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
        await asyncio.gather(*(self._try(chaincode) for chaincode in chaincodes.values()))

    async def close(self) -> None:
        """End all of them."""
        await self.keep(())
        await asyncio.gather(*self._ending)

    async def _try(self, chaincode: Invocable) -> None:
        try:
            await self.running(chaincode)
        except ExecutionFailed as error:
            log.warning("%s", error)

    async def _started(self, chaincode: Invocable) -> ChaincodeRuntime:
        try:
            runtime = await self._runtime(chaincode)
            await runtime.start()
        except (NodeFault, PackageMissing, PackageRefused):
            key = (chaincode.name, chaincode.package_id)
            asyncio.get_running_loop().call_later(RETRY_AFTER_S, self._forget, key)
            raise
        log.info("chaincode %s runs from %s", chaincode.name, chaincode.package_id)
        return runtime

    def _forget(self, key: _Key) -> None:
        task = self._starting.get(key)
        if task is not None and task.done() and task.exception() is not None:
            del self._starting[key]

    async def _runtime(self, chaincode: Invocable) -> ChaincodeRuntime:
        # A developer's program, in a debugger perhaps, takes the place of the package.
        for chaincode_id in (f"{chaincode.name}:{chaincode.version}", chaincode.package_id):
            if not self._dial_in.allows(chaincode_id):
                continue
            dialled = self._dial_in.runtime(chaincode_id, chaincode.name, self._call)
            if dialled is None:
                raise PackageRefused(f"{chaincode_id} dials in for another chaincode already")
            return dialled
        make = await asyncio.to_thread(self._prepared, chaincode)
        return make()

    def _prepared(self, chaincode: Invocable) -> Callable[[], ChaincodeRuntime]:
        """Read and unpack the package; the runtime itself belongs to the event loop."""
        package = self._store.read(chaincode.package_id)
        files = code_files(package)
        if package.kind == SERVICE:
            connection = service_connection(filled(files, service_values()))
            return lambda: chaincode_service(
                chaincode.name,
                package.package_id,
                connection,
                limits=self._dial_in.settings.limits,
                call=self._call,
            )
        program = ChaincodeProgram(
            name=chaincode.name,
            version=chaincode.version,
            module=contract_module(package, files),
            environment={MSPID_VARIABLE: self._mspid},
            code=self._store.unpacked(package.package_id, files),
        )
        return lambda: ChaincodeProcess(program, call=self._call)


async def _ended(starting: asyncio.Task[ChaincodeRuntime]) -> None:
    try:
        runtime = await starting
    except (NodeFault, PackageMissing, PackageRefused):
        return
    await runtime.stop()
