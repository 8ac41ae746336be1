"""The oracle of a measured gateway: who it is and where its ledger is, by `ledger.json`."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.hems.anchored_rows import READINGS
from gateway.hems.anchoring import AnchorBook, compare
from gateway.ledger_access.actor import Actor
from gateway.settings import identity_from
from ledger.client.gateway import GatewayClient

LEDGER_FILE = "ledger.json"
"""`peer` (host:port), `tls_ca`, `channel_id`, `chaincode` and the files of an `identity`."""


@dataclass(frozen=True, slots=True)
class AnchoringOracle:
    """Puts anchors on the ledger, and reads them."""

    actor: Actor
    mspid: str

    async def anchored_rows(self, book: AnchorBook) -> int:
        """How many rows of readings are on the ledger and are here as they were anchored.

        Raises ValueError when one is not.
        """
        anchors = await self.actor.evaluate("anchors:page", self.mspid, READINGS)
        if differing := compare(book, READINGS, anchors):
            raise ValueError(f"not what was anchored: {differing}")
        return int(anchors[-1]["last_row"]) if anchors else 0


@asynccontextmanager
async def anchoring_oracle(folder: Path) -> AsyncIterator[AnchoringOracle]:
    """Connected to the ledger that the file in this folder names."""
    client, oracle = _oracle_in(folder)
    try:
        yield oracle
    finally:
        await client.close()


def _oracle_in(folder: Path) -> tuple[GatewayClient, AnchoringOracle]:
    content = json.loads((folder / LEDGER_FILE).read_text(encoding="utf-8"))
    files = identity_from(content["identity"])
    authorities = Path(content["tls_ca"]).read_bytes()
    client = GatewayClient.connect(content["peer"], authorities, content["channel_id"])
    return client, AnchoringOracle(Actor(client, files.load(), content["chaincode"]), files.mspid)
