"""Granting and revoking access to a meter's data; who may read what was metered.

Source: 002:245, 002:291-293, rows E009 to E012. The grantee is the trading contract (`market`), a
staff role, or another participant's IDgrid. A revoked or expired grant stops new orders and new
reads; settlement of a running listing does not ask for it.
"""

from dataclasses import replace

from chaincode.energy import arguments, keys
from chaincode.energy.access.grants import in_force
from chaincode.energy.access.records import MARKET, AccessGrants
from chaincode.energy.community import STAFF
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.hours import TIME_MS_MAX
from chaincode.energy.registry.records import Meter
from chaincode.energy.world import World

GRANTEES_PER_PAGE_MAX = 1_000


async def grant(world: World, *, grantee: str, meter_id: str, until_ms: int) -> AccessGrants:
    """The owner lets a grantee read a meter until an instant (0: until revoked)."""
    meter = await _own_meter(world, meter_id)
    await _require_grantee(world, grantee)
    arguments.not_negative(until_ms, "until_ms", at_most=TIME_MS_MAX)
    if until_ms and until_ms <= world.now_ms:
        arguments.bad("until_ms has passed")
    before = await _grants(world, meter.owner_idgrid, grantee)
    entry = {"granted_ms": world.now_ms, "until_ms": until_ms}
    after = replace(before, meters=before.meters | {meter_id: entry})
    await world.put(keys.access(after.owner_idgrid, grantee), after)
    _announce(world, "AccessGranted", after, meter_id, {"until_ms": until_ms})
    return after


async def revoke(world: World, *, grantee: str, meter_id: str) -> AccessGrants:
    """The owner ends a grant; running settlements still complete."""
    owner = (await world.caller_is_registered()).idgrid
    before = await _grants(world, owner, arguments.identifier(grantee, "grantee"))
    if meter_id not in before.meters:
        raise refused(Refusal.UNKNOWN_GRANT, f"{grantee}, {meter_id}")
    left = {name: entry for name, entry in before.meters.items() if name != meter_id}
    after = replace(before, meters=left)
    if left:
        await world.put(keys.access(owner, grantee), after)
    else:
        await world.delete(keys.access(owner, grantee))
    _announce(world, "AccessRevoked", after, meter_id, {})
    return after


async def list_grants(world: World, owner_idgrid: str) -> list[AccessGrants]:
    """The access-control list of an owner, for itself and staff; expired grants are left out."""
    await world.require_own_or_staff(owner_idgrid)
    bounds = keys.under("access", owner_idgrid)
    rows = await world.scan(AccessGrants, bounds, limit=GRANTEES_PER_PAGE_MAX)
    alive = [
        replace(
            grants,
            meters={
                name: entry
                for name, entry in grants.meters.items()
                if in_force(entry, world.now_ms)
            },
        )
        for _, grants in rows
    ]
    return [grants for grants in alive if grants.meters]


async def _own_meter(world: World, meter_id: str) -> Meter:
    owner = (await world.caller_is_registered()).idgrid
    key = keys.meter(arguments.identifier(meter_id, "meter_id"))
    meter = await world.get(Meter, key, Refusal.UNKNOWN_METER, meter_id)
    if meter.owner_idgrid != owner:
        raise refused(Refusal.NOT_YOURS, meter_id)
    return meter


async def _require_grantee(world: World, grantee: str) -> None:
    if grantee == MARKET or grantee in {role.value for role in STAFF}:
        return
    arguments.idgrid(grantee)
    await world.participant(grantee)


async def _grants(world: World, owner_idgrid: str, grantee: str) -> AccessGrants:
    found = await world.find(AccessGrants, keys.access(owner_idgrid, grantee))
    return found or AccessGrants(owner_idgrid=owner_idgrid, grantee=grantee)


def _announce(
    world: World, event: str, grants: AccessGrants, meter_id: str, about: dict[str, object]
) -> None:
    named: dict[str, object] = {
        "owner_idgrid": grants.owner_idgrid,
        "grantee": grants.grantee,
        "meter_id": meter_id,
    }
    world.announce(event, named | about)
