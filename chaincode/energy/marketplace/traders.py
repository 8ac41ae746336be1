"""Who may trade on the marketplace: the same rules as in the auction."""

from chaincode.energy import arguments, keys
from chaincode.energy.access.grants import require_granted
from chaincode.energy.access.records import MARKET
from chaincode.energy.community import SELLERS
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.direct_trade import require_direct_trade_pinned
from chaincode.energy.market.offered_source import own_source, supply_from
from chaincode.energy.market.records import MarketDefaults
from chaincode.energy.records import decode
from chaincode.energy.registry.records import Participant
from chaincode.energy.registry.trading import require_may_trade, use_after_order
from chaincode.energy.world import World


async def require_trader(world: World, *, is_order: bool = True) -> Participant:
    """The registry record of the caller, who may trade now and lets its meters be read.

    `is_order`: counts against a contract that limits the number of orders.
    """
    idgrid = world.own_idgrid()
    raw, use_raw, grants_raw, pinned_raw = await world.stub.get_states(
        [
            keys.participant(idgrid),
            keys.contract_use(idgrid),
            keys.access(idgrid, MARKET),
            keys.market_defaults(),
        ]
    )
    require_direct_trade_pinned(decode(MarketDefaults, pinned_raw) if pinned_raw else None)
    trader = world.require_registered(raw)
    require_may_trade(trader, world.now_ms, use_raw=use_raw)
    require_granted(grants_raw, trader.meter_ids, world.now_ms)
    use = use_after_order(trader, use_raw) if is_order else None
    if use is not None:
        await world.put(keys.contract_use(idgrid), use)
    return trader


async def require_seller(world: World, res_id: str) -> Participant:
    """The caller's record, if it may sell energy of this source."""
    seller = await require_trader(world)
    if world.caller.role not in SELLERS or seller.role not in SELLERS:
        raise refused(Refusal.ROLE_NOT_ALLOWED, "only prosumers and generators sell")
    raw = await world.stub.get_state(keys.res(arguments.identifier(res_id, "res_id")))
    own_source(supply_from(res_id, raw, b"", b""), idgrid=seller.idgrid)
    return seller
