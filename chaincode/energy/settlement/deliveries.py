"""Who kept what was matched: a record of every shortfall, and the sum of it per household."""

from dataclasses import replace

from chaincode.energy import arguments, keys
from chaincode.energy.market.auction_views import get_trades
from chaincode.energy.records import decode
from chaincode.energy.settlement.planning import NOT_RECORDED
from chaincode.energy.settlement.records import Fulfilment, NonDelivery, Reputation
from chaincode.energy.sight import sight_of
from chaincode.energy.world import World

NON_DELIVERIES_SHOWN_MAX = 1000


async def record(world: World, listing_id: str, kept: list[Fulfilment]) -> None:
    """Note the fulfilments of one page; a correction replaces what was noted before."""
    raw = await world.stub.get_states([keys.reputation(entry.idgrid) for entry in kept])
    for entry, value in zip(kept, raw, strict=True):
        before = decode(Reputation, value) if value else _unknown(entry.idgrid)
        await world.put(keys.reputation(entry.idgrid), updated(before, entry))
        await _note_shortfall(world, listing_id, entry)


async def reputation(world: World, idgrid: str) -> Reputation:
    """How a household kept its matches so far; for itself and for staff.

    The sums grow with every hour, so who could follow them would read the hours.
    """
    await world.require_own_or_staff(idgrid)
    found = await world.find(Reputation, keys.reputation(arguments.identifier(idgrid, "idgrid")))
    return found or _unknown(idgrid)


async def non_deliveries(world: World, idgrid: str, listing_id: str) -> list[NonDelivery]:
    """The hours in which a household fell short, oldest first; of one listing if it is named.

    For itself and for staff; of a listing also for whom it traded with there, who is shown no
    more than its own part of it.
    """
    arguments.identifier(idgrid, "idgrid")
    if listing_id:
        arguments.identifier(listing_id, "listing_id")
        traded = await _traded_with(world, idgrid, listing_id)
        entry = await world.find(NonDelivery, keys.non_delivery(idgrid, listing_id))
        if entry is None:
            return []
        return [entry if traded is None else share_of(entry, traded)]
    await world.require_own_or_staff(idgrid)
    bounds = keys.under("nondelivery", idgrid)
    found = await world.scan(NonDelivery, bounds, limit=NON_DELIVERIES_SHOWN_MAX)
    return [entry for _, entry in found]


def updated(before: Reputation, entry: Fulfilment) -> Reputation:
    """The sums with one fulfilment; a corrected one counts with its difference only."""
    is_new = entry.before_wh == NOT_RECORDED
    was_short = not is_new and entry.before_wh < entry.matched_wh
    hours = 1 if is_new else 0
    matched_wh = entry.matched_wh if is_new else 0
    fulfilled_wh = entry.fulfilled_wh - (0 if is_new else entry.before_wh)
    short = int(entry.fulfilled_wh < entry.matched_wh) - int(was_short)
    if entry.side == "offer":
        return replace(
            before,
            sell_hours=before.sell_hours + hours,
            sell_short_hours=before.sell_short_hours + short,
            matched_sell_wh=before.matched_sell_wh + matched_wh,
            delivered_wh=before.delivered_wh + fulfilled_wh,
        )
    return replace(
        before,
        buy_hours=before.buy_hours + hours,
        buy_short_hours=before.buy_short_hours + short,
        matched_buy_wh=before.matched_buy_wh + matched_wh,
        taken_wh=before.taken_wh + fulfilled_wh,
    )


def share_of(entry: NonDelivery, traded_wh: int) -> NonDelivery:
    """A shortfall as one it traded `traded_wh` with is shown it: its part, in proportion.

    What others traded with the household, and so all that it used or produced, is theirs.
    """
    matched_wh = min(traded_wh, entry.matched_wh)
    fulfilled_wh = entry.fulfilled_wh * matched_wh // entry.matched_wh
    return replace(entry, matched_wh=matched_wh, fulfilled_wh=fulfilled_wh)


async def _traded_with(world: World, idgrid: str, listing_id: str) -> int | None:
    """What the caller traded with a household in a listing, in Wh; None for itself and staff.

    Refuses all others. Reads the book.
    """
    sight = await sight_of(world)
    if sight.names(idgrid):
        return None
    if sight.is_household:
        trades = await get_trades(world, listing_id, sight.own_idgrid)
        own = [one.energy_wh for one in trades if idgrid in (one.seller, one.buyer)]
        if own:
            return sum(own)
    await world.require_own_or_staff(idgrid)
    return None


async def _note_shortfall(world: World, listing_id: str, entry: Fulfilment) -> None:
    key = keys.non_delivery(entry.idgrid, listing_id)
    if entry.fulfilled_wh < entry.matched_wh:
        note = NonDelivery(
            listing_id=listing_id,
            idgrid=entry.idgrid,
            side=entry.side,
            matched_wh=entry.matched_wh,
            fulfilled_wh=entry.fulfilled_wh,
            metering=entry.metering,
        )
        await world.put(key, note)
    elif entry.before_wh != NOT_RECORDED:
        await world.delete(key)


def _unknown(idgrid: str) -> Reputation:
    return Reputation(idgrid, 0, 0, 0, 0, 0, 0, 0, 0)
