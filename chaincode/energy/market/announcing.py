"""The event MatchResult: what was decided, and who serves whom."""

from collections.abc import Sequence

from chaincode.energy.market.auction_records import AuctionResult, Match
from chaincode.energy.market.trades import Trade
from chaincode.energy.world import World

MATCH_RESULT = "MatchResult"


def announce_result(
    world: World, result: AuctionResult, matches: Sequence[Match], trades: Sequence[Trade]
) -> None:
    """Tell price, totals, every matched party and every pair of parties."""
    world.announce(
        MATCH_RESULT,
        _totals(result)
        | {"matches": _parties(matches), "trades": [_trade(trade) for trade in trades]},
    )


def announce_decision(world: World, result: AuctionResult) -> None:
    """Tell price and totals of a large book; its parties are told page by page."""
    world.announce(MATCH_RESULT, _totals(result) | {"pages": len(result.pages), "matches": []})


def announce_page(world: World, result: AuctionResult, matches: Sequence[Match]) -> None:
    """Tell the parties of one page of a large book."""
    world.announce(MATCH_RESULT, _totals(result) | {"matches": _parties(matches)})


def _totals(result: AuctionResult) -> dict[str, object]:
    return {
        "listing_id": result.listing_id,
        "rule": result.rule,
        "price_utoken_per_kwh": result.price_utoken_per_kwh,
        "quantity_wh": result.quantity_wh,
        "curtailed_wh": result.curtailed_wh,
        "line_limit_wh": result.line_limit_wh,
        "utility": result.utility,
    }


def _parties(matches: Sequence[Match]) -> list[dict[str, object]]:
    return [
        {
            "idgrid": match.idgrid,
            "side": match.side,
            "matched_wh": match.matched_wh,
            "amount_utoken": match.amount_utoken,
        }
        for match in matches
    ]


def _trade(trade: Trade) -> dict[str, object]:
    return {
        "seller": trade.seller,
        "buyer": trade.buyer,
        "energy_wh": trade.energy_wh,
        "price_utoken_per_kwh": trade.price_utoken_per_kwh,
    }
