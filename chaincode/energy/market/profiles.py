"""Hourly profiles: what households expect to order in the next 24 hours, with all revisions.

A profile is a forecast the whole community sees in totals, and, hour by hour, an order that a
scheduler or the household's agent places when the listing opens.
"""

from dataclasses import dataclass
from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.community import STAFF
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.hours import HOUR_MS, delivery_hour_ms, listing_id_at
from chaincode.energy.market.placing import BID, OFFER, Wish
from chaincode.energy.market.standing import CarriedOut, made_before, make_order
from chaincode.energy.market.standing_rules import HOURS_PER_DAY, HourlyProfile, profile_hours
from chaincode.energy.records import decode
from chaincode.energy.world import World

PROFILE = "profile"
"""Name under which a profile's order of a listing is noted."""


@dataclass(frozen=True, slots=True)
class ForecastHour:
    """What the community expects to order for one hour, in Wh, and from how many households."""

    listing_id: str
    demand_wh: int
    capacity_wh: int
    households: int


async def submit_profile(
    world: World, *, first_listing_id: str, res_id: str, hours: list[Any]
) -> HourlyProfile:
    """Participant: 24 hours from this one on; the same first hour again is a revision."""
    owner = await world.caller_is_registered()
    _hour_ms(first_listing_id)
    entries = profile_hours(hours)
    sells = any(side == OFFER and energy_wh for side, energy_wh, _ in entries)
    if sells != bool(res_id):
        arguments.bad("hours with offers need their source, others none")
    key = keys.profile(first_listing_id, owner.idgrid)
    before = await world.find(HourlyProfile, key)
    profile = HourlyProfile(
        idgrid=owner.idgrid,
        first_listing_id=first_listing_id,
        revision=before.revision + 1 if before is not None else 1,
        res_id=arguments.identifier(res_id, "res_id") if res_id else "",
        submitted_at_ms=world.now_ms,
        hours=entries,
    )
    await world.put(key, profile)
    revision_key = keys.profile_revision(owner.idgrid, first_listing_id, profile.revision)
    await world.put(revision_key, profile)
    world.announce(
        "ProfileSubmitted",
        {"first_listing_id": first_listing_id, "revision": profile.revision},
    )
    return profile


async def carry_out_profile(world: World, *, listing_id: str, idgrid: str) -> CarriedOut:
    """The household or a market operator: make the profile's order in a listing, once."""
    made = await made_before(world, listing_id=listing_id, idgrid=idgrid, name=PROFILE)
    if made is not None:
        return made
    profiles = await _covering(world, idgrid, listing_id)
    entry = profiles[-1].entry(listing_id) if profiles else None
    if entry is None:
        raise refused(Refusal.NO_PROFILE, f"{idgrid}, {listing_id}")
    side, energy_wh, price = entry
    wish = Wish(
        listing_id=listing_id,
        side=side,
        energy_wh=energy_wh,
        price_utoken_per_kwh=price,
        res_id=profiles[-1].res_id if side == OFFER else "",
        source=PROFILE,
    )
    order = await make_order(world, wish, idgrid=idgrid, name=PROFILE)
    return CarriedOut(listing_id, order.order_id, is_new=True)


async def forecast(world: World, first_listing_id: str) -> list[ForecastHour]:
    """The next 24 hours in totals; of a household the profile that starts last counts."""
    begin_ms = _hour_ms(first_listing_id)
    last_ms = begin_ms + (HOURS_PER_DAY - 1) * HOUR_MS
    profiles = await _by_household(world, begin_ms, last_ms)
    names = [listing_id_at(begin_ms + hour * HOUR_MS) for hour in range(HOURS_PER_DAY)]
    return [_total(name, [_entry(own, name) for own in profiles.values()]) for name in names]


async def due_profiles(world: World, listing_id: str) -> list[str]:
    """Households whose profile has an order for this listing that is not made yet."""
    await world.require_role(STAFF)
    hour_ms = _hour_ms(listing_id)
    profiles = await _by_household(world, hour_ms, hour_ms)
    wanted = [idgrid for idgrid, own in profiles.items() if _entry(own, listing_id) is not None]
    made_keys = [keys.made_order(listing_id, idgrid, PROFILE) for idgrid in wanted]
    made = await world.stub.get_states(made_keys)
    return [idgrid for idgrid, raw in zip(wanted, made, strict=True) if not raw]


async def revisions(world: World, *, idgrid: str, first_listing_id: str) -> list[HourlyProfile]:
    """Every revision of a profile, the first one first; for the household and for staff."""
    await world.require_own_or_staff(arguments.idgrid(idgrid))
    _hour_ms(first_listing_id)
    bounds = keys.under("profilerevision", idgrid, first_listing_id)
    return [profile for _, profile in await world.scan(HourlyProfile, bounds)]


async def _covering(world: World, idgrid: str, listing_id: str) -> list[HourlyProfile]:
    """A household's profiles that contain this hour, the one that starts last at the end."""
    hour_ms = _hour_ms(listing_id)
    raw = await world.stub.get_states(
        [keys.profile(name, idgrid) for name in _starts(hour_ms, hour_ms)]
    )
    return [decode(HourlyProfile, found) for found in raw if found]


async def _by_household(
    world: World, first_ms: int, last_ms: int
) -> dict[str, list[HourlyProfile]]:
    """Per household, by IDgrid, its profiles with any of these hours, in the order they start."""
    starts = _starts(first_ms, last_ms)
    bounds = keys.under("profile", starts[0])[0], keys.under("profile", starts[-1])[1]
    found: dict[str, list[HourlyProfile]] = {}
    for _, profile in await world.scan(HourlyProfile, bounds):
        found.setdefault(profile.idgrid, []).append(profile)
    return dict(sorted(found.items()))


def _starts(first_ms: int, last_ms: int) -> list[str]:
    """First hours of the profiles that contain an hour from the first to the last."""
    earliest_ms = max(0, first_ms - (HOURS_PER_DAY - 1) * HOUR_MS)
    return [listing_id_at(start_ms) for start_ms in range(earliest_ms, last_ms + 1, HOUR_MS)]


def _entry(own: list[HourlyProfile], listing_id: str) -> tuple[str, int, int] | None:
    """The entry of the profile that starts last among those that contain the hour."""
    hour_ms = delivery_hour_ms(listing_id)
    containing = [
        profile
        for profile in own
        if 0 <= hour_ms - delivery_hour_ms(profile.first_listing_id) < HOURS_PER_DAY * HOUR_MS
    ]
    return containing[-1].entry(listing_id) if containing else None


def _total(listing_id: str, entries: list[tuple[str, int, int] | None]) -> ForecastHour:
    expected = [entry for entry in entries if entry is not None]
    return ForecastHour(
        listing_id=listing_id,
        demand_wh=sum(energy_wh for side, energy_wh, _ in expected if side == BID),
        capacity_wh=sum(energy_wh for side, energy_wh, _ in expected if side == OFFER),
        households=len(expected),
    )


def _hour_ms(listing_id: str) -> int:
    """Start of the hour a listing id names."""
    try:
        return delivery_hour_ms(listing_id)
    except ValueError as error:
        arguments.bad(str(error))
