"""What the marketplace shows: the posts of an hour, each with what the viewer can do with it."""

from dataclasses import asdict, dataclass
from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.marketplace.labels import label_for
from chaincode.energy.marketplace.posts import post_key
from chaincode.energy.marketplace.records import Post
from chaincode.energy.world import World

POSTS_PER_PAGE_MAX = 200


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
    return PostPage(
        posts=[shown(post, world.caller.idgrid, world.now_ms) for post in posts],
        next=posts[-1].post_id if len(found) > POSTS_PER_PAGE_MAX else "",
    )


def shown(post: Post, viewer_idgrid: str | None, now_ms: int) -> dict[str, Any]:
    """A post as this viewer sees it: the record and its `label`."""
    label = label_for(post, viewer_idgrid=viewer_idgrid, now_ms=now_ms)
    return asdict(post) | {"label": label.value}
