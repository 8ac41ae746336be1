"""What the gateway does not believe settles nothing: alarm, missing reading, disputed listing.

meter → collector and series (SQLite) → oracle → contract; what reaches the gateway at the end of
an hour in which the household bought energy was tampered with in one of many ways.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from gateway.hems.virtual_meter import VirtualMeter
from gateway.oracle.instants import ReportTimes
from gateway.oracle.job import RunLog
from gateway.oracle.reporting import ReportingNode
from gateway.oracle.series_source import SeriesReadings
from tests.unit.energy.community import (
    LISTING,
    Community,
    Household,
    hour_of,
    milliseconds,
    refuses,
)
from tests.unit.energy.settlement.trades import line, listing_state, one_trade, substitute
from tests.unit.gateway.acting import LedgerActor
from tests.unit.gateway.metering.data_service import Keys, Scene

START = hour_of(LISTING)
END = START + timedelta(hours=1)
SETTLEMENT_ENDS = END + timedelta(minutes=3)
READINGS_DUE = SETTLEMENT_ENDS + timedelta(days=1)
DAY = timedelta(days=1)
BEFORE_WH, TAKEN_WH = 5_000, 8_000
IMPOSSIBLE_WH = 70_000
"""More than a household's connection carries in an hour."""


@dataclass
class World:
    """A trade of 10 kWh, the gateway behind both meters, and its oracle."""

    community: Community
    seller: Household
    buyer: Household

    def __post_init__(self) -> None:
        self.meters = {
            home.meter_id: VirtualMeter(home.meter_id, home.meter.private_key)
            for home in (self.seller, self.buyer)
        }
        self.scene = Scene(Keys(*self.meters.values()))
        self.oracle = ReportingNode(
            LedgerActor(self.community.oracle),
            SeriesReadings(self.scene.stores.series),
            ReportTimes(),
            clock_ms=self.clock_ms,
            log=RunLog(self.clock_ms),
        )
        self.meter_of(self.buyer).run_hour(load_wh=BEFORE_WH, pv_wh=0)
        self.start = {home.meter_id: self.read(home, START) for home in self.homes}
        self.at(START)
        for home in self.homes:
            self.hear(home, self.start[home.meter_id])
        assert self.report() == 2
        self.meter_of(self.seller).run_hour(load_wh=0, pv_wh=TAKEN_WH)
        self.at(END)
        self.hear(self.seller, self.read(self.seller, END))

    @property
    def homes(self) -> tuple[Household, Household]:
        return self.seller, self.buyer

    def meter_of(self, home: Household) -> VirtualMeter:
        return self.meters[home.meter_id]

    def at(self, time: datetime) -> None:
        """The ledger's clock and the gateway's."""
        self.community.ledger.at(time)
        self.scene.now_ms = milliseconds(time)

    def read(self, home: Household, time: datetime) -> bytes:
        return self.scene.read(self.meter_of(home), t_end_ms=milliseconds(time))

    def twin_reading(self, *, load_wh: int, t_end: datetime = END) -> bytes:
        """What the buyer's meter would have sent with these registers and this clock."""
        meter = self.meter_of(self.buyer)
        twin = VirtualMeter(meter.meter_id, meter.private_key)
        twin.read(0)
        twin.run_hour(load_wh=load_wh, pv_wh=0)
        return self.scene.read(twin, t_end_ms=milliseconds(t_end))

    def hear(self, home: Household, message: bytes) -> None:
        self.scene.hear((f"{home.meter_id}/reading", message))

    def clock_ms(self) -> int:
        return self.scene.now_ms

    def report(self) -> int:
        return asyncio.run(self.oracle.report_due())


def altered(world: World) -> bytes:
    good = world.twin_reading(load_wh=BEFORE_WH + TAKEN_WH)
    position = good.index(b'"imp_wh":') + len(b'"imp_wh":')
    return good[:position] + bytes([good[position] ^ 2]) + good[position + 1 :]


def replayed(world: World) -> bytes:
    return world.start[world.buyer.meter_id]


def of_a_foreign_meter(world: World) -> bytes:
    return world.read(world.seller, END)


def a_day_ahead(world: World) -> bytes:
    return world.twin_reading(load_wh=BEFORE_WH + TAKEN_WH, t_end=END + DAY)


def a_day_behind(world: World) -> bytes:
    return world.twin_reading(load_wh=BEFORE_WH + TAKEN_WH, t_end=END - DAY - timedelta(seconds=1))


def with_a_jump(world: World) -> bytes:
    return world.twin_reading(load_wh=BEFORE_WH + IMPOSSIBLE_WH)


def gone_back(world: World) -> bytes:
    return world.twin_reading(load_wh=BEFORE_WH - 1)


CASES = pytest.mark.parametrize(
    ("tampered", "reason"),
    [
        (altered, "bad_signature"),
        (replayed, "replayed"),
        (of_a_foreign_meter, "foreign_meter"),
        (a_day_ahead, "clock_ahead"),
        (a_day_behind, "clock_behind"),
        (with_a_jump, "register_jump"),
        (gone_back, "register_back"),
    ],
)


def disputed(tampered: Callable[[World], bytes], reason: str) -> World:
    """The hour up to the dispute: one alarm with the reason, and nothing is decided."""
    world = World(*one_trade())
    world.hear(world.buyer, tampered(world))
    (alarm,) = world.scene.alarms
    assert (alarm.kind, alarm.device_id) == ("set_aside", world.buyer.meter_id)
    assert alarm.detail.startswith(f"{reason}: ")
    assert world.report() == 1, "only the seller's"

    community = world.community
    refused = refuses(community, "READINGS_MISSING", community.scheduler, "market:settle", LISTING)
    assert world.buyer.idgrid in str(refused)
    world.at(SETTLEMENT_ENDS)
    answer = community.settle()
    assert (answer["state"], answer["missing"]) == ("DISPUTED", [world.buyer.idgrid])
    assert listing_state(community) == "DISPUTED"
    event = community.ledger.events[-1]
    assert (event.name, event.value["missing"]) == ("ReadingsMissing", [world.buyer.idgrid])
    assert community.account(world.buyer)["locked_utoken"] == 540_000
    return world


@CASES
def test_a_tampered_reading_ends_in_a_dispute_that_the_true_one_resolves(tampered, reason):
    world = disputed(tampered, reason)
    world.hear(world.buyer, world.twin_reading(load_wh=BEFORE_WH + TAKEN_WH))
    assert world.report() == 1, "the seller's is recorded"
    assert world.community.settle()["state"] == "SETTLED"
    bought = line(world.community, world.buyer)
    assert (bought["bought_wh"], bought["metering"]) == (TAKEN_WH, "measured")
    assert listing_state(world.community) == "SETTLED"
    assert world.community.audit()["difference_utoken"] == 0


@CASES
def test_without_a_true_reading_nothing_is_bought_and_the_money_comes_back(tampered, reason):
    world = disputed(tampered, reason)
    community = world.community
    world.at(READINGS_DUE)
    assert community.settle()["state"] == "SETTLED"
    bought = line(community, world.buyer)
    assert (bought["bought_wh"], bought["metering"]) == (0, "missing")
    assert community.account(world.buyer)["locked_utoken"] == 0
    assert community.audit()["difference_utoken"] == 0


def test_the_grid_operator_resolves_the_dispute_over_a_register_that_jumped():
    world = disputed(with_a_jump, "register_jump")
    substitute(world.community, world.buyer, imported_wh=TAKEN_WH)
    assert world.community.settle()["state"] == "SETTLED"
    bought = line(world.community, world.buyer)
    assert (bought["bought_wh"], bought["metering"]) == (TAKEN_WH, "substituted")
