"""Buyers' wishes for certain sources: they decide ties, never price or quantity.

One price clears the listing, so any matched offer may serve any matched bid. A wish decides two
things: which offers of the marginal price level are served first, and who is paired with whom.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Preferences:
    """`sources`: offer -> names of its energy source (RESid, owner's IDgrid).

    `wanted`: bid -> such names, the dearest wish first.
    """

    sources: Mapping[str, Sequence[str]] = field(default_factory=dict)
    wanted: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pair:
    """So much energy of this offer is for this bid."""

    bid_id: str
    offer_id: str
    energy_wh: int


def favoured_wh(
    preferences: Preferences, bids: Iterable[tuple[str, int]], offers: Iterable[tuple[str, int]]
) -> dict[str, int]:
    """Wh of each offer that matched buyers wish for.

    `bids`: (id, matched Wh) in ledger order; `offers`: (id, Wh) of all that could be served, best
    price first. Each wish is met once, from the best offer of the source on.
    """
    favoured: dict[str, int] = {}
    for pair in _wished_pairs(preferences, bids, offers):
        favoured[pair.offer_id] = favoured.get(pair.offer_id, 0) + pair.energy_wh
    return favoured


def pair_up(
    preferences: Preferences,
    bids: Sequence[tuple[str, int]],
    offers: Sequence[tuple[str, int]],
) -> list[Pair]:
    """Who serves whom: wishes first, the rest in ledger order on both sides.

    `bids` and `offers`: (id, matched Wh) in ledger order, with equal sums. Every Wh is paired.
    """
    pairs = _wished_pairs(preferences, bids, offers)
    bought, sold = dict(bids), dict(offers)
    for pair in pairs:
        bought[pair.bid_id] -= pair.energy_wh
        sold[pair.offer_id] -= pair.energy_wh
    rest = [(offer_id, energy_wh) for offer_id, energy_wh in sold.items() if energy_wh]
    rest.reverse()
    for bid_id, wanted_wh in bought.items():
        left_wh = wanted_wh
        while left_wh:
            offer_id, offer_wh = rest.pop()
            energy_wh = min(left_wh, offer_wh)
            pairs.append(Pair(bid_id, offer_id, energy_wh))
            left_wh -= energy_wh
            if offer_wh > energy_wh:
                rest.append((offer_id, offer_wh - energy_wh))
    return pairs


def _wished_pairs(
    preferences: Preferences, bids: Iterable[tuple[str, int]], offers: Iterable[tuple[str, int]]
) -> list[Pair]:
    """Bids in their order; each takes from its sources in the order of its wishes."""
    left = dict(offers)
    of_source: dict[str, list[str]] = {}
    for offer_id in left:
        for name in preferences.sources.get(offer_id, ()):
            of_source.setdefault(name, []).append(offer_id)
    pairs: list[Pair] = []
    for bid_id, matched_wh in bids:
        open_wh = matched_wh
        for source in preferences.wanted.get(bid_id, ()):
            for offer_id in of_source.get(source, ()):
                energy_wh = min(open_wh, left[offer_id])
                if energy_wh:
                    pairs.append(Pair(bid_id, offer_id, energy_wh))
                    left[offer_id] -= energy_wh
                    open_wh -= energy_wh
    return pairs
