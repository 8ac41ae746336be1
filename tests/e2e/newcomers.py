"""Households that join the running demo over HTTP, as far as a test lets them."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from chaincode.energy.community import Role
from chaincode.energy.joining import By, joining
from chaincode.energy.joining import Newcomer as Registered
from gateway.agent.client import HouseholdClient
from gateway.hems.virtual_meter import VirtualMeter
from ledger.crypto.signing import SigningIdentity
from tests.e2e.scene import HASH, Scene

DEPOSIT_UTOKEN = 1_000_000
NOMINAL_W = 5_000
SOURCE_STEPS = frozenset({"registry:register_res", "registry:approve_res"})


@dataclass(frozen=True)
class Newcomer:
    """A household with its key, its way to the ledger, its meter and its source."""

    idgrid: str
    identity: SigningIdentity
    client: HouseholdClient
    meter: VirtualMeter
    res_id: str


async def newcomer(
    it: Scene, number: str, role: Role = Role.PROSUMER, *, leave_out: Collection[str] = ()
) -> Newcomer:
    """One more household, of an IDgrid's `number`; all steps of joining but those left out.

    Everybody signs with an own key and goes through the gateway.
    """
    idgrid = (await it.on_every_peer("registry:complete_idgrid", f"FON-{number}"))[0].decode()
    identity = it.demo.new_identity("cooperative", idgrid, {"role": role, "idgrid": idgrid})
    home = Newcomer(
        idgrid=idgrid,
        identity=identity,
        client=HouseholdClient(it.http, identity),
        meter=VirtualMeter(f"meter-{number}"),
        res_id=f"pv-{number}",
    )
    registered = Registered(
        idgrid=idgrid,
        personal_data_sha256=HASH,
        terms_sha256=HASH,
        meter_id=home.meter.meter_id,
        meter_key=home.meter.public_key_pem,
        res_id=home.res_id,
        nominal_w=NOMINAL_W,
        deposit_utoken=DEPOSIT_UTOKEN,
        role=role,
    )
    left_out = {*leave_out} | (SOURCE_STEPS if role is Role.CONSUMER else set())
    signers = {
        By.MANAGER: it.staff("community_manager"),
        By.OPERATOR: it.staff("dso"),
        By.HOUSEHOLD: home.client,
    }
    for step in joining(registered):
        calls = [call for call in step if call.function not in left_out]
        await asyncio.gather(
            *(signers[call.by].submit(call.function, call.args, wait=True) for call in calls)
        )
    return home
