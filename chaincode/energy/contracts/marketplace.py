"""The contract `marketplace`: offers and requests between two households."""

from typing import Any

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.marketplace import closing, dealing, delivery, posting, views
from chaincode.energy.marketplace.records import Post
from chaincode.energy.marketplace.terms import terms_seen
from chaincode.energy.sight import sight_of
from chaincode.shim import Context, Contract, query, transaction


class Marketplace(Contract):
    """Offers and requests at a free price of the whole lot, taken by one other household.

    Who takes a post may name the terms it saw, all three: `hour`, `energy_wh`, `price_utoken`.
    A post with others is refused with TERMS_DIFFER.
    """

    name = "marketplace"

    @transaction
    async def post_offer(
        self,
        ctx: Context,
        hour: str,
        res_id: str,
        energy_wh: int,
        price_utoken: int,
        charge: str = "unchecked",
    ) -> Post:
        """Prosumer or generator: offer energy of an own source for one hour."""
        return await posting.post_offer(
            world_of(ctx),
            hour=hour,
            res_id=res_id,
            energy_wh=energy_wh,
            price_utoken=price_utoken,
            charge=charge,
        )

    @transaction
    async def post_request(
        self,
        ctx: Context,
        hour: str,
        energy_wh: int,
        price_utoken: int,
        acceptance: str = "required",
    ) -> Post:
        """Participant: request energy for one hour; locks the price."""
        return await posting.post_request(
            world_of(ctx),
            hour=hour,
            energy_wh=energy_wh,
            price_utoken=price_utoken,
            acceptance=acceptance,
        )

    @transaction
    async def delete(self, ctx: Context, post_id: str) -> Post:
        """Owner: withdraw a post nobody has taken."""
        return await posting.delete(world_of(ctx), post_id)

    @transaction
    async def reserve(
        self,
        ctx: Context,
        post_id: str,
        hour: str | None = None,
        energy_wh: int | None = None,
        price_utoken: int | None = None,
    ) -> Post:
        """Participant: hold an offer for a while; locks the price."""
        terms = terms_seen(hour, energy_wh, price_utoken)
        return await dealing.reserve(world_of(ctx), post_id, terms)

    @transaction
    async def release(self, ctx: Context, post_id: str) -> Post:
        """Who holds an offer or asked to serve a request: let it go."""
        return await dealing.release(world_of(ctx), post_id)

    @transaction
    async def buy(
        self,
        ctx: Context,
        post_id: str,
        hour: str | None = None,
        energy_wh: int | None = None,
        price_utoken: int | None = None,
    ) -> Post:
        """Participant: take an offer; locks the price unless it is locked already."""
        terms = terms_seen(hour, energy_wh, price_utoken)
        return await dealing.buy(world_of(ctx), post_id, terms)

    @transaction
    async def request_to_sell(
        self,
        ctx: Context,
        post_id: str,
        res_id: str,
        hour: str | None = None,
        energy_wh: int | None = None,
        price_utoken: int | None = None,
    ) -> Post:
        """Prosumer or generator: ask to serve a request from an own source."""
        terms = terms_seen(hour, energy_wh, price_utoken)
        return await dealing.request_to_sell(
            world_of(ctx), post_id=post_id, res_id=res_id, terms=terms
        )

    @transaction
    async def accept(
        self,
        ctx: Context,
        post_id: str,
        hour: str | None = None,
        energy_wh: int | None = None,
        price_utoken: int | None = None,
    ) -> Post:
        """Requester: let the household that asked sell."""
        terms = terms_seen(hour, energy_wh, price_utoken)
        return await dealing.accept(world_of(ctx), post_id, terms)

    @transaction
    async def decline(self, ctx: Context, post_id: str) -> Post:
        """Requester: refuse the household that asked."""
        return await dealing.decline(world_of(ctx), post_id)

    @transaction
    async def settle(self, ctx: Context, post_id: str) -> Post:
        """Either party, operator or oracle, after delivery: pay by the meters, once."""
        return await delivery.settle(world_of(ctx), post_id)

    @transaction
    async def confirm(self, ctx: Context, post_id: str, delivered_wh: int) -> Post:
        """Either party, if readings are missing: what came; paid once they agree."""
        return await delivery.confirm(world_of(ctx), post_id=post_id, delivered_wh=delivered_wh)

    @transaction
    async def expire(self, ctx: Context, post_id: str) -> Post:
        """Anyone, after a deadline: end what is over and free its money."""
        world = world_of(ctx)
        ended = await closing.expire(world, post_id)
        return views.post_as_seen(ended, await sight_of(world))

    @transaction
    async def resolve(self, ctx: Context, post_id: str, delivered_wh: int) -> Post:
        """Manager or grid operator: decide a disputed deal."""
        return await closing.resolve(world_of(ctx), post_id=post_id, delivered_wh=delivered_wh)

    @query
    async def get_post(self, ctx: Context, post_id: str) -> dict[str, Any]:
        """A post with its label for the caller; a deal's parties for them and staff."""
        return await views.shown_post(world_of(ctx), post_id)

    @query
    async def list_posts(
        self, ctx: Context, hour: str, after: str = "", until: str = ""
    ) -> views.PostPage:
        """The posts of a delivery hour, or of the hours until another one, a page at a time."""
        return await views.list_posts(world_of(ctx), hour=hour, after=after, until=until)
