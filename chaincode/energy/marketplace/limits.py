"""How much one household posts and trades for one hour, and by which contract."""

from chaincode.energy import keys
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.marketplace.records import Deal, OwnPost, Post
from chaincode.energy.registry.records import Participant
from chaincode.energy.registry.trading import order_limit_wh
from chaincode.energy.world import World

POSTS_PER_HOUR_MAX = 20
"""Posts of one household for one hour, and its deals of one side; keeps range reads bounded."""
HOUR_WH_MAX = 10_000
"""Energy of one household for one hour, offered, requested, sold or bought (002:257)."""


async def require_room_to_post(world: World, owner: Participant, post: Post) -> None:
    """Refuse one post too many of a household for an hour, or more energy than it may trade."""
    bounds = keys.under("ownpost", owner.idgrid, post.hour)
    own = [entry for _, entry in await world.scan(OwnPost, bounds)]
    same = [entry.energy_wh for entry in own if entry.kind == post.kind]
    _require(owner, post, same, count=len(own))


async def require_room(world: World, trader: Participant, post: Post, side: str) -> None:
    """The same for the deals of one side (sell or buy) a household makes for an hour."""
    bounds = keys.under("deal", trader.idgrid, post.hour)
    made = [deal.energy_wh for _, deal in await world.scan(Deal, bounds) if deal.side == side]
    _require(trader, post, made, count=len(made))


def _require(trader: Participant, post: Post, energies_wh: list[int], *, count: int) -> None:
    if count >= POSTS_PER_HOUR_MAX:
        raise refused(Refusal.TOO_MANY_POSTS, f"at most {POSTS_PER_HOUR_MAX}")
    slot_ms = post.delivery_end_ms - post.delivery_start_ms
    limit_wh = order_limit_wh(trader, max_order_wh=HOUR_WH_MAX, slot_ms=slot_ms)
    total_wh = post.energy_wh + sum(energies_wh)
    if total_wh > limit_wh:
        raise refused(Refusal.CAP_EXCEEDED, f"{total_wh} Wh in all, the cap is {limit_wh}")
