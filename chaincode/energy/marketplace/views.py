"""What the marketplace shows: the posts of an hour, each with what the viewer can do with it."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.marketplace.labels import label_for
from chaincode.energy.marketplace.posts import get_post, post_key
from chaincode.energy.marketplace.records import Post, PostState
from chaincode.energy.sight import Sight, sight_of
from chaincode.energy.world import World

POSTS_PER_PAGE_MAX = 200
TO_DEAL_WITH = frozenset({PostState.OPEN, PostState.RESERVED})


@dataclass(frozen=True, slots=True)
class PostPage:
    """Posts by id, and the id to go on after; empty at the end."""

    posts: list[dict[str, Any]]
    next: str


async def list_posts(world: World, *, hour: str, after: str, until: str) -> PostPage:
    """Posts of the hours from `hour` to `until` (empty: of the one hour), in order of hours.

    Each has its `label` for the caller.
    """
    start, _ = keys.under("post", arguments.identifier(hour, "hour"))
    _, end = keys.under("post", arguments.identifier(until or hour, "until"))
    after_key = post_key(after) if after else None
    if after and after_key is None:
        arguments.bad("after is no post id")
    first = max(start, after_key + "\0") if after_key else start
    found = await world.scan(Post, (first, end), limit=POSTS_PER_PAGE_MAX + 1)
    posts = [post for _, post in found[:POSTS_PER_PAGE_MAX]]
    sight = await sight_of(world)
    return PostPage(
        posts=[_shown(post, sight, world.now_ms) for post in posts],
        next=posts[-1].post_id if len(found) > POSTS_PER_PAGE_MAX else "",
    )


async def shown_post(world: World, post_id: str) -> dict[str, Any]:
    """A post as the caller sees it: the record and its `label`."""
    return _shown(await get_post(world, post_id), await sight_of(world), world.now_ms)


def post_as_seen(post: Post, sight: Sight) -> Post:
    """A post with the names this caller is shown; others are None, the owner's empty. Pure.

    Households see who posted as long as they can deal with it; the parties of a deal, what was
    delivered and what was paid are for the parties and staff.
    """
    if sight.names(post.owner_idgrid, post.seller_idgrid, post.buyer_idgrid):
        return post
    owner = post.owner_idgrid if sight.is_household and post.state in TO_DEAL_WITH else ""
    return replace(
        post,
        owner_idgrid=owner,
        seller_idgrid=owner if owner and post.seller_idgrid == owner else None,
        buyer_idgrid=owner if owner and post.buyer_idgrid == owner else None,
        res_id=post.res_id if owner else None,  # sources often bear their owner's name
        escrow_id=None,
        delivered_wh=None,
        paid_utoken=None,
        delivery=None,
        admitted_wh=None,
        claimed_wh=None,
    )


def _shown(post: Post, sight: Sight, now_ms: int) -> dict[str, Any]:
    label = label_for(post, viewer_idgrid=sight.own_idgrid or None, now_ms=now_ms)
    return asdict(post_as_seen(post, sight)) | {"label": label.value}
