"""Paying a decided settlement page by page: each exactly once, in any order, by anybody.

A page that is not paid has a marker key; paying reads and removes it, so of two payments of one
page the second finds nothing to do, or is invalid if it stands in the same block. Until all pages
are paid, the account `transit` holds what some have released and others still have to pay out:
so the money of the community adds up at every height. The settlement ends only if that is zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chaincode.energy import keys
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.listings import move_to
from chaincode.energy.market.records import Listing, ListingState
from chaincode.energy.settlement import deliveries, disputes, events
from chaincode.energy.settlement.case import escrows_of
from chaincode.energy.settlement.conservation import ConservationError
from chaincode.energy.settlement.records import Page, Progress, SettlementLine, SettlementRecord
from chaincode.energy.tokens import accounts
from chaincode.energy.tokens.funds import NETWORK, POOL, TRANSIT
from chaincode.energy.tokens.records import Payout
from chaincode.energy.world import World

UNPAID = b"1"
Escrows = Mapping[str, Sequence[str]]
"""Household -> orders whose escrow its line uses up."""


async def plan(
    world: World,
    listing: Listing,
    record: SettlementRecord,
    pages: list[Page],
    *,
    escrows: Escrows,
    before: SettlementRecord | None,
) -> SettlementRecord:
    """Store what was decided; a single page is paid at once, else the first call of many."""
    for page in pages:
        key = keys.settlement_page(listing.listing_id, record.revision, page.number)
        await world.put(key, page)
    credit = _community_credit(record, before)
    if len(pages) == 1:
        await _pay(world, pages[0], escrows=escrows, community_credit=credit)
        done = replace(record, state=Progress.SETTLED)
        await world.put(keys.settlement(listing.listing_id), done)
        if before is None:
            await move_to(world, replace(listing, is_decided=True), ListingState.SETTLED)
        events.announce_page(world, done, pages[0])
        return done
    for page in pages:
        key = keys.unpaid_page(listing.listing_id, record.revision, page.number)
        await world.stub.put_state(key, UNPAID)
    await _community_pages(world, record, credit)
    await world.put(keys.settlement(listing.listing_id), record)
    await move_to(world, replace(listing, is_decided=True), ListingState.SETTLING)
    events.announce_plan(world, record)
    return record


async def pay_page(world: World, record: SettlementRecord, number: int) -> bool:
    """Pay one page; False if it is paid already. Refuses a page that does not exist."""
    if not 0 <= number < record.pages:
        raise refused(Refusal.PAGE_NOT_PLANNED, f"{record.listing_id}, page {number}")
    marker = keys.unpaid_page(record.listing_id, record.revision, number)
    key = keys.settlement_page(record.listing_id, record.revision, number)
    if not await world.stub.get_state(marker):
        return False
    page = await world.get(Page, key, Refusal.PAGE_NOT_PLANNED, f"page {number}")
    await world.stub.del_state(marker)
    escrows = await escrows_of(world, page.listing_id) if page.revision == 0 else {}
    left_over = await _pay(world, page, escrows=escrows, community_credit={})
    transit = keys.payout(TRANSIT, record.listing_id, _part(record.revision, number))
    await world.put(transit, Payout(TRANSIT, left_over, 0, 0))
    events.announce_page(world, record, page)
    return True


async def go_on(world: World, listing: Listing, record: SettlementRecord) -> SettlementRecord:
    """Pay the next page, or end the settlement when all are paid."""
    bounds = keys.under("unpaid", listing.listing_id)
    rows = world.stub.get_state_by_range(*bounds)
    async for row in rows:
        await rows.close()
        await pay_page(world, record, int(keys.last_part(row.key)))
        return record
    return await _end(world, listing, record)


async def _end(world: World, listing: Listing, record: SettlementRecord) -> SettlementRecord:
    """All pages are paid: nothing may be left in transit."""
    waiting = await world.scan(Payout, keys.under("payout", TRANSIT, listing.listing_id))
    if left_over := sum(payout.amount_utoken for _, payout in waiting):
        raise ConservationError(f"{left_over} micro-tokens are left of {listing.listing_id}")
    for key, _ in waiting:
        await world.delete(key)
    done = replace(record, state=Progress.SETTLED)
    await world.put(keys.settlement(listing.listing_id), done)
    is_disputed = await disputes.any_open(world, listing.listing_id)
    await move_to(world, listing, ListingState.DISPUTED if is_disputed else ListingState.SETTLED)
    events.announce_end(world, done)
    return done


async def _pay(
    world: World, page: Page, *, escrows: Escrows, community_credit: dict[str, int]
) -> int:
    """Write what the page says; returns the released money the page did not pay out."""
    lines = page.typed_lines()
    for line in lines:
        await _pay_line(world, page, line)
        for order_id in escrows.get(line.idgrid, ()):
            await world.delete(keys.escrow(line.idgrid, page.listing_id, order_id))
    await deliveries.record(world, page.listing_id, page.typed_fulfilments())
    for name, amount in community_credit.items():
        await _credit(world, name, page, amount)
    return sum(line.released_utoken - line.credit_utoken for line in lines)


async def _pay_line(world: World, page: Page, line: SettlementLine) -> None:
    if page.revision == 0:
        key = keys.settlement_line(line.idgrid, page.listing_id)
    else:
        key = keys.correction(line.idgrid, page.listing_id, page.revision)
    await world.put(key, line)
    if line.is_traded:
        await _credit(world, line.idgrid, page, line.credit_utoken, line=line)


async def _credit(
    world: World, name: str, page: Page, amount: int, *, line: SettlementLine | None = None
) -> None:
    """Give, or take back, what one line or the community's part of a settlement comes to."""
    if amount < 0:
        await accounts.take_back(world, name, amount=-amount)
    await accounts.pay_out(
        world,
        name,
        source="settle" if page.revision == 0 else "correct",
        reference=_reference(page.listing_id, page.revision),
        amount=max(amount, 0),
        sold_wh=line.sold_wh if line else 0,
        bought_wh=line.bought_wh if line else 0,
    )


async def _community_pages(world: World, record: SettlementRecord, credit: dict[str, int]) -> None:
    """Pay the pool and the network with the plan, on account of the pages."""
    page = Page(record.listing_id, record.revision, 0, [], [])
    for name, amount in credit.items():
        await _credit(world, name, page, amount)
    advanced = keys.payout(TRANSIT, record.listing_id, _part(record.revision, record.pages))
    await world.put(advanced, Payout(TRANSIT, -sum(credit.values()), 0, 0))


def _community_credit(record: SettlementRecord, before: SettlementRecord | None) -> dict[str, int]:
    """What the network operator and the community pool get more than before."""
    earlier = (before.network_charge_utoken, before.pool_share_utoken) if before else (0, 0)
    credit = {
        NETWORK: record.network_charge_utoken - earlier[0],
        POOL: record.pool_share_utoken - earlier[1],
    }
    return {name: amount for name, amount in credit.items() if amount}


def _reference(listing_id: str, revision: int) -> str:
    return listing_id if revision == 0 else f"{listing_id}.{revision}"


def _part(revision: int, number: int) -> str:
    return f"{revision}.{number}"
