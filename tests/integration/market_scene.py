"""A market on a running network: staff, homes with metered sources, listings, raw answers."""

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from time import time_ns
from typing import Any, TypeVar

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chaincode.energy.idgrid import with_check_character
from chaincode.energy.joining import By, Newcomer, joining
from chaincode.energy.oracle.readings import signed_message
from chaincode.energy.oracle.records import MeterReading
from ledger.client.gateway import GatewayClient, SubmittedTransaction
from ledger.client.proposals import UnsignedProposal, new_proposal
from ledger.crypto.signing import Signer, SigningIdentity, generate_key
from network.bench.trial_households import CHAINCODE
from network.certificates.authority import MemberAuthority
from network.certificates.credentials import member_authority
from network.chaincode.planned import commit_definitions
from network.running.clients import connect
from network.running.heads import Head
from tests.integration.running_network import RunningNetwork
from tests.integration.validators import agreed_head

T = TypeVar("T")
MINUTE_MS = 60_000
FLOOR, CAP = 20_000, 102_000
DEPOSIT_UTOKEN = 10**9
HASH = "ab" * 32


def now_ms() -> int:
    return time_ns() // 1_000_000


@dataclass(frozen=True)
class Home:
    """A household that trades, with its source and the meter at its connection."""

    identity: SigningIdentity
    key_pem: bytes = field(repr=False)
    idgrid: str
    res_id: str
    meter_id: str
    meter: Signer

    def reading(self, *, seq: int, t_end_ms: int, import_wh: int, export_wh: int) -> MeterReading:
        unsigned = MeterReading(
            meter_id=self.meter_id,
            seq=seq,
            t_end_ms=t_end_ms,
            import_wh=import_wh,
            export_wh=export_wh,
            quality="measured",
            signature="",
        )
        signature = self.meter.sign(signed_message(unsigned))
        return replace(unsigned, signature=base64.b64encode(signature).decode())


class MarketScene:
    """Who acts on the network, and one event loop for all tests of a module."""

    def __init__(self, network: RunningNetwork, runner: asyncio.Runner) -> None:
        self.network = network
        self.channel_id = network.plan.channel_id
        self._runner = runner
        now = datetime.now(tz=UTC)
        self.authority: MemberAuthority = self.member_authority("cooperative")
        operators = self.member_authority("dso")
        self.manager = _staff(self.authority, "community_manager", now)
        self.operator = _staff(operators, "dso", now)
        self.oracle = _staff(operators, "oracle", now)
        self.clients: list[GatewayClient] = []
        self._numbers = count()

    def member_authority(self, member_id: str) -> MemberAuthority:
        return member_authority(self.network.plan, member_id, self.network.layout)

    def run(self, scene: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(scene)

    async def open(self) -> None:
        """Commit the contract's definition and connect a client to every peer."""
        plan, layout = self.network.plan, self.network.layout
        await commit_definitions(plan, layout)
        self.clients = [connect(plan, member, layout) for member in plan.members]

    async def close(self) -> None:
        await asyncio.gather(*(client.close() for client in self.clients))

    @property
    def client(self) -> GatewayClient:
        """The first member's peer."""
        return self.clients[0]

    # -- transactions -----------------------------------------------------------------------------

    def propose(
        self,
        identity: SigningIdentity,
        function: str,
        *arguments: str,
        at_ms: int | None = None,
        channel_id: str | None = None,
    ) -> UnsignedProposal:
        """A proposal whose client clock says `at_ms`."""
        return new_proposal(
            channel_id=channel_id or self.channel_id,
            chaincode=CHAINCODE,
            function=function,
            args=arguments,
            creator=identity.serialized,
            timestamp_ns=(now_ms() if at_ms is None else at_ms) * 1_000_000,
        )

    async def endorse(self, identity: SigningIdentity, proposal: UnsignedProposal) -> bytes:
        return await self.client.endorse(proposal, identity.sign(proposal.raw))

    async def submit(
        self,
        identity: SigningIdentity,
        function: str,
        *arguments: str,
        at_ms: int | None = None,
    ) -> SubmittedTransaction:
        """Endorse, order and wait; the transaction must become valid."""
        proposal = self.propose(identity, function, *arguments, at_ms=at_ms)
        recorded = await self.client.order(identity, proposal)
        assert recorded.status.is_valid, recorded.status
        return recorded

    async def ask(self, identity: SigningIdentity, function: str, *arguments: str) -> Any:
        raw = await self.client.evaluate_transaction(identity, CHAINCODE, function, *arguments)
        return json.loads(raw)

    @asynccontextmanager
    async def unchanged(self) -> AsyncIterator[Head]:
        """No validator's height, newest block or state changes inside the block."""
        before = await agreed_head(self.network)
        yield before
        assert await agreed_head(self.network) == before

    # -- the market -------------------------------------------------------------------------------

    async def join(self) -> Home:
        """Register and approve one more home with money, a source and a meter."""
        number = next(self._numbers)
        idgrid = with_check_character(f"TEST-{number:06d}")
        pair = self.authority.issue_client(
            idgrid, {"role": "prosumer", "idgrid": idgrid}, now=datetime.now(tz=UTC)
        )
        key = generate_key()
        home = Home(
            identity=self.authority.signing_identity(pair),
            key_pem=pair.key_pem,
            idgrid=idgrid,
            res_id=f"pv-{number}",
            meter_id=f"meter-{number}",
            meter=Signer(key),
        )
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        signers = {
            By.MANAGER: self.manager,
            By.OPERATOR: self.operator,
            By.HOUSEHOLD: home.identity,
        }
        newcomer = Newcomer(
            idgrid=idgrid,
            personal_data_sha256=HASH,
            terms_sha256=HASH,
            meter_id=home.meter_id,
            meter_key=public.decode(),
            res_id=home.res_id,
            nominal_w=5_000,
            deposit_utoken=DEPOSIT_UTOKEN,
        )
        for call in itertools.chain.from_iterable(joining(newcomer)):
            await self.submit(signers[call.by], call.function, *call.args)
        return home

    async def open_listing(self, **instants_ms: int) -> str:
        """Open a listing that takes orders for an hour, or has the given instants."""
        hour = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(hours=next(self._numbers))
        listing_id = hour.strftime("%Y-%m-%dT%H")
        now = now_ms()
        instants = {
            "opens_at_ms": now - MINUTE_MS,
            "gate_closure_ms": now + 60 * MINUTE_MS,
            "delivery_start_ms": now + 61 * MINUTE_MS,
            "delivery_end_ms": now + 121 * MINUTE_MS,
            "settlement_end_ms": now + 181 * MINUTE_MS,
        } | instants_ms
        parameters = instants | {"floor_utoken_per_kwh": FLOOR, "cap_utoken_per_kwh": CAP}
        await self.submit(
            self.manager,
            "market:open_listing",
            listing_id,
            json.dumps(parameters),
            at_ms=instants["opens_at_ms"],
        )
        return listing_id

    async def report(self, *readings: MeterReading) -> None:
        content = json.dumps([asdict(reading) for reading in readings])
        await self.submit(self.oracle, "oracle:report_readings", content)


def _staff(authority: MemberAuthority, role: str, now: datetime) -> SigningIdentity:
    return authority.signing_identity(authority.issue_client(role, {"role": role}, now=now))
