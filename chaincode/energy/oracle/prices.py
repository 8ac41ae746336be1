"""Prices and tariffs as time series: what is in force when, and whether it can still be trusted.

A series (`retail`, `feed_in`, ...) grows at its end only: a price takes effect now or later, and
after the one before it, so what a listing pinned stays true. `valid_until_ms` says until when
its source vouches for it; a price in force beyond that is stale (E043, 003:354).
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chaincode.energy import arguments, keys
from chaincode.energy.arguments import PRICE_UTOKEN_PER_KWH_MAX
from chaincode.energy.community import Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.hours import DAY_MS, HOUR_MS, TIME_MS_MAX
from chaincode.energy.oracle.records import PricePoint, PriceSeries
from chaincode.energy.world import World

RETAIL, FEED_IN = "retail", "feed_in"
OBSERVED_PRICE_VALID_MS = HOUR_MS
"""How long a price counts that oracles observed outside."""
PRICE_VALID_MS_MAX = 400 * DAY_MS
"""The longest a published tariff may claim to be valid: a year and a month."""
RECENT_STARTS = 500
"""Starts kept together for one look-up; each price has a key of its own as well."""
PRICES_PER_PAGE_MAX = 500
_PUBLISHERS = frozenset({Role.COMMUNITY_MANAGER})


@dataclass(frozen=True, slots=True)
class PriceView:
    """The price in force at an instant, and whether its source still vouched for it then."""

    series: str
    at_ms: int
    price_utoken_per_kwh: int
    effective_from_ms: int
    valid_until_ms: int
    is_stale: bool


def in_force(starts: Sequence[int], at_ms: int) -> int | None:
    """The last of the ascending starts at or before this instant."""
    count = bisect_right(starts, at_ms)
    return starts[count - 1] if count else None


def is_stale(point: PricePoint, at_ms: int) -> bool:
    """Whether the price was older than its validity at this instant."""
    return at_ms > point.valid_until_ms


async def publish_price(
    world: World,
    *,
    series: str,
    price_utoken_per_kwh: int,
    effective_from_ms: int,
    valid_for_ms: int,
) -> PricePoint:
    """Community manager: the price of a series from an instant on (0: now)."""
    await world.require_role(_PUBLISHERS)
    known = await get_series(world, arguments.identifier(series, "series"))
    start_ms = effective_from_ms or world.now_ms
    arguments.not_negative(start_ms, "effective_from_ms", at_most=TIME_MS_MAX)
    if start_ms < world.now_ms or (known.starts and start_ms <= known.starts[-1]):
        raise refused(Refusal.PRICE_IN_THE_PAST, f"{series}, {start_ms}")
    point = PricePoint(
        series=series,
        effective_from_ms=start_ms,
        price_utoken_per_kwh=arguments.not_negative(
            price_utoken_per_kwh, "price_utoken_per_kwh", at_most=PRICE_UTOKEN_PER_KWH_MAX
        ),
        valid_until_ms=start_ms
        + arguments.positive(valid_for_ms, "valid_for_ms", at_most=PRICE_VALID_MS_MAX),
        published_by=world.caller.mspid,
        request_id=None,
    )
    await append(world, known, point)
    world.announce(
        "PricePublished",
        {
            "series": series,
            "effective_from_ms": start_ms,
            "price_utoken_per_kwh": point.price_utoken_per_kwh,
            "valid_until_ms": point.valid_until_ms,
        },
    )
    return point


async def price_in_force(world: World, series: str, at_ms: int) -> PricePoint:
    """The price of a series in force at an instant; refuses with UNKNOWN_PRICE if there is none.

    What opens a listing pins this price and asks `is_stale` about it.
    """
    known = await get_series(world, arguments.identifier(series, "series"))
    start_ms = in_force(known.starts, at_ms)
    if start_ms is not None:
        return await world.get(
            PricePoint, keys.price(series, start_ms), Refusal.UNKNOWN_PRICE, series
        )
    older = await world.scan(PricePoint, (keys.price(series, 0), keys.price(series, at_ms + 1)))
    if not older:
        raise refused(Refusal.UNKNOWN_PRICE, series)
    return older[-1][1]


async def view_price(world: World, series: str, at_ms: int) -> PriceView:
    """The price in force at an instant (0: now)."""
    instant_ms = at_ms or world.now_ms
    point = await price_in_force(world, series, instant_ms)
    return PriceView(
        series=series,
        at_ms=instant_ms,
        price_utoken_per_kwh=point.price_utoken_per_kwh,
        effective_from_ms=point.effective_from_ms,
        valid_until_ms=point.valid_until_ms,
        is_stale=is_stale(point, instant_ms),
    )


async def list_prices(world: World, series: str, *, from_ms: int, to_ms: int) -> list[PricePoint]:
    """The prices that took effect in from_ms <= time < to_ms, at most one page."""
    bounds = (keys.price(series, from_ms), keys.price(series, to_ms))
    found = await world.scan(PricePoint, bounds, limit=PRICES_PER_PAGE_MAX)
    return [point for _, point in found]


async def get_series(world: World, series: str) -> PriceSeries:
    """The newest starts of a series; empty if nobody has published a price."""
    known = await world.find(PriceSeries, keys.price_series(series))
    return known or PriceSeries(series=series, starts=[])


async def append(world: World, known: PriceSeries, point: PricePoint) -> None:
    """Add a price at the end of its series."""
    starts = [*known.starts, point.effective_from_ms][-RECENT_STARTS:]
    await world.put(keys.price(point.series, point.effective_from_ms), point)
    await world.put(keys.price_series(point.series), replace(known, starts=starts))
