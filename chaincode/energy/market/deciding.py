"""From an outcome to what is stored: the result of a listing and its matches. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from typing import cast

from chaincode.energy.market.auction_records import AuctionResult, Match
from chaincode.energy.market.book import CurvePoint
from chaincode.energy.market.clearing import ClearingResult, other_rule_price
from chaincode.energy.market.matching import Rule
from chaincode.energy.market.outcome import Outcome
from chaincode.energy.market.records import Listing, MarketOrder
from chaincode.energy.market.settlement_terms import locked_for

CURVE_POINTS_MAX = 1000
"""Points of a stored curve; a curve with more keeps one in so many, and its ends."""
NOTHING = dict[str, int]()


def result_of(listing: Listing, outcome: Outcome, *, solved_by: str = "contract") -> AuctionResult:
    """The result without matches and without names of orders shut out."""
    auction, book = outcome.auction, outcome.book
    rule = cast("Rule", listing.rule)
    other, other_price = other_rule_price(book, rule=rule, k=Fraction(listing.k))
    interval = auction.price_interval
    return AuctionResult(
        listing_id=listing.listing_id,
        rule=rule,
        rule_version=listing.rule_version,
        k=listing.k,
        ration=listing.ration,
        price_utoken_per_kwh=auction.price_utoken_per_kwh,
        price_interval=list(interval) if interval else None,
        quantity_wh=outcome.matched_wh,
        total_utoken=outcome.total_utoken,
        available_wh=book.offers.energy_wh,
        wanted_wh=book.bids.energy_wh,
        offer_count=len(book.offers.order_ids),
        bid_count=len(book.bids.order_ids),
        other_rule=other,
        other_rule_price_utoken_per_kwh=other_price,
        demand_curve=_stored(book.bids.curve()),
        supply_curve=_stored(book.offers.curve()),
        matches=[],
        not_executable=[],
        excluded=[],
        line_limit_wh=listing.line_limit_wh,
        curtailed_wh=outcome.curtailed_wh,
        regulated=_regulated(outcome.regulated),
        utility=_utility_rows(listing, outcome),
        solved_by=solved_by,
    )


def matches_of_outcome(
    listing: Listing,
    outcome: Outcome,
    placed: Sequence[MarketOrder],
    positions: Mapping[str, int],
) -> list[Match]:
    """One for each order that got energy, in the order of `placed`."""
    auction, regulated = outcome.auction, outcome.regulated
    amounts = auction.buyer_pays_utoken | auction.seller_gets_utoken
    first_wh = regulated.allocations if regulated else NOTHING
    first_utoken = (
        regulated.buyer_pays_utoken | regulated.seller_gets_utoken if regulated else NOTHING
    )
    matches = []
    for order in placed:
        name = order.order_id
        regulated_wh = first_wh.get(name, 0)
        auction_wh = auction.allocations.get(name, 0)
        if auction_wh or regulated_wh:
            matches.append(
                Match(
                    order_id=name,
                    idgrid=order.idgrid,
                    side=order.side,
                    matched_wh=auction_wh + regulated_wh,
                    amount_utoken=amounts.get(name, 0) + first_utoken.get(name, 0),
                    locked_utoken=keeps_locked(
                        listing,
                        order.side,
                        price=auction.price_utoken_per_kwh or 0,
                        auction_wh=auction_wh,
                        regulated_wh=regulated_wh,
                    ),
                    position=positions[name],
                    regulated_wh=regulated_wh,
                    regulated_utoken=first_utoken.get(name, 0),
                )
            )
    return matches


def keeps_locked(
    listing: Listing, side: str, *, price: int, auction_wh: int, regulated_wh: int
) -> int:
    """What a matched bid may have to pay at most, with the network charge."""
    if side != "bid":
        return 0
    locked = locked_for(listing, energy_wh=auction_wh, price_utoken_per_kwh=price)
    if regulated_wh:
        regulated_price = listing.regulated_price_utoken_per_kwh or 0
        locked += locked_for(listing, energy_wh=regulated_wh, price_utoken_per_kwh=regulated_price)
    return locked


def with_details(
    result: AuctionResult, outcome: Outcome, matches: Sequence[Match]
) -> AuctionResult:
    """The result of a book that cleared in one transaction, complete."""
    auction = outcome.auction
    return AuctionResult(
        **(
            asdict(result)
            | {
                "matches": [asdict(match) for match in matches],
                "not_executable": [list(entry) for entry in outcome.book.not_executable],
                "excluded": [list(entry) for entry in auction.excluded],
            }
        )
    )


def _regulated(result: ClearingResult | None) -> dict[str, int] | None:
    if result is None or result.price_utoken_per_kwh is None:
        return None
    return {
        "price_utoken_per_kwh": result.price_utoken_per_kwh,
        "quantity_wh": result.quantity_wh,
        "wanted_wh": result.wanted_wh,
        "total_utoken": result.total_utoken,
    }


def _utility_rows(listing: Listing, outcome: Outcome) -> list[dict[str, object]]:
    """What found no match is the utility's: demand at the retail price, surplus at feed-in."""
    rows: list[dict[str, object]] = []
    sides = (
        ("bid", "retail", outcome.book.bids.energy_wh, listing.cap_utoken_per_kwh),
        ("offer", "feed_in", outcome.book.offers.energy_wh, listing.floor_utoken_per_kwh),
    )
    for side, tariff, ordered_wh, price in sides:
        left_wh = ordered_wh - outcome.matched_wh
        if left_wh:
            rows.append(
                {
                    "party": "utility",
                    "side": side,
                    "energy_wh": left_wh,
                    "tariff": tariff,
                    "tariff_utoken_per_kwh": price,
                    "amount_utoken": left_wh * price // 1000,
                }
            )
    return rows


def _stored(curve: Sequence[CurvePoint]) -> list[list[int]]:
    every = -(-len(curve) // CURVE_POINTS_MAX) or 1
    kept = [list(point) for point in curve[::every]]
    if curve and kept[-1] != list(curve[-1]):
        kept.append(list(curve[-1]))
    return kept
