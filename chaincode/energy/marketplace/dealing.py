"""Taking an offer or a request: who is first has it, everybody else is told so.

Every step reads and writes the post's one key. Of two households that take the same post in one
block the second transaction is invalid (MVCC) and, sent again, refused with RESERVED or
"Already purchased" (001:1419, E035). Whoever named the terms it saw is told first if the post has
others, before anything else about the post.
"""

from dataclasses import replace

from chaincode.energy.errors import Refusal, refused
from chaincode.energy.hours import MINUTE_MS
from chaincode.energy.marketplace import escrow
from chaincode.energy.marketplace.labels import is_reserved, taker_of
from chaincode.energy.marketplace.limits import require_room
from chaincode.energy.marketplace.posting import require_not_taken
from chaincode.energy.marketplace.posts import announce, bind, get_post, put_post
from chaincode.energy.marketplace.records import BUY, SELL, Post, PostKind, PostState
from chaincode.energy.marketplace.terms import Terms, require_terms
from chaincode.energy.marketplace.traders import require_seller, require_trader
from chaincode.energy.world import World

RESERVATION_MS = 15 * MINUTE_MS
"""How long a post is held for one household, at most until delivery begins."""


async def reserve(world: World, post_id: str, terms: Terms | None) -> Post:
    """Buyer: hold an offer; its price is locked, so holding is not free."""
    post = await _takeable(world, post_id, PostKind.OFFER, world.own_idgrid(), terms)
    if post.state == PostState.RESERVED:
        return post  # the caller holds it already
    buyer = await require_trader(world)
    await require_room(world, buyer, post, BUY)
    held = await _locked_for(world, post, buyer.idgrid)
    held = replace(held, state=PostState.RESERVED, reserved_until_ms=_reserved_until(world, post))
    await put_post(world, held)
    announce(world, "OfferReserved", held, reserved_until_ms=held.reserved_until_ms)
    return held


async def buy(world: World, post_id: str, terms: Terms | None) -> Post:
    """Buyer: take an offer that is open, or that the caller has reserved."""
    post = await _takeable(world, post_id, PostKind.OFFER, world.own_idgrid(), terms)
    is_new = post.state == PostState.OPEN
    buyer = await require_trader(world, is_order=is_new)
    await require_room(world, buyer, post, BUY)
    if is_new:
        post = await _locked_for(world, post, buyer.idgrid)
    bought = await bind(world, post, PostState.PURCHASED)
    announce(world, "OfferPurchased", bought)
    return bought


async def request_to_sell(world: World, *, post_id: str, res_id: str, terms: Terms | None) -> Post:
    """Seller: ask to serve a request; it is sold at once if the buyer wanted it so."""
    seller = await require_seller(world, res_id)
    post = await _takeable(world, post_id, PostKind.REQUEST, seller.idgrid, terms)
    await require_room(world, seller, post, SELL)
    taken = replace(post, seller_idgrid=seller.idgrid, res_id=res_id)
    if not post.needs_acceptance:
        sold = await bind(world, taken, PostState.SOLD)
        announce(world, "RequestSold", sold)
        return sold
    asked = replace(
        taken, state=PostState.RESERVED, reserved_until_ms=_reserved_until(world, post)
    )
    await put_post(world, asked)
    announce(world, "SellRequested", asked, reserved_until_ms=asked.reserved_until_ms)
    return asked


async def accept(world: World, post_id: str, terms: Terms | None) -> Post:
    """Buyer: let the household that asked serve the own request."""
    post = await _asked(world, post_id, terms)
    await require_trader(world, is_order=False)
    if world.now_ms >= post.delivery_start_ms:
        raise refused(Refusal.TOO_LATE, f"delivery of {post_id} has begun")
    seller = await world.participant(str(post.seller_idgrid))
    await require_room(world, seller, post, SELL)  # it may have sold elsewhere meanwhile
    sold = await bind(world, post, PostState.SOLD)
    announce(world, "RequestSold", sold)
    return sold


async def decline(world: World, post_id: str) -> Post:
    """Buyer: refuse the household that asked; the request is open again."""
    return await _reopen(world, await _asked(world, post_id), "SellDeclined")


async def release(world: World, post_id: str) -> Post:
    """Who holds an offer, or asked to serve a request: let it go again."""
    caller = await world.caller_is_registered()
    post = await get_post(world, post_id)
    if not is_reserved(post, world.now_ms):
        raise refused(Refusal.NOT_RESERVED, post_id)
    if taker_of(post) != caller.idgrid:
        raise refused(Refusal.NOT_YOURS, post_id)
    return await _reopen(world, post, "ReservationEnded")


async def end_reservation(world: World, post: Post) -> Post:
    """The post without its reservation, not yet written; an offer's locked money goes back."""
    if post.kind == PostKind.REQUEST:
        return replace(
            post, state=PostState.OPEN, seller_idgrid=None, res_id=None, reserved_until_ms=0
        )
    await escrow.give_back(world, post)
    return replace(
        post, state=PostState.OPEN, buyer_idgrid=None, escrow_id=None, reserved_until_ms=0
    )


async def _takeable(
    world: World, post_id: str, kind: PostKind, idgrid: str, terms: Terms | None
) -> Post:
    """The post if this household may take it now; a reservation that is over is ended."""
    post = await get_post(world, post_id, kind)
    require_terms(post, terms)
    if post.owner_idgrid == idgrid:
        text = "Buyer cannot be the seller"
        if kind == PostKind.REQUEST:
            text = "Cannot sell to your own request"
        raise refused(Refusal.SELF_TRADE, text)
    require_not_taken(post)
    if world.now_ms >= post.delivery_start_ms:
        raise refused(Refusal.TOO_LATE, f"delivery of {post_id} has begun")
    if not is_reserved(post, world.now_ms):
        return await end_reservation(world, post) if post.state == PostState.RESERVED else post
    if taker_of(post) != idgrid or kind == PostKind.REQUEST:
        raise refused(Refusal.RESERVED, post_id)
    return post


async def _asked(world: World, post_id: str, terms: Terms | None = None) -> Post:
    """The caller's own request that somebody asked to serve."""
    post = await get_post(world, post_id, PostKind.REQUEST)
    require_terms(post, terms)
    if post.owner_idgrid != (await world.caller_is_registered()).idgrid:
        raise refused(Refusal.NOT_YOURS, post_id)
    require_not_taken(post)
    if not is_reserved(post, world.now_ms):
        raise refused(Refusal.NOT_RESERVED, post_id)
    return post


async def _locked_for(world: World, post: Post, idgrid: str) -> Post:
    escrow_id = await escrow.lock_price(
        world, post_id=post.post_id, idgrid=idgrid, price_utoken=post.price_utoken
    )
    return replace(post, buyer_idgrid=idgrid, escrow_id=escrow_id)


async def _reopen(world: World, post: Post, event: str) -> Post:
    taker = taker_of(post)
    opened = await end_reservation(world, post)
    await put_post(world, opened)
    announce(world, event, opened, taker_idgrid=taker)
    return opened


def _reserved_until(world: World, post: Post) -> int:
    return min(world.now_ms + RESERVATION_MS, post.delivery_start_ms)
