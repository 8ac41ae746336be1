"""Where a country's law forbids trade between members: offers become feed-in orders. Pure.

Members there may only inject surplus into the grid and buy from their supplier (row E139). A
listing pins `allows_direct_trade` from the community's defaults; without it an offer is kept as
an order to feed in at the tariff, a bid is refused, nothing matches, and settlement sells every
exported Wh to the utility.
"""

from collections.abc import Mapping
from typing import Any

from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.records import Listing, MarketDefaults

ALLOWS_DIRECT_TRADE = "allows_direct_trade"
FEED_IN_SOURCE = "feed_in"
"""What stands in `MarketOrder.source` of an offer that became a feed-in order."""


def require_direct_trade(listing: Listing) -> None:
    """Refuse what only makes sense between members."""
    if not listing.allows_direct_trade:
        raise refused(Refusal.DIRECT_TRADE_FORBIDDEN, listing.listing_id)


def require_direct_trade_pinned(pinned: MarketDefaults | None) -> None:
    """The same where there is no listing: by what the community has pinned."""
    if pinned is not None and is_forbidden(pinned.parameters):
        raise refused(Refusal.DIRECT_TRADE_FORBIDDEN, "by the community's defaults")


def require_within_law(given: Mapping[str, Any], pinned: Mapping[str, Any]) -> None:
    """Nobody opens a single listing outside the law the community has pinned."""
    if is_forbidden(pinned) and given.get(ALLOWS_DIRECT_TRADE, False):
        raise refused(Refusal.DIRECT_TRADE_FORBIDDEN, "the community has pinned it")


def is_forbidden(parameters: Mapping[str, Any]) -> bool:
    """Whether these parameters of listings forbid trade between members."""
    return parameters.get(ALLOWS_DIRECT_TRADE, True) is False
