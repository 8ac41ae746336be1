"""How much of an hour's metered energy belongs to one deal, and what it costs. Pure.

A household may have several deals in one hour, beside what it traded in the auction of that hour.
No metered Wh may count twice, and no order of settling may be better than another. So what
the auction left of a household's export (or import) is shared among its deals in proportion to
their energy; a deal delivers the smaller of the seller's and the buyer's share. What one buyer
did not take is not given to another: it goes to the utility like any other surplus.
"""

from collections.abc import Mapping

from chaincode.energy.market.rationing import largest_remainder


def share_of(post_id: str, *, deals: Mapping[str, int], available_wh: int) -> int:
    """Wh of `available_wh` that belong to one of the deals of a household.

    `deals`: post id -> agreed Wh, all deals of one side; ties go by post id, the same on every
    peer. Nobody gets more than agreed.
    """
    names = sorted(deals)
    claims = [deals[name] for name in names]
    total = min(max(0, available_wh), sum(claims))
    return largest_remainder(claims=claims, total=total)[names.index(post_id)]


def amount_for(*, price_utoken: int, energy_wh: int, delivered_wh: int) -> int:
    """What the delivered part of a lot costs, rounded down in favour of the buyer."""
    return price_utoken * delivered_wh // energy_wh


def unit_price(*, price_utoken: int, energy_wh: int) -> int:
    """The lot's price in micro-tokens per kWh, rounded down; for display only."""
    return price_utoken * 1000 // energy_wh
