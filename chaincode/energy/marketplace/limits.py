"""How much one household posts and trades for one hour, and by which contract."""

from collections.abc import Mapping

from chaincode.energy import keys
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.marketplace.records import BUY, SELL, Deal, OwnPost, Post, PostKind
from chaincode.energy.registry.records import Participant
from chaincode.energy.registry.trading import order_limit_wh
from chaincode.energy.world import World

POSTS_PER_HOUR_MAX = 20
"""Posts of one household for one hour, and its deals of one side; keeps range reads bounded."""
HOUR_WH_MAX = 10_000
"""Energy of one household for one hour, offered, requested, sold or bought (002:257)."""


async def require_room_to_post(world: World, owner: Participant, post: Post) -> None:
    """Refuse one post too many of a household for an hour, or more energy than it may trade."""
    own = await _own_posts(world, owner, post)
    side = SELL if post.kind == PostKind.OFFER else BUY
    bound = _bound(own, await _deals(world, owner, post), side)
    _require(owner, post, bound, count=len(own))


async def require_room(world: World, trader: Participant, post: Post, side: str) -> None:
    """The same for what a household sells or buys (`side`) of another's post."""
    deals = await _deals(world, trader, post)
    bound = _bound(await _own_posts(world, trader, post), deals, side)
    made = [deal for deal in deals.values() if deal.side == side]
    _require(trader, post, bound, count=len(made))


async def _own_posts(world: World, trader: Participant, post: Post) -> dict[str, OwnPost]:
    """What the household has posted for the hour, by post; deleted posts are gone."""
    found = await world.scan(OwnPost, keys.under("ownpost", trader.idgrid, post.hour))
    return {keys.last_part(key): entry for key, entry in found}


async def _deals(world: World, trader: Participant, post: Post) -> dict[str, Deal]:
    """What the household has sold and bought for the hour, by post."""
    found = await world.scan(Deal, keys.under("deal", trader.idgrid, post.hour))
    return {keys.last_part(key): deal for key, deal in found}


def _bound(own: Mapping[str, OwnPost], deals: Mapping[str, Deal], side: str) -> list[int]:
    """Energies offered and sold, or requested and bought; an own post that is a deal once."""
    kind = PostKind.OFFER if side == SELL else PostKind.REQUEST
    posted = {post_id: entry.energy_wh for post_id, entry in own.items() if entry.kind == kind}
    made = {post_id: deal.energy_wh for post_id, deal in deals.items() if deal.side == side}
    return list((posted | made).values())


def _require(trader: Participant, post: Post, energies_wh: list[int], *, count: int) -> None:
    if count >= POSTS_PER_HOUR_MAX:
        raise refused(Refusal.TOO_MANY_POSTS, f"at most {POSTS_PER_HOUR_MAX}")
    slot_ms = post.delivery_end_ms - post.delivery_start_ms
    limit_wh = order_limit_wh(trader, max_order_wh=HOUR_WH_MAX, slot_ms=slot_ms)
    total_wh = post.energy_wh + sum(energies_wh)
    if total_wh > limit_wh:
        raise refused(Refusal.CAP_EXCEEDED, f"{total_wh} Wh in all, the cap is {limit_wh}")
