"""Whose a device is: asked wherever a household reads or commands one."""

from chaincode.energy.registry.records import Meter
from gateway.books.community import Community
from gateway.errors import Problem, RequestRefused


def owned_device(community: Community, idgrid: str, device_id: str) -> Meter:
    """The device; `RequestRefused` if it is not the household's.

    The same refusal for a device that nobody has as for somebody else's.
    """
    meter = community.meter(device_id)
    if meter is None or not idgrid or meter.owner_idgrid != idgrid:
        raise RequestRefused(Problem.FORBIDDEN, "this device is not yours")
    return meter
