"""Settling a listing on metered energy, exactly once, and correcting it afterwards.

`settle` does what is due now and may be repeated by anybody who runs the market until the listing
is SETTLED: it waits for readings, disputes the listing when they stay away, counts silent
meters as zero when their time has passed, decides, and pays the pages of what it decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chaincode.energy import keys
from chaincode.energy.community import MARKET_OPERATORS, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.groups.metering import with_groups
from chaincode.energy.market.auction_records import AuctionResult, Match
from chaincode.energy.market.listings import get_listing, move_to
from chaincode.energy.market.matches import get_result, matches_of, split_matches
from chaincode.energy.market.records import Listing, ListingState
from chaincode.energy.settlement import events, paying, planning
from chaincode.energy.settlement.metering import SILENT, Readings, measured
from chaincode.energy.settlement.pool import (
    Metered,
    Position,
    Settlement,
    Tariff,
    settle_pool,
)
from chaincode.energy.settlement.records import (
    Page,
    Progress,
    SettlementLine,
    SettlementRecord,
)
from chaincode.energy.settlement.regulated import settle_in_parts
from chaincode.energy.world import World

SETTLERS = MARKET_OPERATORS | {Role.ORACLE}
NAMED_MISSING_MAX = 10
REVISIONS_MAX = 99
_SETTLEABLE = (ListingState.CLEARED, ListingState.DELIVERING, ListingState.DISPUTED)


@dataclass(frozen=True, slots=True)
class _Case:
    """All a settlement is decided from."""

    listing: Listing
    result: AuctionResult
    matches: list[Match]
    positions: list[Position]
    metered: dict[str, Metered]
    silent: list[str]


async def settle(world: World, listing_id: str) -> SettlementRecord:
    """Take the next step towards SETTLED; refuses a listing that is settled already.

    The answer's `state` is SETTLED when nothing is left to do, PAYING while pages are left,
    DISPUTED if readings are missing after the settlement phase: nothing is decided then.
    """
    await world.require_role(SETTLERS)
    listing = await get_listing(world, listing_id)
    record = await world.find(SettlementRecord, keys.settlement(listing_id))
    if record is not None:
        if record.state == Progress.PAYING:
            return await paying.go_on(world, listing, record)
        raise refused(Refusal.ALREADY_SETTLED, listing_id)
    if listing.state not in _SETTLEABLE:
        raise refused(Refusal.NOT_CLEARED, f"{listing_id} is {listing.state}")
    if world.now_ms < listing.delivery_end_ms:
        raise refused(Refusal.TOO_EARLY, f"delivery of {listing_id} ends later")
    case = await _case(world, listing, operator_decides=False)
    if case.silent and world.now_ms < listing.readings_due_ms:
        return await _wait_for_readings(world, case)
    return await _decide(world, case, before=None)


async def has_steps_left(world: World, listing_id: str) -> bool:
    """Whether `settle` would do something; a settlement under dispute is over, too."""
    record = await world.find(SettlementRecord, keys.settlement(listing_id))
    return record is None or record.state == Progress.PAYING


async def correct(world: World, listing_id: str) -> SettlementRecord:
    """Settle again with the readings and statements there are now; pay the differences.

    Refused if nothing differs. Lines are never changed: each correction adds its own.
    """
    await world.require_role(SETTLERS)
    listing = await get_listing(world, listing_id)
    before = await get_settlement(world, listing_id)
    if before.state == Progress.PAYING:
        raise refused(Refusal.STILL_PAYING, listing_id)
    if before.revision >= REVISIONS_MAX:
        raise refused(Refusal.NOTHING_TO_CORRECT, f"{listing_id} was corrected too often")
    case = await _case(world, listing, operator_decides=True)
    return await _decide(world, case, before=before)


async def pay_page(world: World, listing_id: str, number: int) -> bool:
    """Pay one page of a decided settlement; False if that has happened already.

    Pages may be paid in any order and several in one block; `settle` then ends the settlement.
    """
    await world.require_role(SETTLERS)
    return await paying.pay_page(world, await get_settlement(world, listing_id), number)


async def get_settlement(world: World, listing_id: str) -> SettlementRecord:
    """Totals of a settlement that is decided."""
    key = keys.settlement(listing_id)
    return await world.get(SettlementRecord, key, Refusal.NOT_SETTLED, listing_id)


async def get_line(world: World, *, listing_id: str, idgrid: str) -> SettlementLine:
    """One household's line as it was first settled; for itself and for staff."""
    await world.require_own_or_staff(idgrid)
    key = keys.settlement_line(idgrid, listing_id)
    return await world.get(SettlementLine, key, Refusal.NOT_SETTLED, f"{listing_id}, {idgrid}")


async def get_corrections(world: World, *, listing_id: str, idgrid: str) -> list[SettlementLine]:
    """What corrections added to a household's line, in their order; for itself and for staff."""
    await world.require_own_or_staff(idgrid)
    bounds = keys.under("correction", idgrid, listing_id)
    return [line for _, line in await world.scan(SettlementLine, bounds)]


async def _case(world: World, listing: Listing, *, operator_decides: bool) -> _Case:
    result = await get_result(world, listing.listing_id)
    matches = await matches_of(world, result)
    positions = _positions(matches)
    own = await measured(world, listing, operator_decides=operator_decides)
    readings, missing = await with_groups(world, listing.listing_id, matches, own)
    silent = sorted({*_silent(positions, readings), *missing})
    return _Case(
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


async def _wait_for_readings(world: World, case: _Case) -> SettlementRecord:
    """Refuse until the settlement phase ends, then let the listing be DISPUTED, once."""
    listing = case.listing
    names = ", ".join(case.silent[:NAMED_MISSING_MAX])
    if world.now_ms < listing.settlement_end_ms or listing.state == ListingState.DISPUTED:
        raise refused(Refusal.READINGS_MISSING, names)
    await move_to(world, listing, ListingState.DISPUTED)
    record = _record(case, lines=[], revision=0, now_ms=world.now_ms)
    waiting = replace(record, state=Progress.DISPUTED, pages=0)
    world.announce("ReadingsMissing", events.totals(waiting))
    return waiting


async def _decide(
    world: World, case: _Case, *, before: SettlementRecord | None
) -> SettlementRecord:
    """Apply the rule to the whole listing, then store and pay it."""
    listing = case.listing
    settlement = _settled(case)
    earlier = await _lines_so_far(world, before) if before else {}
    lines = planning.changes(settlement.lines, earlier)
    if before is not None and not lines:
        raise refused(Refusal.NOTHING_TO_CORRECT, listing.listing_id)
    revision = before.revision + 1 if before else 0
    pages = planning.pages_of(
        listing_id=listing.listing_id,
        revision=revision,
        lines=lines,
        kept=planning.fulfilments(case.positions, case.metered, earlier),
        escrows={} if before else _escrows(case.matches),
    )
    record = _record(case, lines=settlement.lines, revision=revision, now_ms=world.now_ms)
    planned = replace(record, pages=len(pages))
    return await paying.plan(world, listing, planned, pages, before=before)


def _settled(case: _Case) -> Settlement:
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


async def _lines_so_far(world: World, record: SettlementRecord) -> dict[str, SettlementLine]:
    """Each household's line with all its corrections, from the pages of all revisions."""
    total: dict[str, SettlementLine] = {}
    found = await world.scan(Page, keys.under("settlepage", record.listing_id))
    for _, page in found:
        for line in page.typed_lines():
            total[line.idgrid] = planning.added(total.get(line.idgrid), line)
    return total


def _escrows(matches: list[Match]) -> dict[str, list[str]]:
    """Household -> its orders that still have money locked."""
    found: dict[str, list[str]] = {}
    for match in matches:
        if match.locked_utoken:
            found.setdefault(match.idgrid, []).append(match.order_id)
    return found


def _tariff(case: _Case) -> Tariff:
    listing = case.listing
    return Tariff(
        clearing_price_utoken_per_kwh=case.result.price_utoken_per_kwh or 0,
        retail_price_utoken_per_kwh=listing.cap_utoken_per_kwh,
        feed_in_tariff_utoken_per_kwh=listing.floor_utoken_per_kwh,
        network_charge_utoken_per_kwh=listing.network_charge_utoken_per_kwh,
        pool_share_permille=listing.pool_share_permille,
    )


def _record(
    case: _Case, *, lines: Sequence[SettlementLine], revision: int, now_ms: int
) -> SettlementRecord:
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
