"""Emergency stop: a listing is cancelled, its orders are void, all its money goes back.

The listing is CANCELLED at once, in the transaction that stops it; that alone refuses orders,
reveals, clearing and settlement. Escrows go back page by page, the first page with the stop.
"""

from dataclasses import dataclass, replace

from chaincode.energy import arguments, keys
from chaincode.energy.community import GRID_OPERATORS, MARKET_OPERATORS, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.listings import get_listing, move_to
from chaincode.energy.market.records import ListingState, MarketOrder, SealedOrder
from chaincode.energy.records import decode
from chaincode.energy.tokens import accounts
from chaincode.energy.tokens.records import Escrow
from chaincode.energy.world import World

REFUNDS_PER_PAGE_MAX = 1000
_STOPPERS = GRID_OPERATORS | {Role.COMMUNITY_MANAGER}
"""Who may stop: the community's manager and the grid's operator, not a scheduler."""
_STOPPABLE = frozenset(
    {
        ListingState.AUTHORIZE_OFFERS,
        ListingState.REVEALING,
        ListingState.BIDS_CLOSED,
        ListingState.CLEARING,
        ListingState.CLEARED,
        ListingState.DELIVERING,
    }
)
_END = "end"


@dataclass(frozen=True, slots=True)
class Stop:
    """Who stopped a listing and why; `next_key`: where refunds go on, "end" if all is back."""

    listing_id: str
    reason: str
    role: str
    mspid: str
    at_ms: int
    next_key: str
    refunded_utoken: int

    @property
    def is_refunded(self) -> bool:
        """Whether every escrow is back."""
        return self.next_key == _END


async def stop_listing(world: World, *, listing_id: str, reason: str) -> Stop:
    """Cancel a listing that is not settled. A second call changes nothing."""
    role = await world.require_role(_STOPPERS)
    listing = await get_listing(world, listing_id)
    if listing.state == ListingState.CANCELLED:
        return await get_stop(world, listing_id)
    if listing.state not in _STOPPABLE:
        raise refused(Refusal.ALREADY_SETTLED, f"{listing_id} is {listing.state}")
    if not arguments.short_text(reason, "reason").strip():
        arguments.bad("a stop needs a reason")
    stop = await _refund_page(
        world, Stop(listing_id, reason, role, world.caller.mspid, world.now_ms, "", 0)
    )
    await move_to(world, listing, ListingState.CANCELLED)
    world.announce(
        "EmergencyStop",
        {
            "listing_id": listing_id,
            "state": ListingState.CANCELLED,
            "reason": reason,
            "role": role,
            "mspid": stop.mspid,
        },
    )
    return stop


async def refund(world: World, listing_id: str) -> Stop:
    """Market operator: give back the next page of a stopped listing's escrows."""
    await world.require_role(MARKET_OPERATORS)
    stop = await get_stop(world, listing_id)
    return stop if stop.is_refunded else await _refund_page(world, stop)


async def get_stop(world: World, listing_id: str) -> Stop:
    """Who stopped the listing, why, and how far its money is back."""
    key = keys.stop(arguments.identifier(listing_id, "listing_id"))
    return await world.get(Stop, key, Refusal.NOT_STOPPED, listing_id)


async def _refund_page(world: World, stop: Stop) -> Stop:
    """Pay the escrows of the next orders back, open ones first, then sealed ones."""
    page: list[tuple[str, str, str]] = []
    for kind, prefix in ((MarketOrder, "order"), (SealedOrder, "sealed")):
        first, end = keys.under(prefix, stop.listing_id)
        room = REFUNDS_PER_PAGE_MAX + 1 - len(page)
        if room and stop.next_key < end:
            bounds = (max(first, stop.next_key), end)
            rows: list[tuple[str, MarketOrder | SealedOrder]] = []
            rows += await world.scan(kind, bounds, limit=room)
            page += [(key, order.idgrid, order.order_id) for key, order in rows]
    following = page[REFUNDS_PER_PAGE_MAX][0] if len(page) > REFUNDS_PER_PAGE_MAX else _END
    due = [entry[1:] for entry in page[:REFUNDS_PER_PAGE_MAX]]
    refunded = await _pay_back(world, stop.listing_id, due)
    moved = replace(stop, next_key=following, refunded_utoken=stop.refunded_utoken + refunded)
    await world.put(keys.stop(stop.listing_id), moved)
    return moved


async def _pay_back(world: World, listing_id: str, orders: list[tuple[str, str]]) -> int:
    """Turn the escrows of these (owner, order id) into payouts; returns their sum."""
    escrow_keys = [keys.escrow(idgrid, listing_id, order_id) for idgrid, order_id in orders]
    found = await world.stub.get_states(escrow_keys)
    total = 0
    for key, raw in zip(escrow_keys, found, strict=True):
        if not raw:
            continue
        escrow = decode(Escrow, raw)
        await world.delete(key)
        await accounts.pay_out(
            world,
            escrow.idgrid,
            source="stop",
            reference=escrow.order_id,
            amount=escrow.locked_utoken,
        )
        total += escrow.locked_utoken
    return total
