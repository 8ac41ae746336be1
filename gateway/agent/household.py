"""A household in the demo: on a new listing it places the order its strategy wishes for."""

import json
import logging
from collections.abc import Sequence
from datetime import datetime

from gateway.agent.client import HouseholdClient, OrderRefused
from gateway.agent.strategy import MarketTerms, Wish, wish_for
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
    ) -> None:
        """`preferred`: producers whose energy it would rather buy, by IDgrid."""
        self.idgrid = idgrid
        self._res_id = res_id
        self._home = home
        self._profiles = profiles
        self._client = client
        self._wishes = [json.dumps(list(preferred))] if preferred else []

    def net_wh(self, delivery_start: datetime) -> int:
        """PV minus load of an hour."""
        row = self._profiles.hour_index(delivery_start)
        return self._home.pv_wh[row] - self._home.load_wh[row]

    async def on_listing(self, terms: MarketTerms, delivery_start: datetime) -> Wish | None:
        """Place at most one order; returns it, `None` when there is none or it was refused."""
        wish = wish_for(household=self.idgrid, net_wh=self.net_wh(delivery_start), terms=terms)
        if wish is None:
            return None
        amounts = [str(wish.energy_wh), str(wish.price_utoken_per_kwh)]
        try:
            if wish.side == "offer":
                await self._client.submit(
                    "market:place_offer", [terms.listing_id, self._res_id, *amounts]
                )
            else:
                await self._client.submit(
                    "market:place_bid", [terms.listing_id, *amounts, *self._wishes]
                )
        except OrderRefused as refused:
            logger.warning("%s, %s: %s", self.idgrid, terms.listing_id, refused)
            return None
        return wish
