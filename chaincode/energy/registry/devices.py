"""Devices as tokens: who owns a meter, battery or plug, its key, and giving it to somebody else.

A transfer takes both sides: the owner names the new owner, who accepts. From then on only the
new owner can grant access to its data (row E005, 002:390). At whose connection a meter counts is
the grid operator's word, on registration as after a transfer: else somebody could sell what
another house exports. Deliveries that began before a transfer stay the former owner's:
settlement goes by the index of connections, which keeps the periods.
"""

from dataclasses import replace

from chaincode.energy import arguments, keys
from chaincode.energy.arguments import bad
from chaincode.energy.community import GRID_OPERATORS
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.registry.device_keys import device_key
from chaincode.energy.registry.records import (
    TIERS,
    Connection,
    Meter,
    Participant,
    Res,
    Status,
)
from chaincode.energy.registry.registration import (
    BATTERY,
    MAY_REGISTER,
    require_owner_or,
    require_same_owner,
)
from chaincode.energy.sight import sight_of
from chaincode.energy.world import World

METER, PLUG = "meter", "plug"
OWN_KEY_TIER = "B"
KINDS = (METER, BATTERY, PLUG)


async def register(
    world: World,
    *,
    device_id: str,
    kind: str,
    owner_idgrid: str,
    public_key: str,
    res_id: str,
    tier: str = OWN_KEY_TIER,
) -> Meter:
    """Bind a device and its key to an owner; a meter without `res_id` is at the connection.

    Of tier A `public_key` is the attesting gateway's; the grid operator sees that on approval.
    """
    await require_owner_or(world, owner_idgrid, MAY_REGISTER)
    arguments.identifier(device_id, "meter_id")
    await world.participant(owner_idgrid)
    await _require_own_source(world, res_id, owner_idgrid)
    require_same_owner(await world.find(Res, keys.res(device_id)), owner_idgrid, device_id)
    key = device_key(public_key)
    record = Meter(
        meter_id=device_id,
        owner_idgrid=owner_idgrid,
        public_key_pem=key.pem,
        key_fingerprint=key.fingerprint,
        res_id=res_id or None,
        status=Status.PENDING,
        kind=arguments.one_of(kind, "kind", KINDS),
        tier=arguments.one_of(tier, "tier", TIERS),
    )
    await world.add(keys.meter(device_id), record, device_id)
    world.announce("MeterRegistered", {"meter_id": device_id, "owner_idgrid": owner_idgrid})
    return record


async def approve(world: World, device_id: str) -> Meter:
    """The grid operator admits a device's readings, and a meter at its owner's connection.

    A meter that changed hands is approved again: its readings go on counting, but which
    connection or source it measures is for the grid operator to say.
    """
    await world.require_role(GRID_OPERATORS)
    device = await get(world, device_id)
    approved = replace(device, status=Status.APPROVED, approved_res_id=device.res_id or "")
    await world.put(keys.meter(device_id), approved)
    if approved.is_at_connection:
        await _connect(world, approved)
    world.announce("Approved", {"meter_id": device_id})
    return approved


async def get(world: World, device_id: str) -> Meter:
    """The record of a device."""
    key = keys.meter(arguments.identifier(device_id, "meter_id"))
    return await world.get(Meter, key, Refusal.UNKNOWN_METER, device_id)


async def record_seen(world: World, device_id: str) -> Meter:
    """The record of a device: for its owner, for whom it is offered to, and for staff."""
    device = await get(world, device_id)
    sight = await sight_of(world)
    if not sight.names(device.owner_idgrid, device.transfer_to):
        raise refused(Refusal.NOT_YOURS, device_id)
    return device


async def offer_transfer(world: World, *, device_id: str, to_idgrid: str) -> Meter:
    """The owner names who may take the device over; an empty name withdraws that."""
    device = await get(world, device_id)
    caller = await world.caller_is_registered()
    if device.owner_idgrid != caller.idgrid:
        raise refused(Refusal.NOT_YOURS, device_id)
    if to_idgrid == caller.idgrid:
        bad("to_idgrid is the owner already")
    if to_idgrid:
        _require_member(await world.participant(to_idgrid))
    offered = replace(device, transfer_to=to_idgrid)
    await world.put(keys.meter(device_id), offered)
    world.announce("TransferOffered", {"meter_id": device_id, "to_idgrid": to_idgrid})
    return offered


async def accept_transfer(world: World, *, device_id: str, res_id: str) -> Meter:
    """The named participant takes the device over, at its connection or at an own source."""
    device = await get(world, device_id)
    new_owner = await world.caller_is_registered()
    if device.transfer_to != new_owner.idgrid:
        raise refused(Refusal.NOT_OFFERED, device_id)
    _require_member(new_owner)
    await _require_own_source(world, res_id, new_owner.idgrid)
    if device.is_at_connection:
        await _disconnect(world, device)
    taken = replace(
        device,
        owner_idgrid=new_owner.idgrid,
        res_id=res_id or None,
        transfer_to="",
        owned_since_ms=world.now_ms,
    )
    await world.put(keys.meter(device_id), taken)
    about: dict[str, object] = {
        "meter_id": device_id,
        "from_idgrid": device.owner_idgrid,
        "to_idgrid": new_owner.idgrid,
    }
    world.announce("DeviceTransferred", about)
    return taken


async def replace_key(world: World, *, device_id: str, public_key: str, tier: str = "") -> Meter:
    """The grid operator gives a device a new key, after loss or repair; the old one is void.

    With another `tier` when the new key is kept in another way (empty: as before).
    """
    await world.require_role(GRID_OPERATORS)
    device = await get(world, device_id)
    key = device_key(public_key)
    renewed = replace(
        device,
        public_key_pem=key.pem,
        key_fingerprint=key.fingerprint,
        tier=arguments.one_of(tier or device.tier, "tier", TIERS),
    )
    await world.put(keys.meter(device_id), renewed)
    about: dict[str, object] = {
        "meter_id": device_id,
        "key_fingerprint": key.fingerprint,
        "tier": renewed.tier,
    }
    world.announce("KeyReplaced", about)
    return renewed


async def _connect(world: World, meter: Meter) -> None:
    """The meter measures its owner's connection: the first one always did, others from now on."""
    owner = await world.participant(meter.owner_idgrid)
    if meter.meter_id in owner.meter_ids:
        return
    is_first = not owner.meter_ids and not meter.owned_since_ms
    connection = Connection(
        idgrid=owner.idgrid, meter_id=meter.meter_id, from_ms=0 if is_first else world.now_ms
    )
    key = keys.connection_meter(owner.idgrid, meter.meter_id, connection.from_ms)
    await world.put(key, connection)
    connected = replace(owner, meter_ids=[*owner.meter_ids, meter.meter_id])
    await world.put(keys.participant(owner.idgrid), connected)


async def _disconnect(world: World, meter: Meter) -> None:
    """End the meter's period at its owner's connection, if it has begun."""
    owner = await world.participant(meter.owner_idgrid)
    bounds = keys.under("connection", owner.idgrid, meter.meter_id)
    for key, connection in await world.scan(Connection, bounds):
        if connection.until_ms is None:
            await world.put(key, replace(connection, until_ms=world.now_ms))
    left = [name for name in owner.meter_ids if name != meter.meter_id]
    await world.put(keys.participant(owner.idgrid), replace(owner, meter_ids=left))


async def _require_own_source(world: World, res_id: str, owner_idgrid: str) -> None:
    if not res_id:
        return
    source = await world.get(Res, keys.res(res_id), Refusal.UNKNOWN_RES, res_id)
    if source.owner_idgrid != owner_idgrid:
        raise refused(Refusal.NOT_YOURS, res_id)


def _require_member(participant: Participant) -> None:
    if participant.status == Status.EXITED:
        raise refused(Refusal.EXITED, participant.idgrid)
