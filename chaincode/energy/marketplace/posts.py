"""Reading, writing and announcing posts: used by every function of the marketplace."""

from dataclasses import replace

from chaincode.energy import keys
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.hours import delivery_hour_ms
from chaincode.energy.marketplace.records import BUY, SELL, Deal, Post, PostKind, PostState
from chaincode.energy.world import World

ID_SEPARATOR = "."
ID_HEX_DIGITS = 16
_UNKNOWN = {PostKind.OFFER: Refusal.UNKNOWN_OFFER, PostKind.REQUEST: Refusal.UNKNOWN_REQUEST}


def new_post_id(hour: str, tx_id: str) -> str:
    """`2026-01-15T10.3f1c…`: the delivery hour and the start of the transaction's id."""
    return f"{hour}{ID_SEPARATOR}{tx_id[:ID_HEX_DIGITS]}"


def post_key(post_id: str) -> str | None:
    """State key of a post; None for a text that is no post id."""
    hour, separator, number = post_id.partition(ID_SEPARATOR)
    try:
        delivery_hour_ms(hour)
    except ValueError:
        return None
    return keys.post(hour, number) if separator and number.isalnum() else None


async def get_post(world: World, post_id: str, kind: PostKind | None = None) -> Post:
    """A post; refuses an unknown one, or one of the other kind, in the documents' words."""
    key = post_key(post_id)
    found = await world.find(Post, key) if key is not None else None
    if found is None or (kind is not None and found.kind != kind):
        raise refused(_UNKNOWN[kind or PostKind.OFFER], post_id[: len(keys.post("", "")) + 64])
    return found


async def put_post(world: World, post: Post) -> None:
    """Write a post."""
    key = post_key(post.post_id)
    assert key is not None, "the id was made by new_post_id"
    await world.put(key, post)


async def bind(world: World, post: Post, state: PostState) -> Post:
    """Make it a deal: both parties can find it by household and hour."""
    dealt = replace(post, state=state)
    for idgrid, side in ((post.seller_idgrid, SELL), (post.buyer_idgrid, BUY)):
        assert idgrid is not None, "a deal has both parties"
        entry = Deal(side=side, energy_wh=post.energy_wh)
        await world.put(keys.deal(idgrid, post.hour, post.post_id), entry)
    await put_post(world, dealt)
    return dealt


def announce(world: World, name: str, post: Post, **more: object) -> None:
    """One event a step, each with its own name, both parties and the amounts (F2.4)."""
    facts: dict[str, object] = {
        "post_id": post.post_id,
        "kind": post.kind,
        "state": post.state,
        "seller_idgrid": post.seller_idgrid,
        "buyer_idgrid": post.buyer_idgrid,
        "energy_wh": post.energy_wh,
        "price_utoken": post.price_utoken,
    }
    world.announce(name, facts | more)
