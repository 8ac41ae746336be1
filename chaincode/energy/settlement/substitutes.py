"""Energy the grid operator states where a meter said nothing, or something wrong."""

from chaincode.energy import arguments, keys
from chaincode.energy.arguments import ENERGY_WH_MAX
from chaincode.energy.community import GRID_OPERATORS
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.listings import get_listing
from chaincode.energy.market.records import ListingState
from chaincode.energy.settlement.records import Substitute
from chaincode.energy.world import World

_STATES = (ListingState.DISPUTED, ListingState.SETTLED)


async def substitute(
    world: World,
    *,
    listing_id: str,
    idgrid: str,
    imported_wh: int,
    exported_wh: int,
    reason: str,
) -> Substitute:
    """Grid operator: state the energy of one connection in one delivery period.

    Only in a DISPUTED or SETTLED listing. The first settlement uses it where readings are
    missing and never instead of them; a correction puts it before them.
    """
    await world.require_role(GRID_OPERATORS)
    listing = await get_listing(world, listing_id)
    if listing.state not in _STATES:
        raise refused(Refusal.NOT_SETTLED, f"{listing_id} is {listing.state}")
    await world.participant(arguments.idgrid(idgrid))
    record = Substitute(
        listing_id=listing_id,
        idgrid=idgrid,
        imported_wh=_energy(imported_wh, "imported_wh"),
        exported_wh=_energy(exported_wh, "exported_wh"),
        reason=arguments.short_text(reason, "reason"),
        stated_by_mspid=world.caller.mspid,
    )
    await world.put(keys.substitute(listing_id, idgrid), record)
    world.announce("MeteringSubstituted", {"listing_id": listing_id, "idgrid": idgrid})
    return record


def _energy(value: int, what: str) -> int:
    return arguments.not_negative(value, what, at_most=ENERGY_WH_MAX)
