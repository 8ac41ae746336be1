"""The contract `registry`: participants, energy sources and meters."""

from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.errors import Refusal
from chaincode.energy.idgrid import with_check_character
from chaincode.energy.registry import devices, registration
from chaincode.energy.registry.records import Meter, Participant, Res
from chaincode.shim import Context, Contract, query, transaction


class Registry(Contract):
    """Participants, energy sources and meters."""

    name = "registry"

    @transaction
    async def configure(self, ctx: Context, role_members: dict[str, Any]) -> Any:
        """Community manager: which members' certificates count for which staff role."""
        return await registration.configure(world_of(ctx), role_members)

    @transaction
    async def register_participant(
        self,
        ctx: Context,
        idgrid: str,
        role: str,
        personal_data_hash: str,
        kind: str = "household",
    ) -> Participant:
        """Community manager: a new IDgrid, pending until approved."""
        return await registration.register_participant(
            world_of(ctx),
            idgrid=idgrid,
            role=role,
            personal_data_hash=personal_data_hash,
            kind=kind,
        )

    @transaction
    async def register_res(
        self, ctx: Context, res_id: str, owner_idgrid: str, source_type: str, capacity_w: int
    ) -> Res:
        """Owner, manager or operator: a new energy source, pending until approved."""
        return await registration.register_res(
            world_of(ctx),
            res_id=res_id,
            owner_idgrid=owner_idgrid,
            source_type=source_type,
            capacity_w=capacity_w,
        )

    @transaction
    async def register_meter(
        self, ctx: Context, meter_id: str, owner_idgrid: str, public_key: str, res_id: str = ""
    ) -> Meter:
        """Owner, manager or operator: a new meter with its P-256 key (PEM or hex point)."""
        return await devices.register(
            world_of(ctx),
            device_id=meter_id,
            kind=devices.METER,
            owner_idgrid=owner_idgrid,
            public_key=public_key,
            res_id=res_id,
        )

    @transaction
    async def authorise_res(self, ctx: Context, res_id: str) -> Res:
        """Owner: this source may be traded."""
        return await registration.authorise_res(world_of(ctx), res_id=res_id, is_authorised=True)

    @transaction
    async def withdraw_res(self, ctx: Context, res_id: str) -> Res:
        """Owner: this source may no longer be offered from."""
        return await registration.authorise_res(world_of(ctx), res_id=res_id, is_authorised=False)

    @transaction
    async def approve_participant(self, ctx: Context, idgrid: str) -> Participant:
        """Grid operator: this connection may trade."""
        return await registration.approve_participant(world_of(ctx), idgrid)

    @transaction
    async def approve_res(self, ctx: Context, res_id: str) -> Res:
        """Grid operator: this source may be offered from."""
        return await registration.approve_res(world_of(ctx), res_id)

    @transaction
    async def approve_meter(self, ctx: Context, meter_id: str) -> Meter:
        """Grid operator: this meter measures its owner's connection, and its readings count."""
        return await devices.approve(world_of(ctx), meter_id)

    @query
    async def get_participant(self, ctx: Context, idgrid: str) -> Participant:
        """Participant itself or staff: its registry record."""
        world = world_of(ctx)
        await world.require_own_or_staff(idgrid)
        return await world.participant(idgrid)

    @query
    async def get_res(self, ctx: Context, res_id: str) -> Res:
        """Owner or staff: the record of an energy source."""
        world = world_of(ctx)
        source = await world.get(Res, keys.res(res_id), Refusal.UNKNOWN_RES, res_id)
        await world.require_own_or_staff(source.owner_idgrid)
        return source

    @query
    async def get_meter(self, ctx: Context, meter_id: str) -> Meter:
        """Owner, whom it is offered to, staff: the record of a meter."""
        return await devices.record_seen(world_of(ctx), meter_id)

    @query
    async def complete_idgrid(self, ctx: Context, body: str) -> str:
        """`VAL-0017` -> the IDgrid with its check character."""
        del ctx
        try:
            return with_check_character(body)
        except ValueError as error:
            arguments.bad(str(error))
