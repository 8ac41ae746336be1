"""Monthly statements: drafted household by household, issued all together or not at all.

`issue` is repeated by anybody who runs the market until the run is ISSUED. Each call drafts the
next households; the last one compares the sums of all statements with the sums of the month's
settlements and only then marks the run as issued: until that, no statement of it counts. A run
that was overtaken by a correction starts again; a further call on an issued month without
corrections changes nothing.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from chaincode.energy import arguments, keys
from chaincode.energy.arguments import bad
from chaincode.energy.community import MARKET_OPERATORS
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.records import Listing, ListingState
from chaincode.energy.settlement.months import (
    Statement,
    added_up,
    imbalance,
    month_end_ms,
    statement_of,
    summed,
)
from chaincode.energy.settlement.records import SettlementLine, SettlementRecord
from chaincode.energy.sight import sight_of
from chaincode.energy.world import World

ROWS_PER_STEP_MAX = 4_000
"""Lines read in one step before it ends; one household's month comes on top."""
OWNERS_PER_STEP_MAX = 400
"""Each takes two scans; a transaction has a thousand."""
RUNS_MAX = 99
_FINAL = (ListingState.SETTLED, ListingState.CANCELLED)


class RunState(StrEnum):
    """RUNNING: some statements are drafted; ISSUED: they count."""

    RUNNING = "RUNNING"
    ISSUED = "ISSUED"


@dataclass(frozen=True, slots=True)
class StatementRun:
    """How far the statements of a month are.

    `revisions`: listing -> revision of the settlement the run rests on. `issued_run` is the last
    run that was issued, 0 if none. `after` is the registry key of the last one that was drafted.
    """

    month: str
    run: int
    state: str
    issued_run: int
    after: str
    statements: int
    revisions: dict[str, int]
    amounts: dict[str, int]


async def preview(world: World, *, idgrid: str, month: str) -> Statement:
    """A household's month as it is now, issued or not; for itself and for staff."""
    _month_end_ms(month)
    await world.require_own_or_staff(arguments.identifier(idgrid, "idgrid"))
    statement, _ = await _drafted(world, idgrid=idgrid, month=month, run=0)
    return statement


async def issued(world: World, *, idgrid: str, month: str) -> Statement:
    """A household's statement as it was last issued; for itself and for staff."""
    _month_end_ms(month)
    await world.require_own_or_staff(arguments.identifier(idgrid, "idgrid"))
    run = await get_run(world, month)
    key = keys.statement(idgrid, month, run.issued_run)
    return await world.get(Statement, key, Refusal.NO_STATEMENT, f"{month}, {idgrid}")


async def get_run(world: World, month: str) -> StatementRun:
    """How far the statements of a month are."""
    _month_end_ms(month)
    return await world.get(StatementRun, keys.statement_run(month), Refusal.NO_STATEMENT, month)


async def run_shown(world: World, month: str) -> StatementRun:
    """The same as the caller sees it: whose statement came last is for staff."""
    run = await get_run(world, month)
    return run if (await sight_of(world)).is_staff else replace(run, after="")


async def issue(world: World, month: str) -> StatementRun:
    """Take the next step towards issued statements of a month that is over and settled."""
    await world.require_role(MARKET_OPERATORS)
    if world.now_ms < _month_end_ms(month):
        raise refused(Refusal.PERIOD_NOT_OVER, month)
    settled = await _settled(world, month)
    revisions = {record.listing_id: record.revision for record in settled}
    run = await world.find(StatementRun, keys.statement_run(month))
    if run is None or run.revisions != revisions:
        run = _begun(run, month, revisions)
    elif run.state == RunState.ISSUED:
        return run
    run, is_last = await _draft_some(world, run)
    if is_last:
        run = _issued(run, settled)
        world.announce(
            "StatementsIssued",
            {"month": month, "run": run.run, "statements": run.statements, **run.amounts},
        )
    await world.put(keys.statement_run(month), run)
    return run


async def _settled(world: World, month: str) -> list[SettlementRecord]:
    """The month's settlements; refuses while a listing is not settled, or is disputed."""
    listings = await world.scan(Listing, keys.months_of("listing", month=month))
    for _, listing in listings:
        if listing.state not in _FINAL:
            raise refused(Refusal.PERIOD_NOT_SETTLED, f"{listing.listing_id} is {listing.state}")
    found = await world.scan(SettlementRecord, keys.months_of("settlement", month=month))
    return [record for _, record in found]


def _begun(before: StatementRun | None, month: str, revisions: dict[str, int]) -> StatementRun:
    number = before.run + 1 if before else 1
    if number > RUNS_MAX:
        bad(f"the statements of {month} were run {RUNS_MAX} times")
    return StatementRun(
        month=month,
        run=number,
        state=RunState.RUNNING,
        issued_run=before.issued_run if before else 0,
        after="",
        statements=0,
        revisions=revisions,
        amounts=added_up([]),
    )


async def _draft_some(world: World, run: StatementRun) -> tuple[StatementRun, bool]:
    """Draft the next households; whether they are the last."""
    rows = 0
    owners = await _owners(world, after=run.after)
    for key in owners:
        if rows >= ROWS_PER_STEP_MAX:
            return run, False
        idgrid = key.rpartition("~")[2]
        statement, read = await _drafted(world, idgrid=idgrid, month=run.month, run=run.run)
        rows += read
        if read:
            await world.put(keys.statement(idgrid, run.month, run.run), statement)
        run = replace(
            run,
            after=key,
            statements=run.statements + min(read, 1),
            amounts=summed(run.amounts, statement.amounts),
        )
    return run, len(owners) < OWNERS_PER_STEP_MAX


async def _owners(world: World, *, after: str) -> list[str]:
    """The next registry keys of who may have lines: groups, then participants."""
    found: list[str] = []
    for kind in ("group", "participant"):
        start, end = keys.under(kind)
        bounds = (max(start, keys.following(after)), end)
        room = OWNERS_PER_STEP_MAX - len(found)
        if room and bounds[0] < end:
            found += [key for key, _ in await world.scan(dict, bounds, limit=room)]
    return found


async def _drafted(world: World, *, idgrid: str, month: str, run: int) -> tuple[Statement, int]:
    """A statement, and how many rows it was added up from."""
    lines, corrections = [
        [line for _, line in await world.scan(SettlementLine, bounds)]
        for bounds in (
            keys.months_of("line", idgrid, month=month),
            keys.months_of("correction", idgrid, month=month),
        )
    ]
    statement = statement_of(
        idgrid=idgrid, month=month, run=run, lines=lines, corrections=corrections
    )
    return statement, len(lines) + len(corrections)


def _issued(run: StatementRun, settled: list[SettlementRecord]) -> StatementRun:
    """The balance check that stands between drafts and statements."""
    wrong = imbalance(run.amounts, settled)
    if wrong:
        raise refused(Refusal.OUT_OF_BALANCE, f"{run.month}: {', '.join(wrong)}")
    return replace(run, state=RunState.ISSUED, issued_run=run.run)


def _month_end_ms(month: str) -> int:
    try:
        return month_end_ms(month)
    except ValueError as error:
        bad(str(error))
