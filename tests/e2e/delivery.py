"""A whole hour of the running demo's market within seconds, played by its staff."""

import base64
import json
import time
from dataclasses import asdict

from ledger.client.proposals import new_proposal
from tests.e2e.newcomers import Newcomer
from tests.e2e.scene import Scene, in_base64

MINUTE_MS = 60_000


class Delivery:
    """A listing of one minute that begins in five; staff's clocks are ahead, so nobody waits."""

    def __init__(self, it: Scene) -> None:
        self._it = it
        self._start_ms = time.time_ns() // 1_000_000 + 5 * MINUTE_MS
        self._end_ms = self._start_ms + MINUTE_MS

    async def open(self) -> str:
        self.listing_id = await self._it.open_listing(
            gate_closure_ms=self._start_ms,
            delivery_start_ms=self._start_ms,
            delivery_end_ms=self._end_ms,
            settlement_end_ms=self._end_ms + MINUTE_MS,
        )
        return self.listing_id

    async def clear(self) -> None:
        """Close the gate and find the price."""
        await self._by("scheduler", self._start_ms, "market:close_bidding", self.listing_id)
        await self._by("scheduler", self._start_ms, "market:clear", self.listing_id)

    async def clear_deliver_and_settle(self, net_wh: dict[Newcomer, int]) -> None:
        """`net_wh`: what each home gives, or takes if negative."""
        await self.clear()
        readings = []
        for home, given_wh in net_wh.items():
            readings.append(asdict(home.meter.read(self._start_ms)))
            home.meter.run_hour(load_wh=max(-given_wh, 0), pv_wh=max(given_wh, 0))
            readings.append(asdict(home.meter.read(self._end_ms)))
        await self._by("oracle", self._end_ms, "oracle:report_readings", json.dumps(readings))
        await self._by("scheduler", self._end_ms, "market:settle", self.listing_id)

    async def _by(self, role: str, at_ms: int, function: str, *args: str) -> None:
        ledger = self._it.demo.settings.ledger
        identity = self._it.demo.settings.staff[role].load()
        proposal = new_proposal(
            channel_id=ledger.channel_id,
            creator=identity.serialized,
            chaincode=ledger.chaincode,
            function=function,
            args=args,
            timestamp_ns=at_ms * 1_000_000,
        )
        body = {"proposal": in_base64(proposal.raw)}
        body["signature"] = in_base64(identity.sign(proposal.raw))
        endorsed = await self._it.http.post("/v1/transactions/endorse", json=body)
        payload = endorsed.raise_for_status().json()["to_sign"]
        body = {
            "payload": payload,
            "signature": in_base64(identity.sign(base64.b64decode(payload))),
        }
        done = await self._it.http.post("/v1/transactions?wait=committed", json=body)
        assert done.status_code == 200, done.text
