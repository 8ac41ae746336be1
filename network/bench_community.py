"""The community a benchmark trades in: prosumers with approved sources, and open listings.

Every measured transaction is one `market:place_offer` of a household that has no other order in
that listing, so all transactions do the same work and none conflicts with another.
"""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chaincode.energy.idgrid import with_check_character
from chaincode.energy.timing import listing_id_at
from ledger.crypto.signing import SigningIdentity, generate_key
from ledger.rpc.client import GatewayClient
from network.creation import member_authority
from network.definitions import wait_everywhere
from network.layout import NetworkLayout
from network.plan import Plan

CHAINCODE = "energy"
MANAGER_MEMBER = "cooperative"
OPERATOR_MEMBER = "dso"
SETUP_IN_FLIGHT = 64
OFFER_WH = 1_500
RESERVE_UTOKEN_PER_KWH = 90_000
FLOOR_UTOKEN_PER_KWH = 50_000
CAP_UTOKEN_PER_KWH = 300_000
FIRST_DELIVERY_HOUR = datetime(2030, 1, 1, tzinfo=UTC)
LISTING_OPEN_DAYS = 30


@dataclass(frozen=True, slots=True)
class Household:
    """A prosumer that signs its own orders."""

    identity: SigningIdentity
    idgrid: str
    res_id: str


@dataclass(frozen=True, slots=True)
class Offer:
    """One measured transaction."""

    household: Household
    listing_id: str

    @property
    def arguments(self) -> tuple[str, ...]:
        """Arguments of market:place_offer."""
        return (
            self.listing_id,
            self.household.res_id,
            str(OFFER_WH),
            str(RESERVE_UTOKEN_PER_KWH),
        )


class Community:
    """Registers households and opens listings through the ledger, as the manager would.

    Each step ends when every validator has it: the next one may ask any of them.
    """

    def __init__(self, plan: Plan, layout: NetworkLayout, clients: list[GatewayClient]) -> None:
        now = datetime.now(tz=UTC)
        self._plan, self._layout = plan, layout
        self._clients = itertools.cycle(clients)
        self._authority = member_authority(plan, MANAGER_MEMBER, layout)
        operator = member_authority(plan, OPERATOR_MEMBER, layout)
        self._now = now
        self._manager = self._authority.signing_identity(
            self._authority.issue_client(
                "bench-manager", now=now, attributes={"role": "community_manager"}
            )
        )
        self._operator = operator.signing_identity(
            operator.issue_client("bench-operator", now=now, attributes={"role": "dso"})
        )
        self._staff = {
            "community_manager": [self._authority.mspid],
            "dso": [operator.mspid],
        }
        self._listings = itertools.count()
        self._households: list[Household] = []

    async def settle_in(self, count: int) -> None:
        """Register and approve `count` prosumers, each with a meter and a source."""
        client = next(self._clients)
        staff = json.dumps(self._staff)
        await self._everywhere([self._call(client, self._manager, "registry:configure", staff)])
        self._households = [self._household(number) for number in range(count)]
        await self._everywhere(self._register(household) for household in self._households)

    async def offers(self, count: int) -> list[Offer]:
        """`count` offers to place; opens the listings they are for."""
        listings = -(-count // len(self._households))
        ids = [self._next_listing_id() for _ in range(listings)]
        await self._everywhere(self._open(listing_id) for listing_id in ids)
        pairs: Iterator[Offer] = (Offer(h, listing) for listing in ids for h in self._households)
        return list(itertools.islice(pairs, count))

    def _household(self, number: int) -> Household:
        idgrid = with_check_character(f"BENCH-{number:06d}")
        pair = self._authority.issue_client(
            f"household-{number}",
            now=self._now,
            attributes={"role": "prosumer", "idgrid": idgrid},
        )
        return Household(
            identity=self._authority.signing_identity(pair),
            idgrid=idgrid,
            res_id=f"pv-{number}",
        )

    async def _register(self, household: Household) -> int:
        idgrid, res_id, meter_id = household.idgrid, household.res_id, f"m-{household.res_id}"
        hashed = "0" * 64
        # One peer for all of it: each step builds on what that peer has committed.
        call = partial(self._call, next(self._clients))
        manager, operator = self._manager, self._operator
        await call(manager, "registry:register_participant", idgrid, "prosumer", hashed)
        await call(manager, "registry:register_meter", meter_id, idgrid, _meter_key())
        await call(manager, "registry:register_res", res_id, idgrid, "solar", "5000")
        await call(operator, "registry:approve_participant", idgrid)
        return await call(operator, "registry:approve_res", res_id)

    async def _open(self, listing_id: str) -> int:
        opens = int(self._now.timestamp() * 1000)
        closes = opens + LISTING_OPEN_DAYS * 24 * 3_600_000
        parameters = {
            "floor_utoken_per_kwh": FLOOR_UTOKEN_PER_KWH,
            "cap_utoken_per_kwh": CAP_UTOKEN_PER_KWH,
            "opens_at_ms": opens,
            "gate_closure_ms": closes,
            "delivery_start_ms": closes + 1,
            "delivery_end_ms": closes + 3_600_001,
            "settlement_end_ms": closes + 7_200_000,
        }
        client = next(self._clients)
        return await self._call(
            client, self._manager, "market:open_listing", listing_id, json.dumps(parameters)
        )

    async def _call(
        self, client: GatewayClient, identity: SigningIdentity, function: str, *arguments: str
    ) -> int:
        """The number of the block that holds the transaction."""
        submitted = await client.submit_transaction(identity, CHAINCODE, function, *arguments)
        return submitted.status.block_number

    async def _everywhere(self, work: Iterable[Awaitable[int]]) -> None:
        """Do it all, some at a time, and wait until every validator has the last block of it."""
        await wait_everywhere(self._plan, self._layout, await _in_parallel(work))

    def _next_listing_id(self) -> str:
        hour = FIRST_DELIVERY_HOUR + timedelta(hours=next(self._listings))
        return listing_id_at(int(hour.timestamp()) * 1_000)


def _meter_key() -> str:
    public = generate_key().public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


async def _in_parallel(work: Iterable[Awaitable[int]]) -> int:
    """Await all of it, some at a time; the newest of the block numbers."""
    waiting = iter(list(work))
    newest = 0

    async def worker() -> None:
        nonlocal newest
        for one in waiting:
            newest = max(newest, await one)

    await asyncio.gather(*(worker() for _ in range(SETUP_IN_FLIGHT)))
    return newest
