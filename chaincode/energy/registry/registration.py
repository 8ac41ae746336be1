"""Registry rules: participants and energy sources, and who approves them."""

from dataclasses import replace
from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.arguments import bad
from chaincode.energy.community import (
    GRID_OPERATORS,
    MEMBER_ROLES,
    PARTICIPANTS,
    SELLERS,
    Role,
    Settings,
)
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.registry.records import Meter, Participant, Res, Status
from chaincode.energy.world import World

KINDS = ("household", "public_lighting", "ev_charger", "non_residential", "community_plant")
BATTERY = "battery"
"""What a source and a device can both be; the source's offers need a recorded charge."""
SOURCE_TYPES = ("solar", "wind", "hydro", "biomass", "ev", BATTERY, "other")
CAPACITY_W_MAX = 10**9
MEMBERS_PER_ROLE_MAX = 64
_MANAGERS = frozenset({Role.COMMUNITY_MANAGER})
MAY_REGISTER = _MANAGERS | GRID_OPERATORS


async def configure(world: World, role_members: dict[str, Any]) -> Settings:
    """Name the members whose certificates count for each staff role."""
    await world.require_role(_MANAGERS)
    known = frozenset(role.value for role in MEMBER_ROLES)
    given = arguments.checked_object(role_members, "role_members", known)
    chosen: dict[str, list[str]] = {}
    for role, members in given.items():
        if not isinstance(members, list) or len(members) > MEMBERS_PER_ROLE_MAX:
            bad(f"{role} must be a list of at most {MEMBERS_PER_ROLE_MAX} member ids")
        chosen[role] = [arguments.identifier_of(member, f"{role} member") for member in members]
    if world.caller.mspid not in chosen.get(Role.COMMUNITY_MANAGER, []):
        bad(f"community_manager must include your own member {world.caller.mspid}")
    settings = Settings(role_members=chosen)
    await world.put(keys.COMMUNITY, settings)
    return settings


async def register_participant(
    world: World, *, idgrid: str, role: str, personal_data_hash: str, kind: str
) -> Participant:
    """Admit a grid connection under a new IDgrid; it trades once the operator approved it."""
    await world.require_role(_MANAGERS)
    arguments.idgrid(idgrid)
    record = Participant(
        idgrid=idgrid,
        role=arguments.one_of(role, "role", tuple(sorted(PARTICIPANTS))),
        kind=arguments.one_of(kind, "kind", KINDS),
        mspid=world.caller.mspid,
        personal_data_hash=arguments.salted_hash(personal_data_hash, "personal_data_hash"),
        status=Status.PENDING,
    )
    await world.add(keys.participant(idgrid), record, idgrid)
    world.announce("ParticipantRegistered", {"idgrid": idgrid, "role": role})
    return record


async def register_res(
    world: World, *, res_id: str, owner_idgrid: str, source_type: str, capacity_w: int
) -> Res:
    """Register an energy source; an owner who does so itself authorises it to be traded."""
    await require_owner_or(world, owner_idgrid, MAY_REGISTER)
    arguments.identifier(res_id, "res_id")
    owner = await world.participant(owner_idgrid)
    if owner.role not in SELLERS:
        raise refused(Refusal.ROLE_NOT_ALLOWED, f"a {owner.role} owns no energy source")
    require_same_owner(await world.find(Meter, keys.meter(res_id)), owner_idgrid, res_id)
    record = Res(
        res_id=res_id,
        owner_idgrid=owner_idgrid,
        source_type=arguments.one_of(source_type, "source_type", SOURCE_TYPES),
        capacity_w=arguments.positive(capacity_w, "capacity_w", at_most=CAPACITY_W_MAX),
        status=Status.PENDING,
        authorised_ms=world.now_ms if world.caller.role in PARTICIPANTS else None,
    )
    await world.add(keys.res(res_id), record, res_id)
    world.announce("ResRegistered", {"res_id": res_id, "owner_idgrid": owner_idgrid})
    return record


async def authorise_res(world: World, *, res_id: str, is_authorised: bool) -> Res:
    """The owner allows its source to be traded, or no longer does (row E014)."""
    caller = await world.caller_is_registered()
    record = await world.get(Res, keys.res(res_id), Refusal.UNKNOWN_RES, res_id)
    if record.owner_idgrid != caller.idgrid:
        raise refused(Refusal.NOT_YOURS, res_id)
    changed = replace(record, authorised_ms=world.now_ms if is_authorised else None)
    await world.put(keys.res(res_id), changed)
    event = "ResAuthorised" if is_authorised else "ResWithdrawn"
    world.announce(event, {"res_id": res_id, "owner_idgrid": caller.idgrid})
    return changed


async def approve_participant(world: World, idgrid: str) -> Participant:
    """The grid operator admits a connection to trading; it must have an approved meter."""
    await world.require_role(GRID_OPERATORS)
    record = await world.participant(idgrid)
    if record.status not in (Status.PENDING, Status.APPROVED):
        raise refused(Refusal.WRONG_STATUS, f"{idgrid} is {record.status}")
    if not record.meter_ids:
        raise refused(Refusal.METER_REQUIRED, idgrid)
    approved = replace(record, status=Status.APPROVED)
    await world.put(keys.participant(idgrid), approved)
    world.announce("Approved", {"idgrid": idgrid})
    return approved


async def approve_res(world: World, res_id: str) -> Res:
    """The grid operator admits an energy source to trading."""
    await world.require_role(GRID_OPERATORS)
    record = await world.get(Res, keys.res(res_id), Refusal.UNKNOWN_RES, res_id)
    approved = replace(record, status=Status.APPROVED)
    await world.put(keys.res(res_id), approved)
    world.announce("Approved", {"res_id": res_id})
    return approved


def require_same_owner(namesake: Meter | Res | None, owner_idgrid: str, name: str) -> None:
    """A device and a source of one name have one owner: what is told under it is a household's.

    Else who names a source after a neighbour's meter would be shown what that meter tells.
    """
    if namesake is not None and namesake.owner_idgrid != owner_idgrid:
        raise refused(Refusal.NOT_YOURS, name)


async def require_owner_or(world: World, owner_idgrid: str, staff: frozenset[Role]) -> None:
    """Only the owner itself and these staff roles may do this."""
    if world.caller.role in PARTICIPANTS:
        await world.require_own_or_staff(owner_idgrid)
    else:
        await world.require_role(staff)
