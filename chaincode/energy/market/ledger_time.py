"""When a phase is over: by the clocks of so many members as the listing asks for.

A contract knows no time but the timestamp its caller signed, which peers compare with their own
clocks only roughly. So a community may ask for more than one member: each member's call after the
instant is noted under that member's own key, and the call that completes the number acts. Up to
`clock_members - 1` members with wrong clocks or intentions cannot end a phase early.
"""

from dataclasses import dataclass

from chaincode.energy import keys
from chaincode.energy.market.records import Listing
from chaincode.energy.world import World


@dataclass(frozen=True, slots=True)
class Seen:
    """A member's staff saw the end of a phase; `at_ms` is the time it signed."""

    mspid: str
    at_ms: int


async def seen_by_enough(world: World, listing: Listing) -> bool:
    """Whether enough members have seen the present phase end; else the caller's is noted."""
    if listing.clock_members == 1:
        return True
    bounds = keys.under("seen", listing.listing_id, listing.state)
    members = {seen.mspid for _, seen in await world.scan(Seen, bounds)}
    mspid = world.caller.mspid
    if len(members | {mspid}) >= listing.clock_members:
        return True
    if mspid not in members:
        await world.put(
            keys.seen(listing.listing_id, listing.state, mspid), Seen(mspid, world.now_ms)
        )
        world.announce(
            "PhaseEndSeen",
            {"listing_id": listing.listing_id, "state": listing.state, "mspid": mspid},
        )
    return False
