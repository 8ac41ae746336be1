"""What a settlement is decided from, and the rule applied to all of it at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaincode.energy.market.auction_records import AuctionResult, Match
from chaincode.energy.market.matches import get_result, matches_of, split_matches
from chaincode.energy.market.records import Listing
from chaincode.energy.settlement.group_metering import with_groups
from chaincode.energy.settlement.metering import SILENT, Readings, measured
from chaincode.energy.settlement.pool import (
    Metered,
    Position,
    Settlement,
    Tariff,
    settle_pool,
)
from chaincode.energy.settlement.records import Progress, SettlementLine, SettlementRecord
from chaincode.energy.settlement.regulated import settle_in_parts
from chaincode.energy.world import World


@dataclass(frozen=True, slots=True)
class Case:
    """All a settlement is decided from; `silent` households count as zero."""

    listing: Listing
    result: AuctionResult
    matches: list[Match]
    positions: list[Position]
    metered: dict[str, Metered]
    silent: list[str]


async def case_of(world: World, listing: Listing, *, operator_decides: bool) -> Case:
    """Matches and metered energy of a cleared listing; refuses one that is not cleared.

    With `operator_decides` the grid operator's statements count before readings.
    """
    result = await get_result(world, listing.listing_id)
    matches = await matches_of(world, result)
    positions = _positions(matches)
    own = await measured(world, listing, operator_decides=operator_decides)
    readings, missing = await with_groups(world, listing.listing_id, matches, own)
    silent = sorted({*_silent(positions, readings), *missing})
    return Case(
        listing=listing,
        result=result,
        matches=matches,
        positions=positions,
        metered=readings.metered | dict.fromkeys(silent, SILENT),
        silent=silent,
    )


def _silent(positions: list[Position], readings: Readings) -> list[str]:
    """Households with a match and without readings; any other without readings is left out.

    Its energy is then for its own supplier.
    """
    return sorted({position.idgrid for position in positions} - readings.metered.keys())


def _positions(matches: list[Match]) -> list[Position]:
    """One position per household, in ledger order of its first matched order."""
    positions: dict[str, Position] = {}
    for match in matches:
        before = positions.get(match.idgrid) or Position(match.idgrid, 0, 0, 0)
        is_sale = match.side == "offer"
        positions[match.idgrid] = Position(
            idgrid=match.idgrid,
            matched_sell_wh=before.matched_sell_wh + (match.matched_wh if is_sale else 0),
            matched_buy_wh=before.matched_buy_wh + (0 if is_sale else match.matched_wh),
            locked_utoken=before.locked_utoken + match.locked_utoken,
        )
    return list(positions.values())


def settled(case: Case) -> Settlement:
    """The rule, with the regulated part first where the listing has one."""
    regulated = case.result.regulated
    if regulated is None:
        return settle_pool(case.positions, case.metered, _tariff(case))
    first, rest = split_matches(case.listing, case.matches)
    return settle_in_parts(
        _positions(first),
        _positions(rest),
        case.metered,
        _tariff(case),
        regulated_price_utoken_per_kwh=regulated["price_utoken_per_kwh"],
    )


async def escrows_of(world: World, listing_id: str) -> dict[str, list[str]]:
    """The same as `open_escrows`, of a cleared listing."""
    return open_escrows(await matches_of(world, await get_result(world, listing_id)))


def open_escrows(matches: list[Match]) -> dict[str, list[str]]:
    """Household -> its orders that still have money locked."""
    found: dict[str, list[str]] = {}
    for match in matches:
        if match.locked_utoken:
            found.setdefault(match.idgrid, []).append(match.order_id)
    return found


def _tariff(case: Case) -> Tariff:
    listing = case.listing
    return Tariff(
        clearing_price_utoken_per_kwh=case.result.price_utoken_per_kwh or 0,
        retail_price_utoken_per_kwh=listing.cap_utoken_per_kwh,
        feed_in_tariff_utoken_per_kwh=listing.floor_utoken_per_kwh,
        network_charge_utoken_per_kwh=listing.network_charge_utoken_per_kwh,
        pool_share_permille=listing.pool_share_permille,
    )


def record_of(
    case: Case, *, lines: Sequence[SettlementLine], revision: int, now_ms: int
) -> SettlementRecord:
    """Totals of these lines, to be paid in one page unless the caller says otherwise."""

    def total(name: str) -> int:
        return sum(getattr(line, name) for line in lines)

    return SettlementRecord(
        listing_id=case.listing.listing_id,
        state=Progress.PAYING,
        revision=revision,
        pages=1,
        household_count=len(lines),
        decided_at_ms=now_ms,
        price_utoken_per_kwh=case.result.price_utoken_per_kwh,
        matched_wh=case.result.quantity_wh,
        settled_wh=total("sold_wh"),
        total_utoken=total("paid_utoken"),
        refunded_utoken=total("refunded_utoken"),
        network_charge_utoken=total("network_charge_utoken"),
        pool_share_utoken=total("pool_share_utoken"),
        imported_wh=total("imported_wh"),
        exported_wh=total("exported_wh"),
        bought_from_utility_wh=total("bought_from_utility_wh"),
        owed_to_utility_utoken=total("owed_to_utility_utoken"),
        sold_to_utility_wh=total("sold_to_utility_wh"),
        owed_by_utility_utoken=total("owed_by_utility_utoken"),
        missing=case.silent,
    )
