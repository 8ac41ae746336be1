"""Settling a listing on metered energy, exactly once, and correcting it afterwards.

`settle` does what is due now and may be repeated by anybody who runs the market until the listing
is SETTLED: it waits for readings, disputes the listing when they stay away, counts silent
meters as zero when their time has passed, decides, and pays the pages of what it decided.
"""

from dataclasses import replace

from chaincode.energy import keys
from chaincode.energy.community import MARKET_OPERATORS, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.listings import get_listing, move_to
from chaincode.energy.market.records import ListingState
from chaincode.energy.settlement import events, paying, planning
from chaincode.energy.settlement.case import Case, case_of, open_escrows, record_of, settled
from chaincode.energy.settlement.records import (
    Page,
    Progress,
    SettlementLine,
    SettlementRecord,
)
from chaincode.energy.sight import Sight
from chaincode.energy.world import World

SETTLERS = MARKET_OPERATORS | {Role.ORACLE}
NAMED_MISSING_MAX = 10
REVISIONS_MAX = 99
_SETTLEABLE = (ListingState.CLEARED, ListingState.DELIVERING, ListingState.DISPUTED)


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
    case = await case_of(world, listing, operator_decides=False)
    if case.silent and world.now_ms < listing.readings_due_ms:
        return await _wait_for_readings(world, case)
    return await _decide(world, case, before=None)


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
    case = await case_of(world, listing, operator_decides=True)
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


def settlement_as_seen(settled: SettlementRecord, sight: Sight) -> SettlementRecord:
    """Totals; of the households with silent meters only whom this caller is shown. Pure."""
    return replace(settled, missing=[name for name in settled.missing if sight.names(name)])


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


async def _wait_for_readings(world: World, case: Case) -> SettlementRecord:
    """Refuse until the settlement phase ends, then let the listing be DISPUTED, once."""
    listing = case.listing
    names = ", ".join(case.silent[:NAMED_MISSING_MAX])
    if world.now_ms < listing.settlement_end_ms or listing.state == ListingState.DISPUTED:
        raise refused(Refusal.READINGS_MISSING, names)
    await move_to(world, listing, ListingState.DISPUTED)
    record = record_of(case, lines=[], revision=0, now_ms=world.now_ms)
    waiting = replace(record, state=Progress.DISPUTED, pages=0)
    world.announce("ReadingsMissing", events.totals(waiting))
    return waiting


async def _decide(
    world: World, case: Case, *, before: SettlementRecord | None
) -> SettlementRecord:
    """Apply the rule to the whole listing, then store and pay it."""
    listing = case.listing
    settlement = settled(case)
    earlier = await _lines_so_far(world, before) if before else {}
    lines = planning.changes(settlement.lines, earlier)
    if before is not None and not lines:
        raise refused(Refusal.NOTHING_TO_CORRECT, listing.listing_id)
    revision = before.revision + 1 if before else 0
    escrows = {} if before else open_escrows(case.matches)
    pages = planning.pages_of(
        listing_id=listing.listing_id,
        revision=revision,
        lines=lines,
        kept=planning.fulfilments(case.positions, case.metered, earlier),
        escrows=escrows,
    )
    record = record_of(case, lines=settlement.lines, revision=revision, now_ms=world.now_ms)
    planned = replace(record, pages=len(pages))
    return await paying.plan(world, listing, planned, pages, escrows=escrows, before=before)


async def _lines_so_far(world: World, record: SettlementRecord) -> dict[str, SettlementLine]:
    """Each household's line with all its corrections, from the pages of all revisions."""
    total: dict[str, SettlementLine] = {}
    found = await world.scan(Page, keys.under("settlepage", record.listing_id))
    for _, page in found:
        for line in page.typed_lines():
            total[line.idgrid] = planning.added(total.get(line.idgrid), line)
    return total
