"""From what an offer is supplied: an own, approved source; a battery must also hold the energy."""

from dataclasses import dataclass, replace

from chaincode.energy import keys
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.records import Listing, MarketOrder, Promised
from chaincode.energy.oracle.charge import require_stored
from chaincode.energy.oracle.records import Charge
from chaincode.energy.records import decode
from chaincode.energy.registry.records import Res, Status
from chaincode.energy.registry.registration import BATTERY
from chaincode.energy.world import World


@dataclass(frozen=True, slots=True)
class Supply:
    """A source as the ledger has it: registry record, energy promised from it, state of charge."""

    res_id: str
    res_raw: bytes
    promised: Promised
    charge_raw: bytes


NO_SUPPLY = Supply(res_id="", res_raw=b"", promised=Promised(), charge_raw=b"")


def supply_from(res_id: str, res_raw: bytes, promised_raw: bytes, charge_raw: bytes) -> Supply:
    """The source from the values of its three keys (empty: none)."""
    promised = decode(Promised, promised_raw) if promised_raw else Promised()
    return Supply(res_id, res_raw, promised, charge_raw)


async def require_supply(
    world: World, supply: Supply, order: MarketOrder, listing: Listing
) -> None:
    """Refuse an offer its source cannot supply; what a battery promises is noted."""
    source = own_source(supply, idgrid=order.idgrid)
    if source.source_type != BATTERY:
        return
    promised = still_promised(supply)
    require_stored(
        supply.charge_raw,
        battery_id=supply.res_id,
        offered_wh=order.energy_wh,
        promised_wh=promised.energy_wh,
        now_ms=world.now_ms,
    )
    await world.put(
        keys.promised(order.idgrid, supply.res_id),
        promised.changed(
            listing.listing_id, by_wh=order.energy_wh, until_ms=listing.delivery_end_ms
        ),
    )


def own_source(supply: Supply, *, idgrid: str) -> Res:
    """The source behind an offer if it is the household's own and approved."""
    if not supply.res_raw:
        raise refused(Refusal.RES_REQUIRED, f"{supply.res_id} is not registered")
    source = decode(Res, supply.res_raw)
    if source.owner_idgrid != idgrid:
        raise refused(Refusal.RES_REQUIRED, f"{supply.res_id} belongs to somebody else")
    if source.status != Status.APPROVED:
        raise refused(Refusal.NOT_APPROVED, f"energy source {supply.res_id}")
    if source.authorised_ms is None:
        raise refused(Refusal.NOT_AUTHORISED, supply.res_id)
    return source


def still_promised(supply: Supply) -> Promised:
    """What the battery has promised and not yet given when its charge was observed.

    Deliveries that had ended by then are in the observed charge already.
    """
    if not supply.charge_raw:
        return supply.promised
    observed_ms = decode(Charge, supply.charge_raw).observed_at_ms
    kept = {
        listing_id: entry
        for listing_id, entry in supply.promised.listings.items()
        if entry[1] > observed_ms
    }
    return replace(supply.promised, listings=kept)


def without_offer(supply: Supply, order: MarketOrder) -> Supply:
    """The source as it would be if the offer had not been placed."""
    entry = supply.promised.listings.get(order.listing_id)
    if entry is None:
        return supply
    left = supply.promised.changed(order.listing_id, by_wh=-order.energy_wh, until_ms=entry[1])
    return replace(supply, promised=left)
