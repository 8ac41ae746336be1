"""Bringing a community onto the ledger: everyone registered, approved and given tokens.

Each call is signed with the key of whoever it is up to (`chaincode.energy.joining`).
All households go side by side.
"""

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from chaincode.energy.joining import By, Call, Newcomer, Step, joining
from chaincode.energy.registry.person_records import INDEX_KEY_BYTES, SALT_BYTES
from gateway.ledger_access.actor import Actor
from gateway.web.languages import language
from gateway.web.terms import short_terms

DEPOSIT_UTOKEN = 20_000_000
TERMS_SHA256 = short_terms(language("en")).sha256_hex
"""What the page `/terms` shows in English."""
IN_FLIGHT_MAX = 8


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a household has beside the meter at its connection; keys by device, PEM."""

    pv_meter: Mapping[str, str] = field(default_factory=dict)
    """At its solar panels; at most one."""
    battery: Mapping[str, str] = field(default_factory=dict)
    """Its controller's key; the source has the same name. At most one."""
    battery_capacity_wh: int = 0
    plugs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A household that joins: what is registered of it, and itself."""

    idgrid: str
    name: str
    email: str
    res_id: str
    pv_nominal_w: int
    meter_id: str
    meter_key_pem: str
    actor: Actor
    """The household itself: it agrees to the terms, opens its meter to the market, owns its PV."""
    equipment: Equipment = field(default_factory=Equipment)


@dataclass(frozen=True, slots=True)
class Staff:
    """Who registers and who approves."""

    manager: Actor
    operator: Actor


async def configure(staff: Staff, role_members: dict[str, list[str]]) -> None:
    """Which members' certificates count for which staff role; the register of persons opens."""
    await staff.manager.submit("registry:configure", json.dumps(role_members))
    index_key = {"index_key": secrets.token_bytes(INDEX_KEY_BYTES)}
    await staff.manager.commit("persons:set_index_key", transient=index_key)


async def register_all(
    staff: Staff, neighbours: Sequence[Neighbour], on_done: Callable[[], None]
) -> list[str]:
    """Register everybody; `on_done` is called after each. Returns ids of the last transactions."""
    slots = asyncio.Semaphore(IN_FLIGHT_MAX)

    async def one(neighbour: Neighbour) -> list[str]:
        async with slots:
            last = await _register(staff, neighbour)
        on_done()
        return last

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(neighbour)) for neighbour in neighbours]
    return [done for task in tasks for done in task.result()]


async def _register(staff: Staff, neighbour: Neighbour) -> list[str]:
    """Ids of the last step's transactions: who has them has all the others."""
    actors = {
        By.MANAGER: staff.manager,
        By.OPERATOR: staff.operator,
        By.HOUSEHOLD: neighbour.actor,
    }
    newcomer = Newcomer(
        idgrid=neighbour.idgrid,
        personal_data_sha256=await _record_person(staff, neighbour),
        terms_sha256=TERMS_SHA256,
        meter_id=neighbour.meter_id,
        meter_key=neighbour.meter_key_pem,
        res_id=neighbour.res_id,
        nominal_w=neighbour.pv_nominal_w,
        deposit_utoken=DEPOSIT_UTOKEN,
    )
    sent: list[str] = []
    for step in (*joining(newcomer), *equipping(neighbour)):
        if any(call.by is By.OPERATOR for call in step):
            await staff.operator.see(sent)  # another member's peer may be a block behind
        calls = [actors[call.by].commit(call.function, *call.args) for call in step]
        sent = [done.tx_id for done in await asyncio.gather(*calls)]
    return sent


def equipping(neighbour: Neighbour) -> list[Step]:
    """The calls that register a household's equipment, after it has joined."""
    own, idgrid = neighbour.equipment, neighbour.idgrid
    register = "devices:register"
    sources = [
        Call(
            By.HOUSEHOLD,
            "registry:register_res",
            (battery, idgrid, "battery", str(own.battery_capacity_wh)),
        )
        for battery in own.battery
    ]
    devices = [
        Call(By.MANAGER, register, (meter, "meter", idgrid, key, neighbour.res_id))
        for meter, key in own.pv_meter.items()
    ]
    devices += [
        Call(By.MANAGER, register, (battery, "battery", idgrid, key, battery))
        for battery, key in own.battery.items()
    ]
    devices += [
        Call(By.MANAGER, register, (plug, "plug", idgrid, key)) for plug, key in own.plugs.items()
    ]
    approvals = [Call(By.OPERATOR, "registry:approve_meter", (call.args[0],)) for call in devices]
    approvals += [Call(By.OPERATOR, "registry:approve_res", (name,)) for name in own.battery]
    return [step for step in (tuple(sources), tuple(devices), tuple(approvals)) if step]


async def _record_person(staff: Staff, neighbour: Neighbour) -> str:
    """Name and e-mail stay with two members; what all the ledger holds is this salted hash."""
    person = {
        "name": neighbour.name.encode(),
        "email": neighbour.email.encode(),
        "salt": secrets.token_bytes(SALT_BYTES),
    }
    recorded = await staff.manager.commit("persons:record", neighbour.idgrid, transient=person)
    return str(json.loads(recorded.result)["personal_data_hash"])
