"""What the demo's people sign before their market begins, each with the own key.

The manager: tariffs and sharing keys. A household that sleeps: its agent's limits and a standing
order. Two others: an offer and a request from house to house that stay open.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from chaincode.energy.registry.records import AgentLimits
from gateway.agent.sleeper import StandingOffer
from gateway.demo.day import MAX_ORDER_WH, retail_price
from gateway.demo.direct_deals import wait_for_takers
from gateway.demo.homes import DemoHome
from gateway.demo.tariffs import FEED_IN_UTOKEN_PER_KWH, TARIFF_VALID_MS, Tariffs
from gateway.hems.profiles import Profiles
from gateway.local_time import LocalTime

HOURS_PER_DAY = 24
STANDING_WH = 500
STANDING_UTOKEN_PER_KWH = 100_000


async def agree(
    homes: Sequence[DemoHome],
    tariffs: Tariffs,
    *,
    profiles: Profiles,
    first_hour: datetime,
    now_ms: int,
    local_time: LocalTime,
) -> str:
    """All of it; returns what to tell the onlooker."""
    households = [home.household for home in homes]
    asleep = [home for home in homes if home.household.sleeper is not None]
    *_, buyer, seller = households
    await asyncio.gather(
        tariffs.begin(
            [home.idgrid for home in households], retail=retail_price(profiles, first_hour)
        ),
        *(
            _fall_asleep(home, highest=max(profiles.retail_price_utoken_per_kwh), now_ms=now_ms)
            for home in asleep
        ),
    )
    # After them: with few homes one of these two sleeps, and its record has just changed.
    await wait_for_takers(seller=seller, buyer=buyer, now_ms=now_ms, local_time=local_time)
    sleeping = ", ".join(home.household.idgrid for home in asleep)
    return f"  tariffs and sharing keys published; {sleeping} sleeps, its agent orders for it"


async def _fall_asleep(home: DemoHome, *, highest: int, now_ms: int) -> None:
    """Its agent may do what the household itself would: trade between feed-in and retail."""
    assert home.household.sleeper is not None, "it has an agent"
    until_ms = now_ms + TARIFF_VALID_MS
    limits = AgentLimits(
        bid_price_max_utoken_per_kwh=highest,
        offer_price_min_utoken_per_kwh=FEED_IN_UTOKEN_PER_KWH,
        hour_wh_max=MAX_ORDER_WH,
        day_wh_max=HOURS_PER_DAY * MAX_ORDER_WH,
        until_ms=until_ms,
    )
    offer = StandingOffer(home.neighbour.res_id, STANDING_WH, STANDING_UTOKEN_PER_KWH, until_ms)
    await home.household.sleeper.fall_asleep(home.neighbour.actor, limits, offer)
