"""Bringing a community onto the ledger: everyone registered, approved and given tokens.

The manager registers, the household consents and opens its meter to the market, the grid operator
approves, the manager issues tokens; each with an own key and, per household, in the order the
contract asks for. All households go side by side.
"""

import asyncio
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chaincode.energy.access.records import MARKET
from chaincode.energy.registry.person_records import INDEX_KEY_BYTES, SALT_BYTES
from gateway.actor import Actor
from ledger.crypto.hashing import sha256

DEPOSIT_UTOKEN = 20_000_000
TERMS_SHA256 = sha256(b"The rules of the demo community.").hex()
IN_FLIGHT_MAX = 8


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What is registered of a household."""

    idgrid: str
    name: str
    email: str
    res_id: str
    pv_nominal_w: int
    meter_id: str
    meter_key_pem: str
    actor: Actor
    """The household itself: it agrees to the terms, opens its meter to the market, owns its PV."""


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
    staff: Staff, newcomers: Sequence[Newcomer], on_done: Callable[[], None]
) -> list[str]:
    """Register everybody; `on_done` is called after each. Returns ids of the last transactions."""
    slots = asyncio.Semaphore(IN_FLIGHT_MAX)

    async def one(newcomer: Newcomer) -> list[str]:
        async with slots:
            last = await _register(staff, newcomer)
        on_done()
        return last

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(newcomer)) for newcomer in newcomers]
    return [done for task in tasks for done in task.result()]


async def _register(staff: Staff, newcomer: Newcomer) -> list[str]:
    # Name and e-mail stay with two members; what the whole ledger holds is a salted hash of them.
    person = {
        "name": newcomer.name.encode(),
        "email": newcomer.email.encode(),
        "salt": secrets.token_bytes(SALT_BYTES),
    }
    recorded = await staff.manager.commit("persons:record", newcomer.idgrid, transient=person)
    personal_data_hash = json.loads(recorded.result)["personal_data_hash"]
    await staff.manager.commit(
        "registry:register_participant", newcomer.idgrid, "prosumer", personal_data_hash
    )
    await staff.manager.commit(
        "registry:register_meter", newcomer.meter_id, newcomer.idgrid, newcomer.meter_key_pem
    )
    await newcomer.actor.commit("membership:consent", TERMS_SHA256)
    registered = await asyncio.gather(
        newcomer.actor.commit("access:grant", MARKET, newcomer.meter_id),
        newcomer.actor.commit(
            "registry:register_res",
            newcomer.res_id,
            newcomer.idgrid,
            "solar",
            str(newcomer.pv_nominal_w),
        ),
        staff.manager.commit("tokens:deposit", newcomer.idgrid, str(DEPOSIT_UTOKEN), "welcome"),
    )
    await staff.operator.see(done.tx_id for done in registered)
    await staff.operator.commit("registry:approve_meter", newcomer.meter_id)
    approved = await asyncio.gather(
        staff.operator.commit("registry:approve_participant", newcomer.idgrid),
        staff.operator.commit("registry:approve_res", newcomer.res_id),
    )
    return [done.tx_id for done in (*registered, *approved)]
