"""Settling one hour of a big community on a running network, as its operator does it.

`settle_listing` is the timed part: decide the settlement in one transaction, pay its pages side by
side, end it. `BenchMeter` and `report` bring a listing there: meters with keys of their own and
their signed readings at both ends of delivery.
"""

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chaincode.energy.oracle.readings import signed_message
from chaincode.energy.oracle.records import MeterReading
from ledger.client.gateway import GatewayClient
from ledger.crypto.signing import Signer, SigningIdentity, generate_key
from network.bench.trial_households import CHAINCODE
from network.running.process_usage import spending

READINGS_PER_REPORT = 250
"""A reading with its signature is some 350 bytes, and each is verified once a peer."""
PAYING = "PAYING"


@dataclass(frozen=True, slots=True)
class SettledHour:
    """What settling took. `decide_s` until the decision is in a block, `total_s` until SETTLED.

    `cpu_s`: of all validators, their contracts and this client together.
    """

    households: int
    pages: int
    decide_s: float
    total_s: float
    cpu_s: float


class BenchMeter:
    """A meter with its own key and cumulative registers in Wh."""

    __slots__ = ("_seq", "_signer", "export_wh", "import_wh", "meter_id", "public_key_pem")

    def __init__(self, meter_id: str) -> None:
        key = generate_key()
        self.meter_id = meter_id
        self.import_wh = self.export_wh = self._seq = 0
        self._signer = Signer(key)
        self.public_key_pem = (
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        )

    def reading(self, t_end_ms: int) -> MeterReading:
        """The next reading, signed."""
        self._seq += 1
        values = (self.meter_id, self._seq, t_end_ms, self.import_wh, self.export_wh, "measured")
        signature = self._signer.sign(signed_message(MeterReading(*values, signature="")))
        return MeterReading(*values, signature=base64.b64encode(signature).decode())


async def report(
    client: GatewayClient, oracle: SigningIdentity, meters: Sequence[BenchMeter], t_end_ms: int
) -> None:
    """One reading of every meter, in reports of `READINGS_PER_REPORT`, side by side."""
    readings = [asdict(meter.reading(t_end_ms)) for meter in meters]
    parts = [
        readings[start : start + READINGS_PER_REPORT]
        for start in range(0, len(readings), READINGS_PER_REPORT)
    ]
    await asyncio.gather(
        *(
            client.submit_transaction(
                oracle, CHAINCODE, "oracle:report_readings", json.dumps(part)
            )
            for part in parts
        )
    )


async def settle_listing(
    client: GatewayClient,
    operator: SigningIdentity,
    listing_id: str,
    *,
    processes: Sequence[int] = (),
) -> SettledHour:
    """Settle a delivered and metered listing; raises what the client raises.

    `processes`: ids of the validators, whose CPU time is counted.
    """
    spent = spending(processes)
    record = await _settle(client, operator, listing_id)
    decide_s = spent().wall_s
    pages, households = record["pages"], record["household_count"]
    while record["state"] == PAYING:
        await asyncio.gather(
            *(
                client.submit_transaction(
                    operator, CHAINCODE, "settlement:pay_page", listing_id, str(page)
                )
                for page in range(pages)
            )
        )
        record = await _settle(client, operator, listing_id)
    total = spent()
    return SettledHour(
        households=households,
        pages=pages,
        decide_s=decide_s,
        total_s=total.wall_s,
        cpu_s=total.cpu_s,
    )


async def _settle(
    client: GatewayClient, operator: SigningIdentity, listing_id: str
) -> dict[str, Any]:
    done = await client.submit_transaction(operator, CHAINCODE, "market:settle", listing_id)
    record: dict[str, Any] = json.loads(done.result)
    return record
