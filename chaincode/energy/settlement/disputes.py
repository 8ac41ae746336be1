"""Disputes of a settlement: raised by a party in time, decided by named roles, or lapsed.

A settlement under dispute stands until it is corrected; money moves by correction lines only.
"""

from dataclasses import replace

from chaincode.energy import arguments, keys
from chaincode.energy.community import GRID_OPERATORS, MARKET_OPERATORS, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.listings import get_listing, move_to
from chaincode.energy.market.records import Listing, ListingState
from chaincode.energy.settlement.records import (
    Dispute,
    DisputeState,
    Progress,
    SettlementLine,
    SettlementRecord,
)
from chaincode.energy.sight import sight_of
from chaincode.energy.world import World

DECIDERS = frozenset({Role.COMMUNITY_MANAGER, *GRID_OPERATORS})
DECISIONS = (DisputeState.UPHELD.value, DisputeState.REJECTED.value)


async def raise_dispute(world: World, *, listing_id: str, reason: str) -> Dispute:
    """A household with a line in a settlement disputes it; the listing becomes DISPUTED.

    In time: within the listing's dispute window after the settlement or its last correction.
    """
    idgrid = (await world.caller_is_registered()).idgrid
    listing, settled = await _settled(world, listing_id)
    line = keys.settlement_line(idgrid, listing_id)
    await world.get(SettlementLine, line, Refusal.NOT_A_PARTY, f"{listing_id}, {idgrid}")
    deadline_ms = settled.decided_at_ms + listing.dispute_window_ms
    if world.now_ms > deadline_ms:
        raise refused(Refusal.DISPUTE_TOO_LATE, f"it ended at {deadline_ms}")
    key = keys.dispute(listing_id, idgrid)
    if await world.find(Dispute, key) is not None:
        raise refused(Refusal.ALREADY_DISPUTED, f"{listing_id}, {idgrid}")
    dispute = Dispute(
        listing_id=listing_id,
        idgrid=idgrid,
        state=DisputeState.OPEN,
        reason=arguments.short_text(reason, "reason"),
        revision=settled.revision,
        raised_at_ms=world.now_ms,
        decide_by_ms=world.now_ms + listing.dispute_window_ms,
        decided_by_mspid="",
        note="",
    )
    await world.put(key, dispute)
    if listing.state != ListingState.DISPUTED:
        await move_to(world, listing, ListingState.DISPUTED)
    _announce(world, "DisputeRaised", [dispute])
    return dispute


async def decide(
    world: World, *, listing_id: str, idgrid: str, decision: str, note: str
) -> Dispute:
    """Manager or grid operator: uphold or reject a dispute.

    To uphold it the settlement must have been corrected since it was raised: what was wrong is
    then on the ledger as correction lines. The last decision lets the listing be SETTLED again.
    """
    await world.require_role(DECIDERS)
    arguments.one_of(decision, "decision", DECISIONS)
    listing, settled = await _settled(world, listing_id)
    key = keys.dispute(listing_id, arguments.idgrid(idgrid))
    dispute = await world.find(Dispute, key)
    if dispute is None or dispute.state != DisputeState.OPEN:
        raise refused(Refusal.UNKNOWN_DISPUTE, f"{listing_id}, {idgrid}")
    if decision == DisputeState.UPHELD and settled.revision == dispute.revision:
        raise refused(Refusal.NOT_CORRECTED, f"{listing_id}, {idgrid}")
    decided = replace(
        dispute,
        state=decision,
        revision=settled.revision,
        decided_by_mspid=world.caller.mspid,
        note=arguments.short_text(note, "note"),
    )
    await world.put(key, decided)
    await _leave_disputed(world, listing, decided_now=1)
    _announce(world, "DisputeDecided", [decided])
    return decided


async def lapse(world: World, listing_id: str) -> list[Dispute]:
    """Market operator: end the disputes nobody decided in time; the settlement stands."""
    await world.require_role(MARKET_OPERATORS)
    listing, _ = await _settled(world, listing_id)
    overdue = [
        replace(dispute, state=DisputeState.LAPSED)
        for dispute in await _open(world, listing_id)
        if world.now_ms > dispute.decide_by_ms
    ]
    if not overdue:
        raise refused(Refusal.DISPUTE_UNDECIDED, listing_id)
    for dispute in overdue:
        await world.put(keys.dispute(listing_id, dispute.idgrid), dispute)
    await _leave_disputed(world, listing, decided_now=len(overdue))
    _announce(world, "DisputesLapsed", overdue)
    return overdue


async def disputes_seen(world: World, listing_id: str) -> list[Dispute]:
    """The disputes of a listing: a household its own, staff all."""
    sight = await sight_of(world)
    return [entry for entry in await _all_of(world, listing_id) if sight.names(entry.idgrid)]


async def _all_of(world: World, listing_id: str) -> list[Dispute]:
    arguments.identifier(listing_id, "listing_id")
    found = await world.scan(Dispute, keys.under("dispute", listing_id))
    return [dispute for _, dispute in found]


async def any_open(world: World, listing_id: str) -> bool:
    """Whether a dispute waits for a decision."""
    return bool(await _open(world, listing_id))


async def _open(world: World, listing_id: str) -> list[Dispute]:
    found = await _all_of(world, listing_id)
    return [dispute for dispute in found if dispute.state == DisputeState.OPEN]


async def _leave_disputed(world: World, listing: Listing, *, decided_now: int) -> None:
    """Reads show the state before this transaction, so those decided in it still count as open."""
    if len(await _open(world, listing.listing_id)) == decided_now:
        await move_to(world, listing, ListingState.SETTLED)


async def _settled(world: World, listing_id: str) -> tuple[Listing, SettlementRecord]:
    """A listing and its settlement, all pages paid."""
    listing = await get_listing(world, listing_id)
    key = keys.settlement(listing_id)
    settled = await world.get(SettlementRecord, key, Refusal.NOT_SETTLED, listing_id)
    if settled.state != Progress.SETTLED:
        raise refused(Refusal.STILL_PAYING, listing_id)
    return listing, settled


def _announce(world: World, name: str, disputes: list[Dispute]) -> None:
    world.announce(
        name,
        {
            "listing_id": disputes[0].listing_id,
            "disputes": [
                {"idgrid": dispute.idgrid, "state": dispute.state} for dispute in disputes
            ],
        },
    )
