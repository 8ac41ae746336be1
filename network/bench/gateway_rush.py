"""Households that all order before one gate, and orders without end to fill a ledger."""

import asyncio
import itertools
import json
import sys
import time
from dataclasses import dataclass

from ledger.client.gateway import GatewayClient
from network.bench.community import OFFER_WH, RESERVE_UTOKEN_PER_KWH, Community, Offer
from network.bench.gateway_process import GatewayFailed
from network.bench.month import Month
from network.bench.report import percentile_ms
from network.bench.trial_households import Household, household_idgrid, submitting
from network.layout import NetworkLayout
from network.plan import Plan
from network.running.clients import connect, wait_everywhere

WINDOW_S = 10
OPENING_MS = 5_000
"""Until a listing is open on every validator; then the orders begin."""
IN_FLIGHT = 64
LINE_BYTES_MAX = 16 * 1024 * 1024
TRANSACTIONS_PER_HOUSEHOLD = 8
"""Of its registration."""


@dataclass(frozen=True, slots=True)
class GateRush:
    """What became of the orders; milliseconds from the wish to the gateway's "committed"."""

    orders: int
    window_s: float
    accepted: int
    refused: dict[str, int]
    lost: int
    p50_ms: float
    p95_ms: float


class Market:
    """The community that the gateway is measured with."""

    def __init__(self, plan: Plan, layout: NetworkLayout, clients: list[GatewayClient]) -> None:
        self._plan, self._layout, self._clients = plan, layout, clients
        self._community = Community(plan, layout, clients)
        self._made = 0

    @classmethod
    async def open(cls, plan: Plan, layout: NetworkLayout) -> "Market":
        """With a connection to every member's peer; they belong to the running event loop."""
        return cls(plan, layout, [connect(plan, member, layout) for member in plan.members])

    async def settle_in(self, households: int) -> None:
        """Register them."""
        await self._community.settle_in(households)
        self._made = households * TRANSACTIONS_PER_HOUSEHOLD

    async def close(self) -> None:
        """End the connections."""
        for client in self._clients:
            await client.close()

    async def rush(self, url: str) -> GateRush:
        """All households order in the last seconds before the gate closes."""
        households = self._community.households
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "gateway.measuring.gate_rush",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES_MAX,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        task = {
            "url": url,
            "function": "market:place_offer",
            "households": [_spec(each) for each in households],
        }
        process.stdin.write(json.dumps(task).encode() + b"\n")
        await process.stdin.drain()
        if not await process.stdout.readline():
            raise GatewayFailed("the households' process failed")
        gate_ms = int(time.time() * 1000) + OPENING_MS + WINDOW_S * 1000
        start = {
            "listing_id": await self._community.open_until(gate_ms),
            "first_order_ms": gate_ms - WINDOW_S * 1000,
            "last_order_ms": gate_ms,
        }
        printed, _ = await process.communicate(json.dumps(start).encode() + b"\n")
        if process.returncode:
            raise GatewayFailed("the households' process failed")
        found = json.loads(printed)
        accepted = sorted(found["accepted_ms"])
        self._made += len(accepted)
        return GateRush(
            orders=len(households),
            window_s=WINDOW_S,
            accepted=len(accepted),
            refused=found["refused"],
            lost=len(found["lost"]),
            p50_ms=percentile_ms([each / 1000 for each in accepted], 50) if accepted else 0.0,
            p95_ms=percentile_ms([each / 1000 for each in accepted], 95) if accepted else 0.0,
        )

    async def live_through_a_month(self) -> None:
        """One more household, with a month of hours behind it when this returns."""
        month = Month(self._plan, self._layout, self._clients)
        await month.live_through()
        self._made += month.transactions

    async def one_more(self) -> None:
        """One transaction, so that there is one more block."""
        (offer,) = await self._community.offers(1)
        await _place(self._clients[0], offer)
        self._made += 1

    async def fill(self, transactions: int) -> None:
        """Place orders until the ledger has so many transactions."""
        missing = max(0, transactions - self._made)
        waiting = iter(await self._community.offers(missing) if missing else [])
        newest = 0

        async def worker(client: GatewayClient) -> None:
            nonlocal newest
            for offer in waiting:
                newest = max(newest, await _place(client, offer))

        rotation = itertools.islice(itertools.cycle(self._clients), IN_FLIGHT)
        await asyncio.gather(*(worker(client) for client in rotation))
        await wait_everywhere(self._plan, self._layout, newest)


async def _place(client: GatewayClient, offer: Offer) -> int:
    submit = submitting(client)
    return await submit(offer.household.identity, "market:place_offer", *offer.arguments)


def idgrid_of(number: int) -> str:
    """The IDgrid of a household of the community, which the gateway's settings name before."""
    return household_idgrid("bench", number)


def _spec(household: Household) -> dict[str, object]:
    identity = household.identity
    return {
        "mspid": identity.mspid,
        "certificate_pem": identity.certificate_pem.decode(),
        "key_pem": household.key_pem.decode(),
        "args": [household.res_id, str(OFFER_WH), str(RESERVE_UTOKEN_PER_KWH)],
    }
