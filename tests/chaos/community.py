"""Households of a chaos network: registered once, found again by later runs in the folder."""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chaincode.energy.idgrid import with_check_character
from chaincode.energy.timing import listing_id_at
from ledger.crypto.signing import SigningIdentity, generate_key
from ledger.rpc.client import GatewayClient
from network.bench_community import (
    CAP_UTOKEN_PER_KWH,
    CHAINCODE,
    FLOOR_UTOKEN_PER_KWH,
    MANAGER_MEMBER,
    OPERATOR_MEMBER,
)
from network.creation import member_authority
from network.layout import NetworkLayout
from network.plan import Plan

HOUSEHOLDS = 4
FIRST_HOUR = datetime(2031, 1, 1, tzinfo=UTC)
HOURS = 200_000
OPEN_DAYS = 30
HASH = "0" * 64


@dataclass(frozen=True)
class Household:
    identity: SigningIdentity
    idgrid: str
    res_id: str


class ChaosCommunity:
    """Staff and households: new certificates each time, what they own is on the ledger."""

    def __init__(self, plan: Plan, layout: NetworkLayout) -> None:
        self._now = datetime.now(tz=UTC)
        self._authority = member_authority(plan, MANAGER_MEMBER, layout)
        operators = member_authority(plan, OPERATOR_MEMBER, layout)
        issue = self._authority.issue_client
        self.manager = self._authority.signing_identity(
            issue("chaos-manager", now=self._now, attributes={"role": "community_manager"})
        )
        self.operator = operators.signing_identity(
            operators.issue_client("chaos-operator", now=self._now, attributes={"role": "dso"})
        )
        self._staff = {
            "community_manager": [self._authority.mspid],
            "dso": [operators.mspid],
        }
        self.households = [self._household(number) for number in range(HOUSEHOLDS)]

    def _household(self, number: int) -> Household:
        idgrid = with_check_character(f"CHAOS-{number:06d}")
        pair = self._authority.issue_client(
            f"household-{number}",
            now=self._now,
            attributes={"role": "prosumer", "idgrid": idgrid},
        )
        identity = self._authority.signing_identity(pair)
        return Household(identity, idgrid, res_id=f"pv-{number}")

    async def settle_in(self, client: GatewayClient) -> None:
        """Register everybody; all through one peer, since each step builds on the one before."""

        async def call(identity: SigningIdentity, function: str, *arguments: str) -> None:
            await client.submit_transaction(identity, CHAINCODE, function, *arguments)

        await call(self.manager, "registry:configure", json.dumps(self._staff))
        for home in self.households:
            meter, idgrid = f"m-{home.res_id}", home.idgrid
            await call(self.manager, "registry:register_participant", idgrid, "prosumer", HASH)
            await call(self.manager, "registry:register_meter", meter, idgrid, _meter_key())
            await call(self.manager, "registry:register_res", home.res_id, idgrid, "solar", "5000")
            await call(self.operator, "registry:approve_participant", idgrid)
            await call(self.operator, "registry:approve_res", home.res_id)

    async def open_listing(self, client: GatewayClient) -> str:
        """A new listing that takes one offer and one bid of each household."""
        hour = FIRST_HOUR + timedelta(hours=secrets.randbelow(HOURS))
        listing_id = listing_id_at(int(hour.timestamp()) * 1_000)
        opens = int(self._now.timestamp() * 1_000)
        closes = opens + OPEN_DAYS * 24 * 3_600_000
        parameters = {
            "floor_utoken_per_kwh": FLOOR_UTOKEN_PER_KWH,
            "cap_utoken_per_kwh": CAP_UTOKEN_PER_KWH,
            "opens_at_ms": opens,
            "gate_closure_ms": closes,
            "delivery_start_ms": closes + 1,
            "delivery_end_ms": closes + 3_600_001,
            "settlement_end_ms": closes + 7_200_000,
        }
        await client.submit_transaction(
            self.manager, CHAINCODE, "market:open_listing", listing_id, json.dumps(parameters)
        )
        return listing_id


def _meter_key() -> str:
    public = generate_key().public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
