"""An oracle's reports at the ends of hours: on the real contract, out of a real database."""

import asyncio
import base64
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from chaincode.energy.oracle.readings import signed_message
from chaincode.energy.oracle.records import MeterReading
from gateway.errors import LedgerRefusal
from gateway.hems.virtual_meter import VirtualMeter
from gateway.oracle.instants import ReportTimes
from gateway.oracle.job import RunLog
from gateway.oracle.reporting import ReportingNode
from tests.unit.energy.community import Community, milliseconds
from tests.unit.gateway.acting import LedgerActor

HOURS = 3_600_000
MINUTE = 60_000


@dataclass
class Readings:
    """A source whose content the test decides."""

    by_meter: dict[str, list[MeterReading]] = field(default_factory=dict)

    async def since(self, recorded, until_ms):
        return {
            name: [r for r in self.by_meter.get(name, []) if after_ms < r.t_end_ms <= until_ms]
            for name, after_ms in recorded.items()
        }


class Scene:
    """Three households with meters, and an oracle."""

    def __init__(self, **times: int) -> None:
        self.community = Community.found(start="2026-01-15T09:50:00Z")
        self.homes = [self.community.join() for _ in range(3)]
        self.meters = [VirtualMeter(home.meter_id, home.meter.private_key) for home in self.homes]
        self.source = Readings()
        self.start_ms = milliseconds(self.community.ledger.now) + 10 * MINUTE
        self.times = ReportTimes(**times)
        self.restart()

    def restart(self) -> None:
        """As after a kill -9: nothing is remembered."""
        self.log = RunLog(self.clock_ms)
        self.oracle = ReportingNode(
            LedgerActor(self.community.oracle),
            self.source,
            self.times,
            clock_ms=self.clock_ms,
            log=self.log,
        )

    def clock_ms(self) -> int:
        return milliseconds(self.community.ledger.now)

    def at(self, hour: int, *, later_ms: int = 0) -> None:
        self.community.ledger.at(
            self.community.ledger.now
            + timedelta(milliseconds=self.start_ms + hour * HOURS + later_ms - self.clock_ms())
        )

    def measure(self, hour: int, *, without: int = -1) -> None:
        """Every meter reads its registers at the end of an hour; one message is lost."""
        for number, meter in enumerate(self.meters):
            meter.run_hour(load_wh=100, pv_wh=0)
            found = meter.read(self.start_ms + hour * HOURS)
            if number != without:
                self.source.by_meter.setdefault(meter.meter_id, []).append(found)

    def signed(self, number: int, reading: MeterReading) -> MeterReading:
        """As the meter itself would sign these values."""
        signature = self.homes[number].meter.sign(signed_message(reading))
        return replace(reading, signature=base64.b64encode(signature).decode())

    def report(self) -> int:
        return asyncio.run(self.oracle.report_due())

    def recorded(self) -> list[tuple[str, int]]:
        """(meter, hour) of every reading on the ledger, as often as it was recorded."""
        return [
            (reading["meter_id"], (reading["t_end_ms"] - self.start_ms) // HOURS)
            for event in self.community.ledger.events
            if event.name == "EnergyReceived"
            for reading in event.value["readings"]
        ]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_every_hour_of_every_meter_once_however_often_it_looks_or_is_killed(scene) -> None:
    for hour in range(3):
        scene.at(hour)
        scene.measure(hour)
        assert scene.report() == 3
        scene.restart()
        assert scene.report() == 0
    assert sorted(scene.recorded()) == sorted(
        (m.meter_id, h) for m in scene.meters for h in (0, 1, 2)
    )
    assert scene.community.ledger.events[-1].name == "EnergyReceived"


def test_after_days_away_it_catches_up_in_the_order_of_time(scene) -> None:
    for hour in range(30):
        scene.measure(hour)
    scene.at(29)
    assert scene.report() == 90
    hours = [hour for meter, hour in scene.recorded() if meter == "meter-0"]
    assert hours == list(range(30))


def test_several_oracles_at_once_record_each_reading_once(scene) -> None:
    scene.at(0)
    scene.measure(0)
    client = scene.community.ledger.client("CoopMSP", "oracle-2", attributes={"role": "oracle"})
    other = ReportingNode(
        LedgerActor(client), scene.source, scene.times, clock_ms=scene.clock_ms, log=scene.log
    )

    async def both() -> int:
        return sum(await asyncio.gather(scene.oracle.report_due(), other.report_due()))

    assert asyncio.run(both()) == 3
    assert sorted(scene.recorded()) == [("meter-0", 0), ("meter-1", 0), ("meter-2", 0)]


def test_a_missing_hour_is_waited_for_named_once_and_not_waited_for_again(scene, caplog) -> None:
    scene.at(0)
    scene.measure(0)
    scene.report()
    scene.at(1)
    scene.measure(1, without=1)
    assert scene.report() == 2
    scene.at(1, later_ms=scene.times.hold_ms)
    for _ in range(2):
        assert scene.report() == 0
    named = [line for line in caplog.messages if "meter-1" in line]
    assert len(named) == 1
    assert "no reading at 2026-01-15T11:00:00Z of meter-1" in named[0]
    failed = [step for step in scene.log.steps if not step.is_done]
    assert [(step.step, step.detail) for step in failed] == [
        ("fetch", "no reading of meter-1 at 2026-01-15T11:00:00Z")
    ]
    scene.at(2)
    scene.measure(2)
    assert scene.report() == 3, "the hour behind the gap is not held up"
    assert ("meter-1", 1) not in scene.recorded()


def test_a_reading_that_comes_late_is_recorded_before_those_behind_it() -> None:
    scene = Scene(hold_ms=3 * HOURS)
    scene.at(1)
    scene.measure(0)
    scene.measure(1, without=1)
    found = scene.source.by_meter["meter-1"]
    assert scene.report() == 5
    late = scene.meters[1].read(scene.start_ms + 2 * HOURS)
    scene.at(2)
    found.append(late)
    assert scene.report() == 0, "hour 1 may still come"
    missing = replace(late, seq=2, t_end_ms=scene.start_ms + HOURS)
    found.insert(1, scene.signed(1, missing))
    assert scene.report() == 2
    assert [hour for name, hour in scene.recorded() if name == "meter-1"] == [0, 1, 2]


def test_a_forged_reading_is_left_out_with_its_reason_and_the_others_reported(
    scene, caplog
) -> None:
    scene.at(0)
    scene.measure(0)
    forged = scene.source.by_meter["meter-1"]
    forged[0] = replace(forged[0], import_wh=7)
    assert scene.report() == 2
    assert "meter-1, seq 1 left out: BAD_READING_SIGNATURE" in caplog.text
    failed = [(step.step, step.detail) for step in scene.log.steps if not step.is_done]
    assert failed == [("check signature", "meter-1, seq 1 left out: BAD_READING_SIGNATURE")]
    done = [step.step for step in scene.log.steps if step.is_done]
    assert done == ["fetch", "check signature", "encode", "submit"]


def test_what_only_the_contract_can_judge_is_left_out_by_its_own_answer(scene, caplog) -> None:
    """A register that runs backwards is well signed: `oracle:check_readings` names it."""
    scene.at(0)
    scene.measure(0)
    scene.report()
    scene.at(1)
    scene.measure(1)
    found = scene.source.by_meter["meter-2"]
    found[1] = scene.signed(2, replace(found[1], import_wh=1))
    assert scene.report() == 2
    assert "meter-2, seq 2 left out: REGISTER_DECREASED" in caplog.text
    assert ("meter-2", 1) not in scene.recorded()
    before = len(scene.log.steps)
    assert scene.report() == 0
    assert len(scene.log.steps) == before, "it is not sent again"


def test_a_refusal_of_the_whole_report_is_no_readings_fault(scene) -> None:
    scene.at(0)
    scene.measure(0)
    roles = {"oracle": ["UtilityMSP"], "community_manager": ["CoopMSP"], "dso": ["DsoMSP"]}
    scene.community.manager.submit("registry:configure", roles)
    with pytest.raises(LedgerRefusal, match="ROLE_NOT_ALLOWED"):
        scene.report()
    assert scene.recorded() == []


def test_a_meter_whose_first_readings_come_now_has_missed_nothing_before(scene, caplog) -> None:
    for hour in range(3):
        scene.measure(hour)
    del scene.source.by_meter["meter-1"][:2]
    del scene.source.by_meter["meter-2"]
    scene.at(2)
    assert scene.report() == 4
    assert "no reading" not in caplog.text


def test_a_meter_whose_clock_is_off_is_reported_as_soon_as_its_next_reading_is_there(
    scene,
) -> None:
    for meter in scene.meters:
        early, late = (meter.read(scene.start_ms + off_ms) for off_ms in (-5_000, 5_000))
        scene.source.by_meter[meter.meter_id] = [early, late]
    scene.at(0, later_ms=4_000)
    assert scene.report() == 0, "a nearer one may come"
    scene.at(0, later_ms=6_000)
    assert scene.report() == 3
    assert {event.value["readings"][0]["seq"] for event in scene.community.ledger.events[-1:]} == {
        1
    }


def test_who_waits_is_told_when_an_hour_is_reported(scene) -> None:
    async def play() -> None:
        waiting = asyncio.create_task(scene.oracle.reported(scene.start_ms))
        scene.at(0)
        await scene.oracle.report_due()
        assert not waiting.done(), "no reading has come"
        scene.measure(0)
        await scene.oracle.report_due()
        async with asyncio.timeout(60):
            await waiting

    asyncio.run(play())


def test_who_waits_is_told_though_the_next_hour_has_begun_meanwhile(scene) -> None:
    """A report may take longer than an hour of a fast community does."""

    async def play() -> None:
        waiting = asyncio.create_task(scene.oracle.reported(scene.start_ms))
        following = asyncio.create_task(scene.oracle.reported(scene.start_ms + HOURS))
        scene.measure(0)
        scene.at(1)
        assert await scene.oracle.report_due() == 3
        async with asyncio.timeout(60):
            await waiting
        assert not following.done(), "no reading of the second hour has come"
        scene.measure(1)
        assert await scene.oracle.report_due() == 3
        async with asyncio.timeout(60):
            await following

    asyncio.run(play())
