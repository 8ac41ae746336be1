"""Clearing a listing: the book from the ledger, the price rule, the result and the escrows."""

from dataclasses import asdict, dataclass
from typing import cast

from chaincode.energy import keys
from chaincode.energy.arrivals import IncompleteHistory
from chaincode.energy.community import MARKET_OPERATORS
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.book import Order, Side, build_book
from chaincode.energy.market.clearing import (
    ClearingResult,
    Ration,
    clear_book,
    other_rule_price,
)
from chaincode.energy.market.listings import get_listing, k_of, move_to
from chaincode.energy.market.matching import Rule
from chaincode.energy.market.placing import locked_by
from chaincode.energy.market.records import Listing, ListingState, MarketOrder
from chaincode.energy.market.settlement_terms import locked_for
from chaincode.energy.tokens import accounts
from chaincode.energy.tokens.records import Escrow
from chaincode.energy.world import World


@dataclass(frozen=True, slots=True)
class Match:
    """One matched order. `amount_utoken` is what it pays or gets if all is delivered.

    `locked_utoken` is what a bid keeps locked until settlement: its energy at the clearing price
    and the network charge, each rounded up. `position` is the order's place among the listing's
    orders in the ledger, from 1.
    """

    order_id: str
    idgrid: str
    side: str
    matched_wh: int
    amount_utoken: int
    locked_utoken: int
    position: int


@dataclass(frozen=True, slots=True)
class AuctionResult:
    """The stored result of a listing. Matches are in ledger order; curves are (price, Wh).

    `available_wh` and `wanted_wh` are kWhavailable and kWhwanted of the listing. The price the
    other rule would have given is published beside the one that counts.
    """

    listing_id: str
    rule: str
    rule_version: int
    k: str
    ration: str
    price_utoken_per_kwh: int | None
    price_interval: list[int] | None
    quantity_wh: int
    total_utoken: int
    available_wh: int
    wanted_wh: int
    offer_count: int
    bid_count: int
    other_rule: str
    other_rule_price_utoken_per_kwh: int | None
    demand_curve: list[list[int]]
    supply_curve: list[list[int]]
    matches: list[dict[str, object]]
    not_executable: list[list[str]]
    excluded: list[list[str]]

    def typed_matches(self) -> list[Match]:
        """The matches as records."""
        return [Match(**entry) for entry in self.matches]  # type: ignore[arg-type]


async def clear(world: World, listing_id: str) -> AuctionResult:
    """Clear a closed listing and release what matched bids do not need.

    A second call returns the stored result and changes nothing.
    """
    await world.require_role(MARKET_OPERATORS)
    listing = await get_listing(world, listing_id)
    if listing.state == ListingState.AUTHORIZE_OFFERS:
        raise refused(Refusal.TOO_EARLY, f"bidding in {listing_id} is still open")
    if listing.state != ListingState.BIDS_CLOSED:
        return await get_result(world, listing_id)
    placed = [order for _, order in await world.scan(MarketOrder, keys.under("order", listing_id))]
    positions = await world.positions(listing_id, opened_by_tx=listing.opened_by_tx)
    if unknown := [order.order_id for order in placed if order.order_id not in positions]:
        raise IncompleteHistory(f"the history of the listing lacks order {unknown[0]}")
    placed.sort(key=lambda order: positions[order.order_id])
    result = _auction(listing, placed, positions)
    await world.put(keys.result(listing_id), result)
    await _release_escrows(world, listing, placed, result)
    await move_to(world, listing, ListingState.CLEARED)
    _announce(world, result)
    return result


async def get_result(world: World, listing_id: str) -> AuctionResult:
    """The stored result of a cleared listing."""
    return await world.get(AuctionResult, keys.result(listing_id), Refusal.NOT_CLEARED, listing_id)


def _auction(
    listing: Listing, placed: list[MarketOrder], positions: dict[str, int]
) -> AuctionResult:
    orders = [
        Order(
            order_id=order.order_id,
            side=cast("Side", order.side),
            price_utoken_per_kwh=order.price_utoken_per_kwh,
            energy_wh=order.energy_wh,
            sequence=positions[order.order_id],
        )
        for order in placed
    ]
    rule, ration, k = cast("Rule", listing.rule), cast("Ration", listing.ration), k_of(listing)
    floor, cap = listing.floor_utoken_per_kwh, listing.cap_utoken_per_kwh
    cleared = clear_book(orders, rule=rule, k=k, ration=ration, floor_price=floor, cap_price=cap)
    book = build_book(orders, floor_price=floor, cap_price=cap)
    other, other_price = other_rule_price(book, rule=rule, k=k)
    return AuctionResult(
        listing_id=listing.listing_id,
        rule=rule,
        rule_version=listing.rule_version,
        k=listing.k,
        ration=ration,
        price_utoken_per_kwh=cleared.price_utoken_per_kwh,
        price_interval=list(cleared.price_interval) if cleared.price_interval else None,
        quantity_wh=cleared.quantity_wh,
        total_utoken=cleared.total_utoken,
        available_wh=cleared.available_wh,
        wanted_wh=cleared.wanted_wh,
        offer_count=sum(order.side == "offer" for order in orders),
        bid_count=sum(order.side == "bid" for order in orders),
        other_rule=other,
        other_rule_price_utoken_per_kwh=other_price,
        demand_curve=[list(point) for point in cleared.demand_curve],
        supply_curve=[list(point) for point in cleared.supply_curve],
        matches=[asdict(match) for match in _matches(listing, placed, positions, cleared)],
        not_executable=[list(entry) for entry in cleared.not_executable],
        excluded=[list(entry) for entry in cleared.excluded],
    )


def _matches(
    listing: Listing,
    placed: list[MarketOrder],
    positions: dict[str, int],
    cleared: ClearingResult,
) -> list[Match]:
    """One for each order that got energy, in ledger order."""
    amounts = cleared.buyer_pays_utoken | cleared.seller_gets_utoken
    price = cleared.price_utoken_per_kwh or 0
    matches = []
    for order in placed:
        matched_wh = cleared.allocations.get(order.order_id)
        if matched_wh is None:
            continue
        may_cost = locked_for(listing, energy_wh=matched_wh, price_utoken_per_kwh=price)
        matches.append(
            Match(
                order_id=order.order_id,
                idgrid=order.idgrid,
                side=order.side,
                matched_wh=matched_wh,
                amount_utoken=amounts[order.order_id],
                locked_utoken=may_cost if order.side == "bid" else 0,
                position=positions[order.order_id],
            )
        )
    return matches


async def _release_escrows(
    world: World, listing: Listing, placed: list[MarketOrder], result: AuctionResult
) -> None:
    """Keep locked what a matched bid may have to pay, pay the rest out at once."""
    kept = {match.order_id: match.locked_utoken for match in result.typed_matches()}
    released: dict[str, int] = {}
    for order in placed:
        if order.side != "bid":
            continue
        keep = kept.get(order.order_id, 0)
        spare = locked_by(order, listing) - keep
        if spare < 0:
            raise ArithmeticError(f"bid {order.order_id} owes more than it locked")
        released[order.idgrid] = released.get(order.idgrid, 0) + spare
        if spare:
            await accounts.put_escrow(
                world,
                Escrow(
                    idgrid=order.idgrid,
                    listing_id=listing.listing_id,
                    order_id=order.order_id,
                    locked_utoken=keep,
                ),
            )
    for idgrid, amount in released.items():
        if amount:
            await accounts.pay_out(
                world, idgrid, source="clear", reference=listing.listing_id, amount=amount
            )


def _announce(world: World, result: AuctionResult) -> None:
    world.announce(
        "MatchResult",
        {
            "listing_id": result.listing_id,
            "rule": result.rule,
            "price_utoken_per_kwh": result.price_utoken_per_kwh,
            "quantity_wh": result.quantity_wh,
            "matches": [
                {
                    "idgrid": match.idgrid,
                    "side": match.side,
                    "matched_wh": match.matched_wh,
                    "amount_utoken": match.amount_utoken,
                }
                for match in result.typed_matches()
            ],
        },
    )
