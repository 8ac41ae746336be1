"""`python -m gateway.measuring.meter_collecting FOLDER PORT`: what a gateway does with meters.

Its collector, its database and its anchors on a ledger, and nothing else. FOLDER is `meters`'; a
line of JSON on standard output tells twice a second what is stored and anchored, and the CPU.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from gateway.database import migrate, open_database
from gateway.hems.anchored_rows import READINGS
from gateway.hems.anchoring import AnchorBook, anchor
from gateway.hems.batteries import BatteryStore
from gateway.hems.plausibility import Limits
from gateway.hems.running import open_service
from gateway.measuring.anchoring_oracle import AnchoringOracle, anchoring_oracle
from gateway.measuring.meter_load import COMMUNITY, INTERVAL_MS, KEYS_FILE, now_ms
from gateway.mqtt.collector import Collector, keep_collecting
from gateway.mqtt.reading_check import ReadingCheck
from gateway.settings import MqttSettings

DATABASE = "bench.db"
ANCHOR_S = 10.0
"""Far more often than a gateway does it (15 minutes), so that it shows in the figures."""
REPORT_S = 0.5


def main() -> int:
    """Collect until terminated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    asyncio.run(_collect(options.folder, options.port))
    return 0


class _Anchors:
    """What is on the ledger, as far as this process put it there."""

    def __init__(self, book: AnchorBook) -> None:
        self._book = book
        self.last_row = 0

    async def keep(self, oracle: AnchoringOracle) -> None:
        """Anchor for ever; raises `LedgerRefusal`."""
        while True:
            await asyncio.sleep(ANCHOR_S)
            while (batch := await anchor(self._book, oracle.actor, READINGS)) is not None:
                self.last_row = batch.last_row


async def _collect(folder: Path, port: int) -> None:
    database = open_database(f"sqlite:///{folder / DATABASE}")
    migrate(database)
    service = open_service(
        database, BatteryStore(), Limits(interval_ms=INTERVAL_MS), now_ms=now_ms()
    )
    collector = Collector(
        service, ReadingCheck(_Keys(folder)), community=COMMUNITY, clock_ms=now_ms
    )
    token = json.loads((folder / "tokens.json").read_text(encoding="ascii"))["gateway"]
    settings = MqttSettings("127.0.0.1", port, folder / "ca.crt", "gateway", token)
    anchors = _Anchors(AnchorBook(database))
    async with anchoring_oracle(folder) as oracle, asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_collecting(lambda: collector.run(settings)))
        tasks.create_task(anchors.keep(oracle))
        tasks.create_task(_tell(service.stores.series.count, anchors))


async def _tell(count: Callable[[], int], anchors: _Anchors) -> None:
    while True:
        await asyncio.sleep(REPORT_S)
        told = {
            "stored": await asyncio.to_thread(count),
            "anchored": anchors.last_row,
            "cpu_s": time.process_time(),
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


class _Keys:
    """Public keys of the bench's meters."""

    def __init__(self, folder: Path) -> None:
        content = json.loads((folder / KEYS_FILE).read_text(encoding="ascii"))
        curve = ec.SECP256R1()
        self._keys = {
            name: ec.EllipticCurvePublicKey.from_encoded_point(curve, bytes.fromhex(point))
            for name, point in content.items()
        }

    def public_key(self, meter_id: str) -> ec.EllipticCurvePublicKey | None:
        """See `gateway.mqtt.reading_check.MeterKeys`."""
        return self._keys.get(meter_id)


if __name__ == "__main__":
    sys.exit(main())
