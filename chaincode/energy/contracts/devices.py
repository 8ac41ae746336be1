"""The contract `devices`: meters, batteries and plugs as tokens with an owner and a key."""

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.oracle import carrying
from chaincode.energy.registry import devices
from chaincode.energy.registry.records import Meter
from chaincode.shim import Context, Contract, query, transaction


class Devices(Contract):
    """Meters, batteries and plugs: registration, transfer, keys."""

    name = "devices"

    @transaction
    async def register(
        self,
        ctx: Context,
        device_id: str,
        kind: str,
        owner_idgrid: str,
        public_key: str,
        res_id: str = "",
        tier: str = "B",
    ) -> Meter:
        """Owner, manager or operator: a new device with its P-256 key (PEM or hex point).

        Of tier A the key is the gateway's that attests for it.
        """
        return await devices.register(
            world_of(ctx),
            device_id=device_id,
            kind=kind,
            owner_idgrid=owner_idgrid,
            public_key=public_key,
            res_id=res_id,
            tier=tier,
        )

    @transaction
    async def offer_transfer(self, ctx: Context, device_id: str, to_idgrid: str) -> Meter:
        """Owner: who may take the device over (empty: nobody)."""
        return await devices.offer_transfer(
            world_of(ctx), device_id=device_id, to_idgrid=to_idgrid
        )

    @transaction
    async def accept_transfer(self, ctx: Context, device_id: str, res_id: str = "") -> Meter:
        """New owner: take the device over, to the connection or to an own source."""
        return await devices.accept_transfer(world_of(ctx), device_id=device_id, res_id=res_id)

    @transaction
    async def replace_key(
        self, ctx: Context, device_id: str, public_key: str, tier: str = ""
    ) -> Meter:
        """Grid operator: a new key after loss or repair, of another tier if one is named."""
        return await devices.replace_key(
            world_of(ctx), device_id=device_id, public_key=public_key, tier=tier
        )

    @query
    async def carried_meters(self, ctx: Context, after: str = "") -> carrying.CarriedMeters:
        """Oracle: the connections' meters, and up to when their readings are recorded."""
        return await carrying.carried_meters(world_of(ctx), after=after)

    @query
    async def get(self, ctx: Context, device_id: str) -> Meter:
        """Owner, whom it is offered to, staff: owner, kind and fingerprint of its key."""
        return await devices.record_seen(world_of(ctx), device_id)
