"""Minting the tokens of a settled listing and certifying what of them was traded.

A page is so many producers. Every page is decided from the same settlement, so pages may come in
any order and from anybody; each happens once.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import astuple, dataclass

from chaincode.energy import keys
from chaincode.energy.community import MARKET_OPERATORS, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.listings import get_listing
from chaincode.energy.market.preferences import Pair, Preferences, pair_up
from chaincode.energy.market.records import Listing, MarketOrder
from chaincode.energy.oracle.reports import registers_at
from chaincode.energy.oracle.throughout import measured_throughout
from chaincode.energy.origin.records import Certificate, EnergyToken, Issue, Minted
from chaincode.energy.origin.tokens import (
    NOT_MEASURED,
    Ends,
    Origin,
    generators_of,
    origin_of,
)
from chaincode.energy.registry.records import Connection, Meter, Res, Status
from chaincode.energy.settlement.fulfilment import get_settlement
from chaincode.energy.settlement.records import Metering, Page, Progress, SettlementRecord
from chaincode.energy.world import World

PRODUCERS_PER_PAGE = 100
ORDERS_WITH_WISHES_MAX = 2_000
"""Orders read for their buyers' wishes; in larger listings pairs go by ledger order alone."""
WITHIN_READ_MAX = 1_000
"""Readings of generators' meters at whole hours within a delivery; beyond, none is measured."""
AUCTION, TRANSFER = "auction", "transfer"
_ISSUERS = MARKET_OPERATORS | {Role.ORACLE}


@dataclass(frozen=True, slots=True)
class _Traded:
    """A settlement's energy per household, IDgrids in ledger order."""

    sold: dict[str, int]
    bought: dict[str, int]
    producers: list[str]
    measured: frozenset[str]


async def issue(world: World, listing_id: str, page: int) -> Issue:
    """Mint and certify one page of a settled listing, counted from 0.

    Refuses a page that was issued before. What a later correction changes stays as issued.
    """
    await world.require_role(_ISSUERS)
    listing = await get_listing(world, listing_id)
    settled = await get_settlement(world, listing_id)
    if settled.state != Progress.SETTLED:
        raise refused(Refusal.STILL_PAYING, listing_id)
    revision = await _revision(world, settled)
    traded = await _traded(world, listing_id, revision)
    pages = max(1, -(-len(traded.producers) // PRODUCERS_PER_PAGE))
    if not 0 <= page < pages:
        raise refused(Refusal.PAGE_NOT_PLANNED, f"{listing_id}, page {page}")
    first = page * PRODUCERS_PER_PAGE
    producers = traded.producers[first : first + PRODUCERS_PER_PAGE]
    origins = await _origins(world, listing, producers, traded.measured)
    pairs = await _pairs(world, listing_id, traded)
    done = await _write(world, listing, origins, pairs)
    issued = Issue(
        listing_id=listing_id,
        settlement_revision=revision,
        pages=pages,
        page=page,
        minted_wh=done.minted_wh,
        certified_wh=done.certified_wh,
        uncertified=[
            [name, reason] for name, reason in origins.items() if isinstance(reason, str)
        ],
    )
    await world.add(keys.issue(listing_id, page), issued, f"{listing_id}, page {page}")
    world.announce(
        "OriginIssued",
        {
            "listing_id": listing_id,
            "page": page,
            "minted_wh": issued.minted_wh,
            "certified_wh": issued.certified_wh,
        },
    )
    return issued


async def _revision(world: World, settled: SettlementRecord) -> int:
    """The settlement all pages rest on: the one of the page that was issued first."""
    bounds = keys.under("issue", settled.listing_id)
    for _, earlier in await world.scan(Issue, bounds, limit=1):
        return earlier.settlement_revision
    return settled.revision


async def _traded(world: World, listing_id: str, revision: int) -> _Traded:
    bought, sold, exported = Counter[str](), Counter[str](), Counter[str]()
    metering: dict[str, str] = {}
    for _, page in await world.scan(Page, keys.under("settlepage", listing_id)):
        if page.revision > revision:
            continue
        for line in page.typed_lines():
            bought[line.idgrid] += line.bought_wh
            sold[line.idgrid] += line.sold_wh
            exported[line.idgrid] += line.exported_wh
            metering[line.idgrid] = line.metering
    return _Traded(
        sold={name: energy for name, energy in sold.items() if energy},
        bought={name: energy for name, energy in bought.items() if energy},
        producers=[name for name, energy in exported.items() if energy],
        measured=frozenset(name for name, how in metering.items() if how == Metering.MEASURED),
    )


async def _origins(
    world: World, listing: Listing, producers: list[str], measured: frozenset[str]
) -> dict[str, Origin | str]:
    """The origin of what each producer fed in, or why it has none."""
    sources: defaultdict[str, list[Res]] = defaultdict(list)
    for _, source in await world.scan(Res, keys.under("res")):
        if source.status == Status.APPROVED:
            sources[source.owner_idgrid].append(source)
    connections = await _connections(world, listing, producers)
    generators = await _generator_meters(world, sources, producers)
    meters = [*connections.values(), *generators.values()]
    ends = await _ends(world, listing, [name for own in meters for name in own])
    throughout = await measured_throughout(
        world,
        [ends[meter] for own in generators.values() for meter in own if meter in ends],
        from_ms=listing.delivery_start_ms,
        to_ms=listing.delivery_end_ms,
        reads_max=WITHIN_READ_MAX,
    )
    found: dict[str, Origin | str] = {}
    for name in producers:
        connection = [ends[meter] for meter in connections[name] if meter in ends]
        behind = [ends[meter] for meter in generators[name] if meter in ends]
        if name not in measured or len(connection) < len(connections[name]):
            found[name] = NOT_MEASURED
        else:
            found[name] = origin_of(sources[name], connection, behind, throughout)
    return found


async def _connections(
    world: World, listing: Listing, producers: list[str]
) -> defaultdict[str, list[str]]:
    """Meters at the producers' connections when delivery began."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in producers:
        for _, one in await world.scan(Connection, keys.under("connection", name)):
            if one.measures(listing.delivery_start_ms):
                found[name].append(one.meter_id)
    return found


async def _generator_meters(
    world: World, sources: Mapping[str, list[Res]], producers: list[str]
) -> defaultdict[str, list[str]]:
    """Approved meters of the producers' generators."""
    owner_of = {
        source.res_id: name for name in producers for source in generators_of(sources[name])
    }
    found: defaultdict[str, list[str]] = defaultdict(list)
    for _, meter in await world.scan(Meter, keys.under("meter")):
        if meter.vouches_for in owner_of:
            found[owner_of[meter.vouches_for]].append(meter.meter_id)
    return found


async def _ends(world: World, listing: Listing, meter_ids: list[str]) -> dict[str, Ends]:
    starts, ends = [
        await registers_at(world, meter_ids, at_ms, tolerance_ms=listing.reading_tolerance_ms)
        for at_ms in (listing.delivery_start_ms, listing.delivery_end_ms)
    ]
    return {
        meter_id: (start, end)
        for meter_id, start, end in zip(meter_ids, starts, ends, strict=True)
        if start is not None and end is not None
    }


async def _pairs(world: World, listing_id: str, traded: _Traded) -> list[Pair]:
    """Whose energy went to whom in the whole listing: wishes first, the rest in ledger order."""
    wanted: dict[str, list[str]] = {}
    bounds = keys.under("order", listing_id)
    orders = [
        order
        for _, order in await world.scan(MarketOrder, bounds, limit=ORDERS_WITH_WISHES_MAX + 1)
    ]
    if len(orders) <= ORDERS_WITH_WISHES_MAX:
        for order in orders:
            if order.preferred:
                wanted.setdefault(order.idgrid, []).extend(order.preferred)
    offered: defaultdict[str, list[str]] = defaultdict(list)
    for order in orders:
        if order.res_id:
            offered[order.idgrid].append(order.res_id)
    sources = {name: [name, *offered[name]] for name in traded.sold}
    return pair_up(
        Preferences(sources=sources, wanted=wanted),
        list(traded.bought.items()),
        list(traded.sold.items()),
    )


@dataclass(frozen=True, slots=True)
class _Done:
    minted_wh: int
    certified_wh: int


async def _write(
    world: World, listing: Listing, origins: dict[str, Origin | str], pairs: list[Pair]
) -> _Done:
    minted_wh = certified_wh = 0
    for name, origin in origins.items():
        if isinstance(origin, str) or not origin.energy_wh:
            continue
        token_id = f"{listing.listing_id}.{name}"
        left_wh = origin.energy_wh
        for number, pair in enumerate(own for own in pairs if own.offer_id == name):
            energy_wh = min(pair.energy_wh, left_wh)  # the rest came from storage
            if energy_wh:
                left_wh -= energy_wh
                await put_certificate(
                    world,
                    Certificate(f"{token_id}.{number}", token_id, pair.bid_id, energy_wh, AUCTION),
                )
        await _mint(world, listing, token_id, name, origin, left_wh=left_wh)
        minted_wh += origin.energy_wh
        certified_wh += origin.energy_wh - left_wh
    return _Done(minted_wh, certified_wh)


async def _mint(
    world: World, listing: Listing, token_id: str, owner: str, origin: Origin, *, left_wh: int
) -> None:
    """One token; no meter's period, nor any part of it, is minted twice."""
    token = EnergyToken(
        token_id=token_id,
        owner_idgrid=owner,
        listing_id=listing.listing_id,
        from_ms=listing.delivery_start_ms,
        to_ms=listing.delivery_end_ms,
        res_ids=[source.res_id for source in origin.sources],
        source_types=sorted({source.source_type for source in origin.sources}),
        minted_wh=origin.energy_wh,
        left_wh=left_wh,
        evidence=[list(astuple(one)) for one in origin.evidence],
    )
    for evidence in origin.evidence:
        await _claim(
            world, Minted(evidence.meter_id, listing.delivery_start_ms, token.to_ms, token_id)
        )
    await world.add(keys.energy_token(token_id), token, token_id)


async def _claim(world: World, minted: Minted) -> None:
    bounds = keys.minted_before(minted.meter_id, minted.to_ms)
    for _, earlier in await world.scan(Minted, bounds):
        if earlier.to_ms > minted.from_ms:
            raise refused(Refusal.ALREADY_MINTED, f"{minted.meter_id}: {earlier.token_id}")
    await world.put(keys.minted(minted.meter_id, minted.from_ms), minted)


async def put_certificate(world: World, certificate: Certificate) -> None:
    """Write a certificate and the index entry of its holder."""
    await world.put(keys.certificate(certificate.certificate_id), certificate)
    key = keys.held(certificate.holder_idgrid, certificate.certificate_id)
    await world.put(key, certificate)
