"""When a lot is delivered and settled: its hour's listing says so, else the hour itself."""

from dataclasses import dataclass

from chaincode.energy import arguments, keys
from chaincode.energy.hours import DAY_MS, HOUR_MS, MINUTE_MS, delivery_hour_ms
from chaincode.energy.market.records import Listing
from chaincode.energy.world import World

READING_TOLERANCE_MS = MINUTE_MS
SETTLE_WITHIN_MS = 15 * MINUTE_MS
"""From the end of delivery until missing readings make a deal DISPUTED."""
REFUND_AFTER_MS = DAY_MS
"""From then until an undecided dispute gives the buyer the money back."""


@dataclass(frozen=True, slots=True)
class Period:
    """Delivery of one hour, in ms UTC, and the two deadlines of its deals."""

    hour: str
    delivery_start_ms: int
    delivery_end_ms: int
    reading_tolerance_ms: int
    settle_by_ms: int
    refund_from_ms: int


def delivery_start_of(hour: str) -> int:
    """Start of the hour an argument names, in ms UTC; refuses what is no hour."""
    try:
        return delivery_hour_ms(arguments.identifier(hour, "hour"))
    except ValueError as error:
        arguments.bad(str(error))


async def period_of(world: World, hour: str) -> Period:
    """The period named `YYYY-MM-DDTHH`.

    If an auction listing of this hour is open already, its instants count, so that a community
    with a clock of its own measures both alike; deals keep what they were posted with.
    """
    start_ms = delivery_start_of(hour)
    listing = await world.find(Listing, keys.listing(hour))
    if listing is None:
        end_ms = start_ms + HOUR_MS
        settle_by_ms, tolerance_ms = end_ms + SETTLE_WITHIN_MS, READING_TOLERANCE_MS
    else:
        start_ms, end_ms = listing.delivery_start_ms, listing.delivery_end_ms
        settle_by_ms, tolerance_ms = listing.settlement_end_ms, listing.reading_tolerance_ms
    return Period(
        hour=hour,
        delivery_start_ms=start_ms,
        delivery_end_ms=end_ms,
        reading_tolerance_ms=tolerance_ms,
        settle_by_ms=settle_by_ms,
        refund_from_ms=settle_by_ms + REFUND_AFTER_MS,
    )
