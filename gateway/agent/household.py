"""A household in the demo: on a new listing it places the order its strategy wishes for.

It signs itself, or it sleeps: then an agent with a key of its own orders for it, within the limits
that the household signed, and carries out its standing order first.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chaincode.energy.market.placing import OFFER
from chaincode.energy.marketplace.posts import new_post_id
from gateway.agent.client import HouseholdClient, OrderRefused
from gateway.agent.sleeper import Sleeper
from gateway.agent.strategy import ENERGY_MIN_WH, MarketTerms, Wish, apart_from, wish_for
from gateway.hems.profiles import Home, Profiles

logger = logging.getLogger(__name__)


class Household:
    """An IDgrid, its home's profile and its own key."""

    def __init__(
        self,
        *,
        idgrid: str,
        res_id: str,
        home: Home,
        profiles: Profiles,
        client: HouseholdClient,
        preferred: Sequence[str] = (),
        sleeper: Sleeper | None = None,
    ) -> None:
        """`preferred`: producers whose energy it would rather buy, by IDgrid.

        `sleeper`: the agent that orders in the auction while the household sleeps.
        """
        self.idgrid = idgrid
        self.sleeper = sleeper
        self._res_id = res_id
        self._home = home
        self._profiles = profiles
        self._client = client
        self._wishes = [json.dumps(list(preferred))] if preferred else []

    def net_wh(self, delivery_start: datetime) -> int:
        """PV minus load of an hour."""
        row = self._profiles.hour_index(delivery_start)
        return self._home.pv_wh[row] - self._home.load_wh[row]

    async def on_listing(
        self, terms: MarketTerms, delivery_start: datetime, *, apart_wh: int = 0
    ) -> Wish | None:
        """Order what it wishes for; returns that, `None` when it is nothing or was refused.

        `apart_wh` of what it expects to give or to need is kept out of the auction.
        """
        net_wh = apart_from(self.net_wh(delivery_start), apart_wh)
        wish = wish_for(household=self.idgrid, net_wh=net_wh, terms=terms)
        if wish is None:
            return None
        try:
            await self._order(wish, terms)
        except OrderRefused as refused:
            logger.warning("%s, %s: %s", self.idgrid, terms.listing_id, refused)
            return None
        return wish

    async def submit(self, function: str, args: Sequence[str]) -> str:
        """Sign a transaction with the household's own key; returns its id, once committed."""
        return await self._client.submit(function, args, wait=True)

    async def offer_directly(self, hour: str, energy_wh: int, price_utoken: int) -> str:
        """Offer energy to whoever takes it, from house to house; returns the post's id."""
        args = [hour, self._res_id, str(energy_wh), str(price_utoken)]
        return new_post_id(hour, await self.submit("marketplace:post_offer", args))

    async def _order(self, wish: Wish, terms: MarketTerms) -> None:
        if self.sleeper is None:
            await self._place(self._client, wish, terms)
            return
        left_wh = wish.energy_wh - await self.sleeper.carry_out(wish, terms.listing_id)
        if left_wh >= ENERGY_MIN_WH:
            rest = replace(wish, energy_wh=left_wh)
            await self._place(self.sleeper.client, rest, terms)

    async def _place(self, client: HouseholdClient, wish: Wish, terms: MarketTerms) -> None:
        amounts = [str(wish.energy_wh), str(wish.price_utoken_per_kwh)]
        if wish.side == OFFER:
            await client.submit("market:place_offer", [terms.listing_id, self._res_id, *amounts])
        else:
            await client.submit("market:place_bid", [terms.listing_id, *amounts, *self._wishes])
