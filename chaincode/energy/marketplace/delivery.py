"""Settling a deal on what was delivered: by signed readings, else by the buyer's own word.

1. Readings of both connections at both ends of delivery: each side's share of its metered energy
   (`shares.py`), the smaller one is delivered.
2. Readings missing: the parties may say what came. It is settled once the seller claims no more
   than the buyer admits; until it speaks a seller claims the lot and a buyer admits nothing. So
   nobody's word alone does the other any harm.
3. Neither by `settle_by_ms`: DISPUTED; readings, agreement or the manager's decision still settle
   it. Nothing by `refund_from_ms`: the buyer pays what it admitted (`closing.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from chaincode.energy import arguments, keys
from chaincode.energy.community import MARKET_OPERATORS, PARTICIPANTS, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.hours import DAY_MS, HOUR_MS, delivery_hour_ms, listing_id_at
from chaincode.energy.market.records import Listing, ListingState
from chaincode.energy.marketplace import escrow
from chaincode.energy.marketplace.posts import announce, get_post, put_post
from chaincode.energy.marketplace.records import (
    BUY,
    DEALT,
    SELL,
    Deal,
    Delivery,
    Post,
    PostState,
)
from chaincode.energy.marketplace.shares import amount_for, share_of
from chaincode.energy.oracle.readings import energy_between
from chaincode.energy.oracle.reports import registers_at
from chaincode.energy.records import decode
from chaincode.energy.registry.records import Connection
from chaincode.energy.settlement.group_metering import energy_through_group
from chaincode.energy.settlement.records import SettlementLine
from chaincode.energy.world import World

SETTLERS = MARKET_OPERATORS | {Role.ORACLE}
AUCTION_AWAITED_MS = DAY_MS
"""A listing decides without readings when refunds begin; so long its operators may be late."""
_AUCTION_RUNS = frozenset(
    {
        ListingState.AUTHORIZE_OFFERS,
        ListingState.REVEALING,
        ListingState.BIDS_CLOSED,
        ListingState.CLEARING,
        ListingState.CLEARED,
        ListingState.DELIVERING,
        ListingState.SETTLING,
    }
)


@dataclass(frozen=True, slots=True)
class _Flow:
    """What one household's meters and the hour's auction say."""

    exported_wh: int
    imported_wh: int


async def settle(world: World, post_id: str) -> Post:
    """Either party, operator or oracle: pay for what the meters say was delivered, once.

    From `settle_by_ms` on missing readings make the deal DISPUTED instead of being refused.
    """
    post = await get_post(world, post_id)
    await _require_may_settle(world, post)
    _require_deal(post)
    if world.now_ms < post.delivery_end_ms:
        raise refused(Refusal.TOO_EARLY, f"delivery of {post_id} ends later")
    delivered_wh = await metered_wh(world, post)
    if delivered_wh is not None:
        return await finish(world, post, delivered_wh, Delivery.METERED)
    if world.now_ms < post.settle_by_ms or post.state == PostState.DISPUTED:
        raise refused(Refusal.READINGS_MISSING, post_id)
    disputed = replace(post, state=PostState.DISPUTED)
    await put_post(world, disputed)
    announce(world, "DealDisputed", disputed, refund_from_ms=post.refund_from_ms)
    return disputed


async def confirm(world: World, *, post_id: str, delivered_wh: int) -> Post:
    """Either party, if readings are missing: what it says was delivered; both agree, or it waits.

    The buyer's word is what it will pay for at least, the seller's what it asks for at most.
    """
    caller = (await world.caller_is_registered()).idgrid
    post = await get_post(world, post_id)
    if caller not in (post.seller_idgrid, post.buyer_idgrid):
        raise refused(Refusal.NOT_YOURS, post_id)
    _require_deal(post)
    if world.now_ms < post.delivery_end_ms:
        raise refused(Refusal.TOO_EARLY, f"delivery of {post_id} ends later")
    arguments.not_negative(delivered_wh, "delivered_wh", at_most=post.energy_wh)
    if await metered_wh(world, post) is not None:
        raise refused(Refusal.METERED, post_id)
    if caller == post.buyer_idgrid:
        stated = replace(post, admitted_wh=delivered_wh)
    else:
        stated = replace(post, claimed_wh=delivered_wh)
    claimed_wh = post.energy_wh if stated.claimed_wh is None else stated.claimed_wh
    if claimed_wh <= (stated.admitted_wh or 0):
        return await finish(world, stated, claimed_wh, Delivery.CONFIRMED)
    await put_post(world, stated)
    announce(world, "DeliveryStated", stated, by_idgrid=caller, delivered_wh=delivered_wh)
    return stated


async def finish(world: World, post: Post, delivered_wh: int, how: Delivery) -> Post:
    """Pay the seller for what was delivered, return the rest, keep both parties on record."""
    paid = amount_for(
        price_utoken=post.price_utoken, energy_wh=post.energy_wh, delivered_wh=delivered_wh
    )
    await escrow.pay_seller(world, post, paid_utoken=paid, delivered_wh=delivered_wh)
    settled = replace(
        post,
        state=PostState.SETTLED,
        escrow_id=None,
        delivered_wh=delivered_wh,
        paid_utoken=paid,
        delivery=how,
    )
    await put_post(world, settled)
    announce(
        world,
        "DealSettled",
        settled,
        delivered_wh=delivered_wh,
        paid_utoken=paid,
        refunded_utoken=post.price_utoken - paid,
        delivery=how,
    )
    return settled


async def metered_wh(world: World, post: Post) -> int | None:
    """Wh of this deal by the meters; None while a reading is missing.

    What auctions settled in that time is taken off both meters first. One that runs refuses with
    NOT_SETTLED; while one waits for readings of its own, what is left for deals is not known.
    """
    listings = await _auctions(world, post)
    if any(listing.state in _AUCTION_RUNS for listing in listings):
        _require_auctions_over(world, post, listings)
        return None
    if any(not _is_over(listing) for listing in listings):
        return None
    seller, buyer = str(post.seller_idgrid), str(post.buyer_idgrid)
    sold = await _flow(world, post, seller, listings)
    bought = await _flow(world, post, buyer, listings)
    if sold is None or bought is None:
        return None
    given = await _share(world, post, seller, SELL, sold.exported_wh)
    taken = await _share(world, post, buyer, BUY, bought.imported_wh)
    return min(given, taken)


async def require_auctions_over(world: World, post: Post) -> None:
    """Refuse while an auction in the time of this deal may still settle, until it is too late."""
    _require_auctions_over(world, post, await _auctions(world, post))


def _require_auctions_over(world: World, post: Post, listings: Iterable[Listing]) -> None:
    running = [listing.listing_id for listing in listings if not _is_over(listing)]
    if running and world.now_ms < post.refund_from_ms + AUCTION_AWAITED_MS:
        raise refused(Refusal.NOT_SETTLED, f"the auction of {running[0]} settles first")


def _is_over(listing: Listing) -> bool:
    """Whether the auction has settled or never will; DISPUTED may be for lack of readings."""
    undecided = listing.state == ListingState.DISPUTED and not listing.is_decided
    return not undecided and listing.state not in _AUCTION_RUNS


async def _auctions(world: World, post: Post) -> list[Listing]:
    """The listings that deliver in the time of this deal: of its hour, or a neighbour's."""
    hour_ms = delivery_hour_ms(post.hour)
    names = [listing_id_at(hour_ms + shift) for shift in (-HOUR_MS, 0, HOUR_MS)]
    found = await world.stub.get_states([keys.listing(name) for name in names])
    listings = [decode(Listing, raw) for raw in found if raw]
    return [
        listing
        for listing in listings
        if listing.delivery_start_ms < post.delivery_end_ms
        and post.delivery_start_ms < listing.delivery_end_ms
    ]


async def _flow(world: World, post: Post, idgrid: str, auctioned: list[Listing]) -> _Flow | None:
    """What is left of a household's metered energy after these auctions."""
    bounds = keys.under("connection", idgrid)
    meters = [connection.meter_id for _, connection in await world.scan(Connection, bounds)]
    starts, ends = [
        await registers_at(world, meters, instant_ms, tolerance_ms=post.reading_tolerance_ms)
        for instant_ms in (post.delivery_start_ms, post.delivery_end_ms)
    ]
    if not meters or None in starts or None in ends:
        return None
    exported_wh = imported_wh = 0
    for listing in auctioned:
        sold_wh, bought_wh = await _auctioned_wh(world, listing, idgrid)
        exported_wh -= sold_wh
        imported_wh -= bought_wh
    for start, end in zip(starts, ends, strict=True):
        if start is not None and end is not None:
            period = energy_between(start, end)
            exported_wh += period.exported_wh
            imported_wh += period.imported_wh
    return _Flow(exported_wh=exported_wh, imported_wh=imported_wh)


async def _auctioned_wh(world: World, listing: Listing, idgrid: str) -> tuple[int, int]:
    """Wh a household sold and bought in an auction, itself or through a group."""
    key = keys.settlement_line(idgrid, listing.listing_id)
    line = await world.find(SettlementLine, key)
    if line is not None and (line.sold_wh or line.bought_wh):
        return line.sold_wh, line.bought_wh
    return await energy_through_group(world, listing, idgrid)


async def _share(world: World, post: Post, idgrid: str, side: str, available_wh: int) -> int:
    prefix = keys.deal(idgrid, post.hour, "")
    found = await world.scan(Deal, keys.under("deal", idgrid, post.hour))
    deals = {key.removeprefix(prefix): deal.energy_wh for key, deal in found if deal.side == side}
    return share_of(post.post_id, deals=deals, available_wh=available_wh)


async def _require_may_settle(world: World, post: Post) -> None:
    if world.caller.role not in PARTICIPANTS:
        await world.require_role(SETTLERS)
        return
    caller = await world.caller_is_registered()
    if caller.idgrid not in (post.seller_idgrid, post.buyer_idgrid):
        raise refused(Refusal.NOT_YOURS, post.post_id)


def _require_deal(post: Post) -> None:
    if post.state in (PostState.SETTLED, PostState.REFUNDED):
        raise refused(Refusal.ALREADY_SETTLED, post.post_id)
    if post.state not in DEALT:
        raise refused(Refusal.NOT_PURCHASED, f"{post.post_id} is {post.state}")
