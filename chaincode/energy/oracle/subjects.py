"""What can be asked of the oracles, and by whom."""

from chaincode.energy import keys
from chaincode.energy.access.grants import require_granted
from chaincode.energy.access.records import MARKET
from chaincode.energy.community import PARTICIPANTS, STAFF
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.records import decode
from chaincode.energy.registry.records import Meter, Participant, Res
from chaincode.energy.world import World

BATTERY_SOC, SMART_METER, PRICE = "battery_soc", "smartmeter", "price"
KINDS = (BATTERY_SOC, SMART_METER, PRICE)
TOLERANCE_MAX = {BATTERY_SOC: 500, SMART_METER: 50, PRICE: 0}
"""How far apart answers may lie and still agree, in the units of the answer. It is the asker's
choice, and one liar can move the value by that much: so little, and nothing where money hangs on
it."""


async def require_may_ask(world: World, kind: str, subject: str) -> None:
    """A household asks about its own devices; staff about prices and what the market may read.

    `subject` is a battery's RESid, a meter's id, or the name of a price series.
    """
    if world.caller.role not in PARTICIPANTS:
        await world.require_role(STAFF)
    if kind == PRICE:
        if world.caller.role in PARTICIPANTS:
            raise refused(Refusal.ROLE_NOT_ALLOWED, "staff asks for prices")
        return
    owner = await _owner(world, kind, subject)
    if world.caller.role in PARTICIPANTS:
        await world.require_own_or_staff(owner)
    else:
        await _require_grant(world, kind, subject, owner)


async def _owner(world: World, kind: str, subject: str) -> str:
    if kind == BATTERY_SOC:
        source = await world.get(Res, keys.res(subject), Refusal.UNKNOWN_RES, subject)
        return source.owner_idgrid
    meter = await world.get(Meter, keys.meter(subject), Refusal.UNKNOWN_METER, subject)
    return meter.owner_idgrid


async def _require_grant(world: World, kind: str, subject: str, owner: str) -> None:
    """What the market may read of a household, staff may ask for (002:245).

    A battery is read with the meters of its household.
    """
    person_raw, grants_raw = await world.stub.get_states(
        [keys.participant(owner), keys.access(owner, MARKET)]
    )
    meters = [subject]
    if kind == BATTERY_SOC:
        meters = decode(Participant, person_raw).meter_ids if person_raw else []
    require_granted(grants_raw, meters, world.now_ms)
