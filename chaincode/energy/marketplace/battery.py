"""An offer from a battery whose state of charge is checked, with what it promised elsewhere.

The same record of promises as the auction's, so one stored kWh is not offered twice (E028).
"""

from chaincode.energy import keys
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.offered_source import still_promised, supply_from
from chaincode.energy.marketplace.records import Post
from chaincode.energy.oracle.charge import require_stored
from chaincode.energy.world import World


async def promise(world: World, post: Post) -> None:
    """Refuse unless the source holds the energy; note that it is promised."""
    res_id = _source(post)
    supply = supply_from(res_id, *await _states(world, post))
    promised = still_promised(supply)
    require_stored(
        supply.charge_raw,
        battery_id=res_id,
        offered_wh=post.energy_wh,
        promised_wh=promised.energy_wh,
        now_ms=world.now_ms,
    )
    noted = promised.changed(post.post_id, by_wh=post.energy_wh, until_ms=post.delivery_end_ms)
    await world.put(keys.promised(post.owner_idgrid, res_id), noted)


async def release(world: World, post: Post) -> None:
    """Owner deletes the offer: the energy is not promised any more."""
    supply = supply_from(_source(post), *await _states(world, post))
    noted = supply.promised.changed(
        post.post_id, by_wh=-post.energy_wh, until_ms=post.delivery_end_ms
    )
    await world.put(keys.promised(post.owner_idgrid, _source(post)), noted)


def _source(post: Post) -> str:
    if post.res_id is None:
        raise refused(Refusal.RES_REQUIRED, post.post_id)
    return post.res_id


async def _states(world: World, post: Post) -> list[bytes]:
    res_id = _source(post)
    return await world.stub.get_states(
        [keys.res(res_id), keys.promised(post.owner_idgrid, res_id), keys.charge(res_id)]
    )
