"""The buyer's money: the price of the lot, locked before anybody is bound, and never stuck.

The amount is the post's, never the caller's, so nobody can pay too much (F2.3) and no request is
ever unfunded (F2.2).
"""

from chaincode.energy import keys
from chaincode.energy.marketplace.records import Post
from chaincode.energy.tokens import accounts
from chaincode.energy.world import World

SOURCE = "marketplace"


async def lock_price(world: World, *, post_id: str, idgrid: str, price_utoken: int) -> str:
    """Lock the price of a lot from the caller's account; returns the escrow's id."""
    raw = await world.stub.get_state(keys.account(idgrid))
    account = accounts.account_from(idgrid, raw)
    await accounts.lock(world, listing_id=post_id, account=account, amount=price_utoken)
    return world.tx_id


async def give_back(world: World, post: Post) -> None:
    """Return the locked money to the buyer, if any is locked."""
    if post.escrow_id is None or post.buyer_idgrid is None:
        return
    await _unlock(world, post, post.buyer_idgrid, post.escrow_id)
    await _pay(world, post.buyer_idgrid, post.price_utoken)


async def pay_seller(world: World, post: Post, *, paid_utoken: int, delivered_wh: int) -> None:
    """Pay the seller out of the buyer's escrow and return the rest to the buyer (F2.1)."""
    buyer, seller, escrow_id = post.buyer_idgrid, post.seller_idgrid, post.escrow_id
    if buyer is None or seller is None or escrow_id is None:
        raise AssertionError("a deal has both parties and an escrow")
    await _unlock(world, post, buyer, escrow_id)
    await _pay(world, seller, paid_utoken, sold_wh=delivered_wh)
    await _pay(world, buyer, post.price_utoken - paid_utoken, bought_wh=delivered_wh)


async def _unlock(world: World, post: Post, idgrid: str, escrow_id: str) -> None:
    await world.delete(keys.escrow(idgrid, post.post_id, escrow_id))


async def _pay(
    world: World, idgrid: str, amount: int, *, sold_wh: int = 0, bought_wh: int = 0
) -> None:
    """One payout a household and transaction, so its key is never used twice."""
    if amount or sold_wh or bought_wh:
        await accounts.pay_out(
            world,
            idgrid,
            source=SOURCE,
            reference=world.tx_id,
            amount=amount,
            sold_wh=sold_wh,
            bought_wh=bought_wh,
        )
