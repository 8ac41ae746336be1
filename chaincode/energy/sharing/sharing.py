"""Sharing a settled listing's metered energy by the key in force, beside its auction."""

from collections import Counter
from itertools import pairwise

from chaincode.energy import arguments, keys
from chaincode.energy.community import MARKET_OPERATORS, STAFF, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.listings import get_listing
from chaincode.energy.market.records import Listing
from chaincode.energy.oracle.readings import energy_between
from chaincode.energy.oracle.reports import registers_at
from chaincode.energy.registry.records import Connection
from chaincode.energy.settlement.fulfilment import get_settlement
from chaincode.energy.settlement.records import Page, Progress, SettlementRecord
from chaincode.energy.sharing.agreeing import RANK_MAX, key_at
from chaincode.energy.sharing.allocation import Member, share_slot
from chaincode.energy.sharing.records import KeyKind, MemberShare, SharingKey, SharingResult
from chaincode.energy.world import World

KEYS_OF_A_SHARING_MAX = 9_500
"""A connection and its readings at the slot boundaries: of 1,583 meters at quarter hours. A peer
reads 10,000 keys for one call at most.
"""
NEAR_SCANS_OF_A_SHARING_MAX = 900
"""Meters looked up one by one at all boundaries together."""
_SHARERS = MARKET_OPERATORS | {Role.ORACLE}
_MINUTE_MS = 60_000
_LAST_RANK = RANK_MAX + 1

Slots = list[tuple[int, int]]
"""(consumed, produced) Wh of a member, slot by slot."""


async def share(world: World, listing_id: str) -> SharingResult:
    """Share a settled listing by the key in force when its delivery began.

    A second call returns what is stored; after a correction of the settlement it shares anew.
    """
    await world.require_role(_SHARERS)
    listing = await get_listing(world, listing_id)
    settled = await get_settlement(world, listing_id)
    if settled.state != Progress.SETTLED:
        raise refused(Refusal.STILL_PAYING, listing_id)
    before = await world.find(SharingResult, keys.sharing_result(listing_id))
    if before is not None and before.settlement_revision == settled.revision:
        return before
    key = await key_at(world, listing.delivery_start_ms)
    slots, missing = await _slots(world, listing, key.slot_minutes * _MINUTE_MS)
    bought, sold = await _auctioned(world, listing_id)
    members = sorted({*slots, *bought, *sold})
    result = _result(settled, key, _shares(members, slots, bought, sold, key), missing)
    await world.put(keys.sharing_result(listing_id), result)
    world.announce(
        "EnergyShared",
        {
            "listing_id": listing_id,
            "key_version": key.version,
            "shared_wh": result.shared_wh,
            "auction_wh": result.auction_wh,
        },
    )
    return result


async def get_result_of_all(world: World, listing_id: str) -> SharingResult:
    """A listing shared by key, all members in it; for staff, as it tells what each consumed."""
    await world.require_role(STAFF)
    return await _result_at(world, listing_id)


async def _result_at(world: World, listing_id: str) -> SharingResult:
    key = keys.sharing_result(arguments.identifier(listing_id, "listing_id"))
    return await world.get(SharingResult, key, Refusal.NOT_SHARED, listing_id)


async def get_share(world: World, *, listing_id: str, idgrid: str) -> MemberShare:
    """One member's share; for itself and for staff."""
    await world.require_own_or_staff(idgrid)
    result = await _result_at(world, listing_id)
    for share_ in result.typed_shares():
        if share_.idgrid == idgrid:
            return share_
    raise refused(Refusal.NOT_SHARED, f"{listing_id}, {idgrid}")


async def _slots(
    world: World, listing: Listing, slot_ms: int
) -> tuple[dict[str, Slots], list[str]]:
    """Metered slots of every member with readings at all boundaries; those without, by IDgrid."""
    if (listing.delivery_end_ms - listing.delivery_start_ms) % slot_ms:
        raise refused(Refusal.NOT_IN_SLOTS, f"delivery of {listing.listing_id}")
    boundaries = range(listing.delivery_start_ms, listing.delivery_end_ms + 1, slot_ms)
    connections = [
        one
        for _, one in await world.scan(Connection, keys.under("connection"))
        if one.measures(listing.delivery_start_ms)
    ]
    if len(connections) * (1 + len(boundaries)) > KEYS_OF_A_SHARING_MAX:
        raise refused(Refusal.TOO_MANY_READINGS, f"{len(connections)} meters")
    names = [connection.meter_id for connection in connections]
    registers = [
        await registers_at(
            world,
            names,
            instant,
            tolerance_ms=listing.reading_tolerance_ms,
            scans_max=NEAR_SCANS_OF_A_SHARING_MAX // len(boundaries),
        )
        for instant in boundaries
    ]
    found: dict[str, Slots] = {}
    missing: set[str] = set()
    for at, connection in enumerate(connections):
        series = [read[at] for read in registers]
        known = [reading for reading in series if reading is not None]
        if len(known) < len(series):
            missing.add(connection.idgrid)
            continue
        periods = [energy_between(*pair) for pair in pairwise(known)]
        energy = [(period.imported_wh, period.exported_wh) for period in periods]
        found[connection.idgrid] = _added(found.get(connection.idgrid), energy)
    return {name: slots for name, slots in found.items() if name not in missing}, sorted(missing)


def _added(so_far: Slots | None, energy: Slots) -> Slots:
    """A second meter of a connection counts with the first."""
    if so_far is None:
        return energy
    return [(a + c, b + d) for (a, b), (c, d) in zip(so_far, energy, strict=True)]


async def _auctioned(world: World, listing_id: str) -> tuple[Counter[str], Counter[str]]:
    """Wh bought and sold per household, corrections included."""
    bought, sold = Counter[str](), Counter[str]()
    for _, page in await world.scan(Page, keys.under("settlepage", listing_id)):
        for line in page.typed_lines():
            bought[line.idgrid] += line.bought_wh
            sold[line.idgrid] += line.sold_wh
    return bought, sold


def _shares(
    members: list[str],
    slots: dict[str, Slots],
    bought: Counter[str],
    sold: Counter[str],
    key: SharingKey,
) -> list[MemberShare]:
    """Slot by slot by the key, then added up; by IDgrid, those without any energy left out."""
    count = max((len(energy) for energy in slots.values()), default=0)
    taken, given = Counter[str](), Counter[str]()
    for at in range(count):
        energies = [slots[name][at] if name in slots else (0, 0) for name in members]
        shared = share_slot(
            KeyKind(key.kind),
            [
                Member(
                    consumed_wh=consumed,
                    produced_wh=produced,
                    part=key.parts.get(name, 0),
                    rank=key.ranks.get(name, _LAST_RANK),
                )
                for name, (consumed, produced) in zip(members, energies, strict=True)
            ],
        )
        for name, taken_wh, given_wh in zip(
            members, shared.taken_wh, shared.given_wh, strict=True
        ):
            taken[name] += taken_wh
            given[name] += given_wh
    shares = [
        MemberShare(
            idgrid=name,
            consumed_wh=sum(consumed for consumed, _ in slots.get(name, [])),
            produced_wh=sum(produced for _, produced in slots.get(name, [])),
            taken_wh=taken[name],
            given_wh=given[name],
            bought_wh=bought[name],
            sold_wh=sold[name],
        )
        for name in members
    ]
    return [
        one
        for one in shares
        if any((one.consumed_wh, one.produced_wh, one.bought_wh, one.sold_wh))
    ]


def _result(
    settled: SettlementRecord, key: SharingKey, shares: list[MemberShare], missing: list[str]
) -> SharingResult:
    taken_wh = sum(share_.taken_wh for share_ in shares)
    if taken_wh != sum(share_.given_wh for share_ in shares):
        raise ArithmeticError("what is taken is not what is given")
    return SharingResult(
        listing_id=settled.listing_id,
        key_version=key.version,
        kind=key.kind,
        slot_minutes=key.slot_minutes,
        settlement_revision=settled.revision,
        consumed_wh=sum(share_.consumed_wh for share_ in shares),
        produced_wh=sum(share_.produced_wh for share_ in shares),
        shared_wh=taken_wh,
        auction_wh=sum(share_.bought_wh for share_ in shares),
        shares=[
            [
                one.idgrid,
                one.consumed_wh,
                one.produced_wh,
                one.taken_wh,
                one.given_wh,
                one.bought_wh,
                one.sold_wh,
            ]
            for one in shares
        ],
        missing=missing,
    )
