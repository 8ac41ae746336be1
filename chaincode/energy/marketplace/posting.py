"""Posting an offer or a request, and deleting an own one nobody has taken."""

from dataclasses import replace

from chaincode.energy import arguments, keys
from chaincode.energy.arguments import AMOUNT_UTOKEN_MAX, ENERGY_WH_MAX
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.hours import DAY_MS
from chaincode.energy.marketplace import battery, escrow
from chaincode.energy.marketplace.labels import is_reserved
from chaincode.energy.marketplace.limits import require_room_to_post
from chaincode.energy.marketplace.periods import Period, period_of
from chaincode.energy.marketplace.posts import announce, get_post, new_post_id, put_post
from chaincode.energy.marketplace.records import OwnPost, Post, PostKind, PostState
from chaincode.energy.marketplace.shares import unit_price
from chaincode.energy.marketplace.traders import require_seller, require_trader
from chaincode.energy.registry.records import Participant
from chaincode.energy.world import World

AHEAD_MS_MAX = 31 * DAY_MS
CHARGE_MODES = ("checked", "unchecked")
ACCEPTANCE_MODES = ("required", "immediate")


async def post_offer(
    world: World, *, hour: str, res_id: str, energy_wh: int, price_utoken: int, charge: str
) -> Post:
    """Seller: this energy of an own source in this hour, for this price of the whole lot.

    `charge`: checked compares a battery with its agreed state of charge and what it promised.
    """
    seller = await require_seller(world, res_id)
    is_checked = arguments.one_of(charge, "charge", CHARGE_MODES) == "checked"
    _require_lot(energy_wh, price_utoken, Refusal.OFFER_PRICE_NOT_POSITIVE)
    period = await period_of(world, hour)
    post = _post(world, PostKind.OFFER, seller.idgrid, period, energy_wh, price_utoken)
    post = replace(post, seller_idgrid=seller.idgrid, res_id=res_id, is_charge_checked=is_checked)
    if is_checked:
        await battery.promise(world, post)
    await _add(world, seller, post)
    announce(world, "OfferPosted", post, is_charge_checked=is_checked)
    return post


async def post_request(
    world: World, *, hour: str, energy_wh: int, price_utoken: int, acceptance: str
) -> Post:
    """Buyer: wants this energy in this hour and locks the price of the whole lot for it.

    `acceptance`: required lets the buyer choose who sells; immediate takes the first seller.
    """
    buyer = await require_trader(world)
    needs_acceptance = arguments.one_of(acceptance, "acceptance", ACCEPTANCE_MODES) == "required"
    _require_lot(energy_wh, price_utoken, Refusal.BID_PRICE_NOT_POSITIVE)
    period = await period_of(world, hour)
    post = _post(world, PostKind.REQUEST, buyer.idgrid, period, energy_wh, price_utoken)
    escrow_id = await escrow.lock_price(
        world, post_id=post.post_id, idgrid=buyer.idgrid, price_utoken=price_utoken
    )
    post = replace(
        post,
        buyer_idgrid=buyer.idgrid,
        escrow_id=escrow_id,
        needs_acceptance=needs_acceptance,
    )
    await _add(world, buyer, post)
    announce(world, "RequestPosted", post)
    return post


async def delete(world: World, post_id: str) -> Post:
    """Owner: withdraw a post nobody has taken or holds; what it locked is free again."""
    owner = await world.caller_is_registered()
    post = await get_post(world, post_id)
    if post.owner_idgrid != owner.idgrid:
        raise refused(Refusal.NOT_YOURS, post_id)
    if is_reserved(post, world.now_ms):
        raise refused(Refusal.RESERVED, post_id)
    require_not_taken(post)
    await escrow.give_back(world, post)
    if post.is_charge_checked:
        await battery.release(world, post)
    await world.delete(keys.own_post(owner.idgrid, post.hour, post.post_id))
    deleted = replace(post, state=PostState.DELETED, escrow_id=None)
    await put_post(world, deleted)
    announce(world, "PostDeleted", deleted)
    return deleted


def require_not_taken(post: Post) -> None:
    """Refuse a post that is a deal, or over."""
    if post.state in (PostState.OPEN, PostState.RESERVED):
        return
    if post.state in (PostState.DELETED, PostState.EXPIRED):
        raise refused(Refusal.POST_CLOSED, f"{post.post_id} is {post.state}")
    taken = post.kind == PostKind.OFFER
    raise refused(Refusal.ALREADY_PURCHASED if taken else Refusal.ALREADY_SOLD, post.post_id)


def _require_lot(energy_wh: int, price_utoken: int, price_refusal: Refusal) -> None:
    if energy_wh <= 0:
        raise refused(Refusal.ENERGY_MISSING, f"energy_wh is {energy_wh}")
    if price_utoken <= 0:
        raise refused(price_refusal, f"price_utoken is {price_utoken}")
    arguments.positive(energy_wh, "energy_wh", at_most=ENERGY_WH_MAX)
    arguments.positive(price_utoken, "price_utoken", at_most=AMOUNT_UTOKEN_MAX)


def _post(
    world: World, kind: PostKind, idgrid: str, period: Period, energy_wh: int, price_utoken: int
) -> Post:
    if world.now_ms >= period.delivery_start_ms:
        raise refused(Refusal.TOO_LATE, f"{period.hour} has begun")
    if period.delivery_start_ms > world.now_ms + AHEAD_MS_MAX:
        raise refused(Refusal.TOO_EARLY, f"{period.hour} is more than {AHEAD_MS_MAX} ms ahead")
    return Post(
        post_id=new_post_id(period.hour, world.tx_id),
        kind=kind,
        state=PostState.OPEN,
        hour=period.hour,
        owner_idgrid=idgrid,
        energy_wh=energy_wh,
        price_utoken=price_utoken,
        unit_price_utoken_per_kwh=unit_price(price_utoken=price_utoken, energy_wh=energy_wh),
        res_id=None,
        is_charge_checked=False,
        needs_acceptance=False,
        seller_idgrid=None,
        buyer_idgrid=None,
        reserved_until_ms=0,
        escrow_id=None,
        delivery_start_ms=period.delivery_start_ms,
        delivery_end_ms=period.delivery_end_ms,
        reading_tolerance_ms=period.reading_tolerance_ms,
        settle_by_ms=period.settle_by_ms,
        refund_from_ms=period.refund_from_ms,
    )


async def _add(world: World, owner: Participant, post: Post) -> None:
    """Write a new post if the household's others leave room for it."""
    await require_room_to_post(world, owner, post)
    entry = OwnPost(kind=post.kind, energy_wh=post.energy_wh)
    await world.put(keys.own_post(post.owner_idgrid, post.hour, post.post_id), entry)
    await put_post(world, post)
