"""Who serves whom: matched bids paired with matched offers. Pure.

One price clears a listing, so pairs decide about no money; they name both parties of every Wh,
for the event MatchResult and for certificates of origin.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chaincode.energy.market.auction_records import AuctionResult, Match
from chaincode.energy.market.outcome import preferences_of
from chaincode.energy.market.preferences import Preferences, pair_up
from chaincode.energy.market.records import MarketOrder


@dataclass(frozen=True, slots=True)
class Trade:
    """Energy of one offer for one bid, at the price of its part of the listing."""

    seller: str
    buyer: str
    offer_id: str
    bid_id: str
    energy_wh: int
    price_utoken_per_kwh: int


def trades_of(
    result: AuctionResult, placed: Sequence[MarketOrder], matches: Sequence[Match]
) -> list[Trade]:
    """All trades of a listing; `matches` in ledger order. Each part is paired for itself."""
    preferences = preferences_of(placed) or Preferences()
    ordered = sorted(matches, key=lambda match: match.position)
    owners = {match.order_id: match.idgrid for match in ordered}
    price = result.price_utoken_per_kwh or 0
    parts = [(price, [(match, match.matched_wh - match.regulated_wh) for match in ordered])]
    if result.regulated is not None:
        regulated = [(match, match.regulated_wh) for match in ordered]
        parts.insert(0, (result.regulated["price_utoken_per_kwh"], regulated))
    return [
        Trade(
            seller=owners[pair.offer_id],
            buyer=owners[pair.bid_id],
            offer_id=pair.offer_id,
            bid_id=pair.bid_id,
            energy_wh=pair.energy_wh,
            price_utoken_per_kwh=part_price,
        )
        for part_price, fills in parts
        for pair in pair_up(preferences, _side(fills, "bid"), _side(fills, "offer"))
    ]


def _side(fills: Sequence[tuple[Match, int]], side: str) -> list[tuple[str, int]]:
    return [(match.order_id, wh) for match, wh in fills if match.side == side and wh]
