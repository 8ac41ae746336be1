"""One coordinator that decides everything, or a market without one: the same homes, both ways.

Centralised: a coordinator is told load, generation and battery of every home and decides quantity,
price and who gets what. Decentralised: a home tells one order, the auction does the rest, and
every member can recompute it. Compared are welfare, what others learn, and how long it takes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from chaincode.energy.market.rationing import largest_remainder, split_amount
from gateway.hems.profiles import Profiles, load_profiles
from tests.scenarios.market.narration import Story
from tests.scenarios.market.year import FEED_IN_UTOKEN_PER_KWH, Hour, Limits, hours_of, replay
from tests.scenarios.market.year_report import require_exact

T = TypeVar("T")

HOURS = 28 * 24
HOUSES_MEASURED = 8
ORDER_BYTES = 52
"""The documented order record: all that the decentralised market shares."""
COORDINATOR_BYTES = 116
"""The documented records of order, meter, generation and battery of one house."""
CENTRAL_HOPS = 2
"""Order to the coordinator, answer back."""
LEDGER_HOPS = 7
"""There and back to be endorsed, to the validators, three phases of consensus, the status back."""
LEDGER_TRANSACTIONS = 2
"""Closing and clearing, one after the other."""
LINK_DELAY_MS = 20
UTOKEN_PER_USD = 1_000_000


@dataclass(frozen=True, slots=True)
class Mode:
    """How one way of running the same hours went. Energy Wh, money micro-tokens."""

    name: str
    traded_wh: int
    saved_utoken: int
    saved_by_home: tuple[int, ...]
    bytes_an_hour: int
    learnt: str
    hops: int
    compute_us_an_hour: float


def coordinate(hour: Hour) -> list[int]:
    """What each home saves when the coordinator shares out all that can change hands.

    Pro rata on both sides, at the middle between retail price and feed-in tariff.
    """
    gives = largest_remainder(claims=[max(-wh, 0) for wh in hour.net_wh], total=hour.tradable_wh)
    takes = largest_remainder(claims=[max(wh, 0) for wh in hour.net_wh], total=hour.tradable_wh)
    price = (FEED_IN_UTOKEN_PER_KWH + hour.retail_utoken_per_kwh) // 2
    received = split_amount(energies_wh=gives, price_utoken_per_kwh=price)
    paid = split_amount(energies_wh=takes, price_utoken_per_kwh=price)
    fed_in = [wh * FEED_IN_UTOKEN_PER_KWH // 1000 for wh in gives]
    owed = [wh * hour.retail_utoken_per_kwh // 1000 for wh in takes]
    return [
        got - instead + saved - due
        for got, instead, saved, due in zip(received, fed_in, owed, paid, strict=True)
    ]


def centralised(profiles: Profiles) -> Mode:
    """The coordinator's way."""
    hours = list(hours_of(profiles))
    saved, spent_us = _timed(lambda: [coordinate(hour) for hour in hours], len(hours))
    by_home = tuple(sum(column) for column in zip(*saved, strict=True))
    return Mode(
        name="centralised",
        traded_wh=sum(hour.tradable_wh for hour in hours),
        saved_utoken=sum(by_home),
        saved_by_home=by_home,
        bytes_an_hour=COORDINATOR_BYTES * len(profiles.homes),
        learnt="the coordinator: load, generation and battery of every home",
        hops=CENTRAL_HOPS,
        compute_us_an_hour=spent_us,
    )


def decentralised(profiles: Profiles, limits: Limits) -> Mode:
    """The auction's way; `limits` says how homes choose their prices."""
    year, spent_us = _timed(lambda: replay(profiles, limits, require_exact), profiles.hours)
    by_home = tuple(
        before - after for before, after in zip(year.without, year.with_community, strict=True)
    )
    return Mode(
        name=f"auction, {limits}",
        traded_wh=year.traded_wh,
        saved_utoken=year.benefit_utoken,
        saved_by_home=by_home,
        bytes_an_hour=ORDER_BYTES * len(profiles.homes),
        learnt="members: price and amount of orders (nothing before the gate if sealed)",
        hops=LEDGER_HOPS * LEDGER_TRANSACTIONS,
        compute_us_an_hour=spent_us,
    )


def _timed(work: Callable[[], T], hours: int) -> tuple[T, float]:
    began_s = time.process_time()
    done = work()
    return done, (time.process_time() - began_s) * 1e6 / hours


def first_hours(profiles: Profiles, hours: int) -> Profiles:
    """The beginning of the data set."""
    homes = tuple(
        replace(home, load_wh=home.load_wh[:hours], pv_wh=home.pv_wh[:hours])
        for home in profiles.homes
    )
    prices = profiles.retail_price_utoken_per_kwh[:hours]
    return Profiles(homes=homes, retail_price_utoken_per_kwh=prices)


def run(story: Story) -> list[Mode]:
    """Both modes over four weeks of the 17 homes; `Differs` if a documented size is missed."""
    profiles = first_hours(load_profiles(), HOURS)
    story.step("What both modes share: 8 houses, as in the documented comparison.")
    story.figure("centralised", COORDINATOR_BYTES * HOUSES_MEASURED, 928, "bytes a period")
    story.figure("decentralised", ORDER_BYTES * HOUSES_MEASURED, 416, "bytes a period")
    story.step(f"Four weeks of {len(profiles.homes)} homes, the same hours in every mode.")
    modes = [
        centralised(profiles),
        decentralised(profiles, "own alternatives"),
        decentralised(profiles, "random"),
    ]
    for mode in modes:
        _tell(story, mode)
    story.step("What the comparison says.")
    central, honest, shaded = modes
    equal = (central.traded_wh, honest.traded_wh)
    story.figure("energy, coordinator and honest orders", equal, (central.traded_wh,) * 2, "Wh")
    part = shaded.saved_utoken / central.saved_utoken
    story.note(f"homes that guess their prices save {part:.0%} of what can be saved")
    story.note("a ledger adds at most one block interval to each of its two transactions")
    story.note("the coordinator can be wrong or unfair unseen; the auction is recomputed by all")
    return modes


def _tell(story: Story, mode: Mode) -> None:
    delay_ms = mode.hops * LINK_DELAY_MS
    story.note(f"{mode.name}")
    story.note(
        f"    welfare   {mode.traded_wh / 1e6:.2f} MWh traded,"
        f" {mode.saved_utoken / UTOKEN_PER_USD:,.0f} $ saved; a home"
        f" {min(mode.saved_by_home) / UTOKEN_PER_USD:,.0f} to"
        f" {max(mode.saved_by_home) / UTOKEN_PER_USD:,.0f} $"
    )
    story.note(f"    privacy   {mode.bytes_an_hour} bytes an hour; learnt by {mode.learnt}")
    story.note(
        f"    delay     {mode.hops} messages in a row, {delay_ms} ms at {LINK_DELAY_MS} ms a link,"
        f" and {mode.compute_us_an_hour:,.0f} us of computing"
    )
