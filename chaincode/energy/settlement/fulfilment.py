"""Settling a listing on metered energy, exactly once."""

from dataclasses import asdict, dataclass

from chaincode.energy import keys
from chaincode.energy.community import MARKET_OPERATORS, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.auction import AuctionResult, Match, get_result
from chaincode.energy.market.listings import get_listing, move_to
from chaincode.energy.market.records import Listing, ListingState
from chaincode.energy.oracle.readings import energy_between
from chaincode.energy.oracle.reports import registers_at
from chaincode.energy.registry.records import Connection
from chaincode.energy.settlement.pool import (
    Metered,
    Position,
    Settlement,
    SettlementLine,
    Tariff,
    settle_pool,
)
from chaincode.energy.tokens import accounts
from chaincode.energy.world import World

_SETTLERS = MARKET_OPERATORS | {Role.ORACLE}
_SETTLEABLE = (ListingState.CLEARED, ListingState.DELIVERING)
NAMED_MISSING_MAX = 10


@dataclass(frozen=True, slots=True)
class SettlementRecord:
    """Totals of a settled listing; each household's line has its own key."""

    listing_id: str
    price_utoken_per_kwh: int | None
    matched_wh: int
    settled_wh: int
    total_utoken: int
    refunded_utoken: int
    imported_wh: int
    exported_wh: int
    bought_from_utility_wh: int
    owed_to_utility_utoken: int
    sold_to_utility_wh: int
    owed_by_utility_utoken: int
    households: list[str]


async def settle(world: World, listing_id: str) -> SettlementRecord:
    """Pay for what was metered, refund the rest; refuses a listing that is settled already."""
    await world.require_role(_SETTLERS)
    listing = await get_listing(world, listing_id)
    if listing.state == ListingState.SETTLED:
        raise refused(Refusal.ALREADY_SETTLED, listing_id)
    if listing.state not in _SETTLEABLE:
        raise refused(Refusal.NOT_CLEARED, f"{listing_id} is {listing.state}")
    if world.now_ms < listing.delivery_end_ms:
        raise refused(Refusal.TOO_EARLY, f"delivery of {listing_id} ends later")
    result = await get_result(world, listing_id)
    matches = result.typed_matches()
    positions = _positions(matches)
    metered = await _metered(world, listing, needed={p.idgrid for p in positions})
    tariff = Tariff(
        clearing_price_utoken_per_kwh=result.price_utoken_per_kwh or 0,
        retail_price_utoken_per_kwh=listing.cap_utoken_per_kwh,
        feed_in_tariff_utoken_per_kwh=listing.floor_utoken_per_kwh,
    )
    settlement = settle_pool(positions, metered, tariff)
    record = _record(result, settlement)
    await _write(world, listing, matches, settlement, record)
    _announce(world, record, settlement)
    return record


async def get_settlement(world: World, listing_id: str) -> SettlementRecord:
    """Totals of a settled listing."""
    key = keys.settlement(listing_id)
    return await world.get(SettlementRecord, key, Refusal.NOT_SETTLED, listing_id)


async def get_line(world: World, *, listing_id: str, idgrid: str) -> SettlementLine:
    """One household's line of a settled listing; for itself and for staff."""
    await world.require_own_or_staff(idgrid)
    key = keys.settlement_line(idgrid, listing_id)
    return await world.get(SettlementLine, key, Refusal.NOT_SETTLED, f"{listing_id}, {idgrid}")


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


async def _metered(world: World, listing: Listing, *, needed: set[str]) -> dict[str, Metered]:
    """Energy of every connection with readings at both ends of delivery.

    A household with a match must have them; any other without them is left out, its energy
    is then for its own supplier.
    """
    metered: dict[str, Metered] = {}
    incomplete: set[str] = set()
    scanned = await world.scan(Connection, keys.under("connection"))
    connections = [connection for _, connection in scanned]
    starts, ends = [
        await registers_at(
            world,
            [connection.meter_id for connection in connections],
            instant_ms,
            tolerance_ms=listing.reading_tolerance_ms,
        )
        for instant_ms in (listing.delivery_start_ms, listing.delivery_end_ms)
    ]
    for connection, start, end in zip(connections, starts, ends, strict=True):
        if start is None or end is None:
            incomplete.add(connection.idgrid)
            continue
        period = energy_between(start, end)
        so_far = metered.get(connection.idgrid, Metered(0, 0))
        metered[connection.idgrid] = Metered(
            imported_wh=so_far.imported_wh + period.imported_wh,
            exported_wh=so_far.exported_wh + period.exported_wh,
        )
    missing = sorted((needed & incomplete) | (needed - metered.keys()))
    if missing:
        raise refused(Refusal.READINGS_MISSING, ", ".join(missing[:NAMED_MISSING_MAX]))
    return {name: meter for name, meter in metered.items() if name not in incomplete}


def _record(result: AuctionResult, settlement: Settlement) -> SettlementRecord:
    lines = settlement.lines
    return SettlementRecord(
        listing_id=result.listing_id,
        price_utoken_per_kwh=result.price_utoken_per_kwh,
        matched_wh=result.quantity_wh,
        settled_wh=settlement.settled_wh,
        total_utoken=settlement.total_utoken,
        refunded_utoken=sum(line.refunded_utoken for line in lines),
        imported_wh=sum(line.imported_wh for line in lines),
        exported_wh=sum(line.exported_wh for line in lines),
        bought_from_utility_wh=sum(line.bought_from_utility_wh for line in lines),
        owed_to_utility_utoken=sum(line.owed_to_utility_utoken for line in lines),
        sold_to_utility_wh=sum(line.sold_to_utility_wh for line in lines),
        owed_by_utility_utoken=sum(line.owed_by_utility_utoken for line in lines),
        households=[line.idgrid for line in lines],
    )


async def _write(
    world: World,
    listing: Listing,
    matches: list[Match],
    settlement: Settlement,
    record: SettlementRecord,
) -> None:
    listing_id = listing.listing_id
    for line in settlement.lines:
        await world.put(keys.settlement_line(line.idgrid, listing_id), line)
        amount = line.received_utoken + line.refunded_utoken
        if amount or line.sold_wh or line.bought_wh:
            await accounts.pay_out(
                world,
                line.idgrid,
                source="settle",
                reference=listing_id,
                amount=amount,
                sold_wh=line.sold_wh,
                bought_wh=line.bought_wh,
            )
    for match in matches:
        if match.locked_utoken:
            await world.delete(keys.escrow(match.idgrid, listing_id, match.order_id))
    await world.put(keys.settlement(listing_id), record)
    await move_to(world, listing, ListingState.SETTLED)


def _announce(world: World, record: SettlementRecord, settlement: Settlement) -> None:
    totals = {name: value for name, value in asdict(record).items() if name != "households"}
    totals["lines"] = [
        {
            "idgrid": line.idgrid,
            "sold_wh": line.sold_wh,
            "bought_wh": line.bought_wh,
            "received_utoken": line.received_utoken,
            "paid_utoken": line.paid_utoken,
            "refunded_utoken": line.refunded_utoken,
        }
        for line in settlement.lines
        if line.sold_wh or line.bought_wh or line.refunded_utoken
    ]
    world.announce("SettlementState", totals)
