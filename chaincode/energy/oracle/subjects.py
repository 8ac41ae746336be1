"""What can be asked of the oracles, and by whom."""

from chaincode.energy import keys
from chaincode.energy.community import PARTICIPANTS, STAFF
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.registry.records import Meter
from chaincode.energy.world import World

BATTERY_SOC, SMART_METER, PRICE = "battery_soc", "smartmeter", "price"
KINDS = (BATTERY_SOC, SMART_METER, PRICE)


async def require_may_ask(world: World, kind: str, subject: str) -> None:
    """A household asks about its own devices; staff about every device and every price."""
    if world.caller.role not in PARTICIPANTS:
        await world.require_role(STAFF)
    if kind == PRICE:
        if world.caller.role in PARTICIPANTS:
            raise refused(Refusal.ROLE_NOT_ALLOWED, "staff asks for prices")
        return
    device = await world.get(Meter, keys.meter(subject), Refusal.UNKNOWN_METER, subject)
    if world.caller.role in PARTICIPANTS:
        await world.require_own_or_staff(device.owner_idgrid)
