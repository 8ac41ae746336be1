"""A household's month on a running network: what its pages have to show, made in a minute.

It sells in the hours of sun; each is a listing, traded, metered and settled. Deliveries last a
second, one after another, around the present. Peers take clocks that are up to a quarter of an
hour off: who orders signs with an early clock, who settles with a late one, and nobody waits.
"""

import itertools
import json
import time
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from chaincode.energy.hours import DAY_MS, listing_id_at
from chaincode.energy.oracle.records import MeterReading
from ledger.client.gateway import CommitFailed, GatewayClient
from ledger.client.proposals import new_proposal
from ledger.crypto.signing import SigningIdentity
from network.bench.parallel import in_parallel
from network.bench.settlement import PAYING, READINGS_PER_REPORT, BenchMeter
from network.bench.trial_households import (
    CAP_UTOKEN_PER_KWH,
    CHAINCODE,
    FLOOR_UTOKEN_PER_KWH,
    HOUR_MS,
    Household,
    TrialHouseholds,
    household_idgrid,
    submitting,
)
from network.layout import NetworkLayout
from network.plan import Plan
from network.running.clients import wait_everywhere

NAME = "month"
DAYS, FIRST_HOUR, HOURS_A_DAY = 31, 10, 8
"""So many days until yesterday; in UTC, so many hours of sun from then on."""
HOURS = DAYS * HOURS_A_DAY
BUYERS = 8
"""Bids of one household wait for each other, since each locks money."""
IN_FLIGHT = 64
DELIVERY_MS = 1_000
EARLY_MS = 60_000
"""Before the first gate, on the clocks of who opens and orders."""
DEPOSIT_UTOKEN = 10**9
OFFERED_AT, BID_AT = 90_000, 120_000
ENERGY_WH, MORE_EACH_HOUR_WH = 200, 40


def idgrid_of_the_month() -> str:
    """Whose month it is: the household that sold every hour."""
    return household_idgrid(NAME, 0)


@dataclass(frozen=True, slots=True)
class _Home:
    household: Household
    meter: BenchMeter


@dataclass(frozen=True, slots=True)
class _Hour:
    """One listing: its second of delivery, who buys, and how much."""

    listing_id: str
    start_ms: int
    buyer: _Home
    energy_wh: int

    @property
    def end_ms(self) -> int:
        """End of its delivery."""
        return self.start_ms + DELIVERY_MS


class Month:
    """See the module's docstring. The staff's roles are on the ledger already."""

    def __init__(
        self, plan: Plan, layout: NetworkLayout, clients: Sequence[GatewayClient]
    ) -> None:
        self._plan, self._layout = plan, layout
        self._clients = itertools.cycle(clients)
        self._trial = TrialHouseholds(plan, layout, name=NAME)
        self._seller, *self._buyers = (_home(self._trial, number) for number in range(BUYERS + 1))
        self._first_ms = 0
        self.transactions = 0
        """So many were made, registrations left out."""

    async def live_through(self) -> None:
        """Register everybody, then trade, meter and settle each hour."""
        await self._everywhere(map(self._join, (self._seller, *self._buyers)))
        self._first_ms = int(time.time() * 1_000) - HOURS * DELIVERY_MS // 2
        hours = _hours(self._first_ms, self._buyers)
        await self._everywhere(map(self._open, hours))
        bids = (hours[number::BUYERS] for number in range(BUYERS))
        await self._everywhere([*map(self._offer, hours), *map(self._bid, bids)])
        await self._everywhere(map(self._clear, hours))
        await self._everywhere([self._report(hours)])
        await self._everywhere([self._settle(hours)])

    async def _join(self, home: _Home) -> int:
        return await self._trial.register(
            submitting(next(self._clients)),
            home.household,
            meter_key_pem=home.meter.public_key_pem,
            deposit_utoken=DEPOSIT_UTOKEN,
        )

    async def _open(self, hour: _Hour) -> int:
        parameters = {
            "floor_utoken_per_kwh": FLOOR_UTOKEN_PER_KWH,
            "cap_utoken_per_kwh": CAP_UTOKEN_PER_KWH,
            "opens_at_ms": self._early_ms,
            "gate_closure_ms": hour.start_ms,
            "delivery_start_ms": hour.start_ms,
            "delivery_end_ms": hour.end_ms,
            "settlement_end_ms": hour.end_ms + DELIVERY_MS,
            "reading_tolerance_ms": 0,
        }
        content = (hour.listing_id, json.dumps(parameters))
        manager = self._trial.manager
        return await self._early(next(self._clients), manager, "market:open_listing", *content)

    async def _offer(self, hour: _Hour) -> int:
        seller = self._seller.household
        order = (hour.listing_id, seller.res_id, str(hour.energy_wh), str(OFFERED_AT))
        return await self._early(
            next(self._clients), seller.identity, "market:place_offer", *order
        )

    async def _bid(self, hours: Sequence[_Hour]) -> int:
        """Of one buyer, one after the other and through one peer."""
        client, block = next(self._clients), 0
        for hour in hours:
            order = (hour.listing_id, str(hour.energy_wh), str(BID_AT))
            identity = hour.buyer.household.identity
            block = await self._early(client, identity, "market:place_bid", *order)
        return block

    async def _clear(self, hour: _Hour) -> int:
        client, operator = next(self._clients), self._trial.operator
        for function in ("market:close_bidding", "market:clear"):
            block, _ = await self._late(client, operator, function, hour.listing_id)
        return block

    async def _report(self, hours: Sequence[_Hour]) -> int:
        """Everybody's registers at every turn, in the order of time."""
        seller = self._seller.meter
        first = [asdict(seller.reading(self._first_ms))]
        readings = first + [asdict(one) for hour in hours for one in _readings(hour, seller)]
        client, block = next(self._clients), 0
        for start in range(0, len(readings), READINGS_PER_REPORT):
            content = json.dumps(readings[start : start + READINGS_PER_REPORT])
            oracle = self._trial.oracle
            block, _ = await self._late(client, oracle, "oracle:report_readings", content)
        return block

    async def _settle(self, hours: Sequence[_Hour]) -> int:
        """One after the other: all pay the same household."""
        client, operator = next(self._clients), self._trial.operator
        for hour in hours:
            state = PAYING
            while state == PAYING:
                block, record = await self._late(
                    client, operator, "market:settle", hour.listing_id
                )
                state = record["state"]
        return block

    @property
    def _early_ms(self) -> int:
        return self._first_ms - EARLY_MS

    async def _early(
        self, client: GatewayClient, identity: SigningIdentity, function: str, *args: str
    ) -> int:
        block, _ = await self._at(self._early_ms, client, identity, function, *args)
        return block

    async def _late(
        self, client: GatewayClient, identity: SigningIdentity, function: str, *args: str
    ) -> tuple[int, Any]:
        at_ms = self._first_ms + HOURS * DELIVERY_MS
        return await self._at(at_ms, client, identity, function, *args)

    async def _at(
        self,
        at_ms: int,
        client: GatewayClient,
        identity: SigningIdentity,
        function: str,
        *args: str,
    ) -> tuple[int, Any]:
        """(block, the contract's answer) of a transaction that this clock dates."""
        proposal = new_proposal(
            channel_id=self._plan.channel_id,
            creator=identity.serialized,
            chaincode=CHAINCODE,
            function=function,
            args=args,
            timestamp_ns=at_ms * 1_000_000,
        )
        done = await client.order(identity, proposal)
        if not done.status.is_valid:
            raise CommitFailed(proposal.tx_id, done.status)
        self.transactions += 1
        return done.status.block_number, json.loads(done.result) if done.result else None

    async def _everywhere(self, work: Iterable[Awaitable[int]]) -> None:
        """Do it all, some at a time, and wait until every validator has the last block of it."""
        blocks = await in_parallel(work, in_flight=IN_FLIGHT)
        await wait_everywhere(self._plan, self._layout, max(blocks))


def _home(trial: TrialHouseholds, number: int) -> _Home:
    """Its source and meter have names that no other trial's have."""
    household = trial.household(number)
    named = replace(household, res_id=f"{NAME}-{household.res_id}")
    return _Home(named, BenchMeter(f"m-{named.res_id}"))


def _hours(first_ms: int, buyers: Sequence[_Home]) -> list[_Hour]:
    """Of the days before today; the sun gives more towards the end of each day."""
    begin_ms = (first_ms // DAY_MS - DAYS) * DAY_MS + FIRST_HOUR * HOUR_MS
    return [
        _Hour(
            listing_id=listing_id_at(begin_ms + day * DAY_MS + hour * HOUR_MS),
            start_ms=first_ms + (day * HOURS_A_DAY + hour) * DELIVERY_MS,
            buyer=buyers[hour % BUYERS],
            energy_wh=ENERGY_WH + MORE_EACH_HOUR_WH * hour,
        )
        for day, hour in itertools.product(range(DAYS), range(HOURS_A_DAY))
    ]


def _readings(hour: _Hour, seller: BenchMeter) -> list[MeterReading]:
    """At its ends; the seller's at the beginning was read at the end of the hour before."""
    buyer = hour.buyer.meter
    before = buyer.reading(hour.start_ms)
    seller.export_wh += hour.energy_wh
    buyer.import_wh += hour.energy_wh
    return [before, seller.reading(hour.end_ms), buyer.reading(hour.end_ms)]
