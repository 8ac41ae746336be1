"""The energy contracts' view of one transaction."""

from chaincode.energy.community import Caller, role_of
from chaincode.energy.world import World
from chaincode.shim import Context

_NS_PER_MS = 1_000_000


def world_of(ctx: Context) -> World:
    """The energy contracts' view of one transaction."""
    client = ctx.client
    return World(
        stub=ctx.stub,
        caller=Caller(
            mspid=client.mspid,
            role=role_of(client.attributes.get("role")),
            idgrid=client.attributes.get("idgrid"),
            public_key=client.public_key,
        ),
        now_ms=ctx.stub.get_tx_timestamp() // _NS_PER_MS,
    )
