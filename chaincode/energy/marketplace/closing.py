"""Ending what time has ended: reservations, posts nobody took, deals nobody could settle.

Every lock of money has an instant from which anybody may free it, so no escrow is ever stuck.
"""

from dataclasses import replace

from chaincode.energy import arguments
from chaincode.energy.community import GRID_OPERATORS, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.marketplace import escrow
from chaincode.energy.marketplace.dealing import end_reservation
from chaincode.energy.marketplace.delivery import finish, metered_wh, require_auctions_over
from chaincode.energy.marketplace.labels import is_reserved, taker_of
from chaincode.energy.marketplace.posts import announce, get_post, put_post
from chaincode.energy.marketplace.records import DEALT, Delivery, Post, PostState
from chaincode.energy.world import World

DECIDERS = frozenset({Role.COMMUNITY_MANAGER, *GRID_OPERATORS})


async def expire(world: World, post_id: str) -> Post:
    """Anyone, once a deadline has passed: end the reservation, the post or the unsettled deal.

    A post that is over is returned as it is. Refuses with TOO_EARLY while nothing is due.
    """
    post = await get_post(world, post_id)
    if post.state in DEALT:
        return await _end_deal(world, post)
    if post.state not in (PostState.OPEN, PostState.RESERVED):
        return post
    if world.now_ms >= post.delivery_start_ms:
        return await _end_post(world, post)
    if post.state == PostState.RESERVED and not is_reserved(post, world.now_ms):
        taker = taker_of(post)
        opened = await end_reservation(world, post)
        await put_post(world, opened)
        announce(world, "ReservationEnded", opened, taker_idgrid=taker)
        return opened
    raise refused(Refusal.TOO_EARLY, f"nothing of {post_id} is due yet")


async def resolve(world: World, *, post_id: str, delivered_wh: int) -> Post:
    """Manager or grid operator: decide a disputed deal."""
    await world.require_role(DECIDERS)
    post = await get_post(world, post_id)
    if post.state != PostState.DISPUTED:
        raise refused(Refusal.NOT_DISPUTED, f"{post_id} is {post.state}")
    arguments.not_negative(delivered_wh, "delivered_wh", at_most=post.energy_wh)
    return await finish(world, post, delivered_wh, Delivery.DECIDED)


async def _end_post(world: World, post: Post) -> Post:
    """Delivery begins and nobody took it: a request's money goes back to its owner."""
    if post.state == PostState.RESERVED:
        post = await end_reservation(world, post)
    await escrow.give_back(world, post)
    expired = replace(post, state=PostState.EXPIRED, escrow_id=None)
    await put_post(world, expired)
    announce(world, "PostExpired", expired)
    return expired


async def _end_deal(world: World, post: Post) -> Post:
    """The readings decide even now; without them the buyer pays what it admitted, else nothing."""
    if world.now_ms < post.refund_from_ms:
        raise refused(Refusal.TOO_EARLY, f"{post.post_id} can be settled until then")
    await require_auctions_over(world, post)
    delivered_wh = await metered_wh(world, post)
    if delivered_wh is not None:
        return await finish(world, post, delivered_wh, Delivery.METERED)
    if post.admitted_wh:
        return await finish(world, post, post.admitted_wh, Delivery.CONFIRMED)
    await escrow.give_back(world, post)
    refunded = replace(
        post,
        state=PostState.REFUNDED,
        escrow_id=None,
        delivered_wh=0,
        paid_utoken=0,
        delivery=Delivery.UNPROVEN,
    )
    await put_post(world, refunded)
    announce(world, "DealRefunded", refunded, refunded_utoken=post.price_utoken)
    return refunded
