"""Households for measurements and trials: staff, registration, listings they trade in."""

import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chaincode.energy.idgrid import with_check_character
from chaincode.energy.joining import By, Newcomer, joining
from ledger.client.gateway import GatewayClient
from ledger.crypto.signing import SigningIdentity, generate_key
from network.certificates.credentials import member_authority
from network.layout import NetworkLayout
from network.plan import Plan

CHAINCODE = "energy"
MANAGER_MEMBER = "cooperative"
OPERATOR_MEMBER = "dso"
FLOOR_UTOKEN_PER_KWH = 50_000
CAP_UTOKEN_PER_KWH = 300_000
LISTING_OPEN_DAYS = 30
HOUR_MS = 3_600_000
NO_DOCUMENT_SHA256 = "0" * 64
NOMINAL_W = 5_000


@dataclass(frozen=True, slots=True)
class Household:
    """A prosumer that signs its own orders."""

    identity: SigningIdentity
    key_pem: bytes = field(repr=False)
    """The identity's key, for a client of another language."""
    idgrid: str
    res_id: str


class Submit(Protocol):
    """Submits a transaction of the energy contract and waits for its commit."""

    async def __call__(self, identity: SigningIdentity, function: str, *arguments: str) -> int:
        """The number of the block that holds it."""


class TrialHouseholds:
    """Staff and households with new certificates; what they own is on the ledger."""

    def __init__(self, plan: Plan, layout: NetworkLayout, *, name: str) -> None:
        """`name` tells the grid ids of one kind of trial from those of another."""
        self._name = name
        self._now = datetime.now(tz=UTC)
        self._authority = member_authority(plan, MANAGER_MEMBER, layout)
        operators = member_authority(plan, OPERATOR_MEMBER, layout)
        self.manager = self._authority.signing_identity(
            self._authority.issue_client(
                f"{name}-manager", now=self._now, attributes={"role": "community_manager"}
            )
        )
        self.operator = operators.signing_identity(
            operators.issue_client(f"{name}-operator", now=self._now, attributes={"role": "dso"})
        )
        self.oracle_pair = operators.issue_client(
            f"{name}-oracle", now=self._now, attributes={"role": "oracle"}
        )
        """Its certificate and key, for a process of its own."""
        self.oracle = operators.signing_identity(self.oracle_pair)
        self._staff = {
            "community_manager": [self._authority.mspid],
            "dso": [operators.mspid],
            "oracle": [operators.mspid],
        }

    def household(self, number: int) -> Household:
        """The household of that number, with a new certificate."""
        idgrid = household_idgrid(self._name, number)
        pair = self._authority.issue_client(
            f"household-{number}",
            now=self._now,
            attributes={"role": "prosumer", "idgrid": idgrid},
        )
        identity = self._authority.signing_identity(pair)
        return Household(identity, pair.key_pem, idgrid, res_id=f"pv-{number}")

    async def configure(self, submit: Submit) -> int:
        """Say on the ledger which members' staff may do what."""
        return await submit(self.manager, "registry:configure", json.dumps(self._staff))

    async def register(
        self,
        submit: Submit,
        household: Household,
        *,
        meter_key_pem: str | None = None,
        deposit_utoken: int = 0,
    ) -> int:
        """Register and approve a household with a meter and a source; it agrees to trade.

        Each step builds on the one before: all through one peer. Without a key for its meter
        one is made and thrown away.
        """
        signers = {
            By.MANAGER: self.manager,
            By.OPERATOR: self.operator,
            By.HOUSEHOLD: household.identity,
        }
        newcomer = Newcomer(
            idgrid=household.idgrid,
            personal_data_sha256=NO_DOCUMENT_SHA256,
            terms_sha256=NO_DOCUMENT_SHA256,
            meter_id=f"m-{household.res_id}",
            meter_key=meter_key_pem or _meter_key(),
            res_id=household.res_id,
            nominal_w=NOMINAL_W,
            deposit_utoken=deposit_utoken,
        )
        block = 0
        for call in itertools.chain.from_iterable(joining(newcomer)):
            block = await submit(signers[call.by], call.function, *call.args)
        return block

    async def open_listing(
        self,
        submit: Submit,
        listing_id: str,
        *,
        opens_ms: int | None = None,
        gate_closure_ms: int | None = None,
        delivery_ms: int = HOUR_MS,
        **parameters: int,
    ) -> int:
        """Open a listing that takes orders until the gate, else for LISTING_OPEN_DAYS.

        It opens now unless told, delivery begins with the gate, and as long as that may take its
        settlement after it; `parameters` are the contract's further ones.
        """
        opens = int(self._now.timestamp() * 1_000) if opens_ms is None else opens_ms
        closes = gate_closure_ms or opens + LISTING_OPEN_DAYS * 24 * HOUR_MS
        whole = {
            "floor_utoken_per_kwh": FLOOR_UTOKEN_PER_KWH,
            "cap_utoken_per_kwh": CAP_UTOKEN_PER_KWH,
            "opens_at_ms": opens,
            "gate_closure_ms": closes,
            "delivery_start_ms": closes,
            "delivery_end_ms": closes + delivery_ms,
            "settlement_end_ms": closes + 2 * delivery_ms,
            **parameters,
        }
        return await submit(self.manager, "market:open_listing", listing_id, json.dumps(whole))


def household_idgrid(name: str, number: int) -> str:
    """The grid id of a trial's household."""
    return with_check_character(f"{name.upper()}-{number:06d}")


def submitting(client: GatewayClient) -> Submit:
    """Submit through this client."""

    async def submit(identity: SigningIdentity, function: str, *arguments: str) -> int:
        submitted = await client.submit_transaction(identity, CHAINCODE, function, *arguments)
        return submitted.status.block_number

    return submit


def _meter_key() -> str:
    public = generate_key().public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
