"""The benchmark's transactions through Fabric's official Gateway SDK for Node."""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from network.bench.community import Offer
from network.bench.trial_households import CHAINCODE
from network.layout import NetworkLayout
from network.plan import Plan

SCRIPT = Path(__file__).with_name("client.mjs")
TIMEOUT_S = 600


class NodeClientFailed(Exception):  # noqa: N818 - what happened, not a mistake
    """Node or the SDK is not there, or a transaction failed; the text is Node's."""


@dataclass(frozen=True, slots=True)
class NodeRun:
    """What the SDK's process measured, its own start and connections left out."""

    elapsed_s: float
    cpu_s: float
    placed: list[tuple[float, int]]
    """(seconds, block number) of each transaction."""


@dataclass(frozen=True, slots=True)
class NodeClient:
    """`sdk` is a folder with @hyperledger/fabric-gateway in its node_modules."""

    program: str
    sdk: Path
    plan: Plan
    layout: NetworkLayout

    async def place(self, offers: Sequence[Offer], *, in_flight: int) -> NodeRun:
        """Place every offer; raises NodeClientFailed."""
        with tempfile.TemporaryDirectory(prefix="gridledger-bench-node-") as folder:
            task = Path(folder) / "task.json"
            task.write_text(json.dumps(self._task(offers, in_flight)), encoding="utf-8")
            said = await self._run(task)
        measured = json.loads(said)
        placed = [(latency_s, number) for latency_s, number in measured["placed"]]
        return NodeRun(measured["elapsed_s"], measured["cpu_s"], placed)

    def _task(self, offers: Sequence[Offer], in_flight: int) -> dict[str, object]:
        households = {offer.household.idgrid: offer.household for offer in offers}
        number = {idgrid: index for index, idgrid in enumerate(households)}
        return {
            "endpoints": [peer.address for peer in self.plan.peers],
            "tls_ca": self.layout.tls_ca_bundle.read_text(encoding="ascii"),
            "channel": self.plan.channel_id,
            "chaincode": CHAINCODE,
            "function": "market:place_offer",
            "in_flight": in_flight,
            "users": [
                {
                    "mspid": one.identity.mspid,
                    "certificate": one.identity.certificate_pem.decode(),
                    "key": one.key_pem.decode(),
                }
                for one in households.values()
            ],
            "offers": [
                {"user": number[offer.household.idgrid], "arguments": offer.arguments}
                for offer in offers
            ],
        }

    async def _run(self, task: Path) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                self.program,
                str(SCRIPT),
                str(self.sdk),
                str(task),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise NodeClientFailed(f"{self.program} cannot be run: {error}") from error
        try:
            async with asyncio.timeout(TIMEOUT_S):
                said, complaints = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise NodeClientFailed(f"no end after {TIMEOUT_S} s") from None
        if process.returncode != 0:
            raise NodeClientFailed(complaints.decode(errors="replace").strip()[-2_000:])
        return said
