"""An edited row of the database raises an alarm, once, and the row put right clears it."""

import asyncio

import pytest
from sqlalchemy import text

from gateway.errors import LedgerRefusal
from gateway.hems import tampering
from gateway.hems.anchored_rows import MEASUREMENTS, READINGS
from gateway.hems.anchoring import AnchorBook, anchor
from gateway.hems.tampering import TamperWatch
from gateway.hems.virtual_meter import VirtualMeter
from tests.unit.energy.community import DSO
from tests.unit.gateway.metering.data_service import QUARTER_MS, Keys, Scene
from tests.unit.gateway.metering.test_anchors import LedgerOracle

EDIT = "UPDATE hems_readings SET import_wh = import_wh + 1 WHERE row = 5"
MEND = "UPDATE hems_readings SET import_wh = import_wh - 1 WHERE row = 5"
SERIES_ALARM = "database:readings"


class Watched:
    """Three meters, three anchored batches of their readings, one of a plug's measurement."""

    def __init__(self) -> None:
        self.meters = [VirtualMeter(f"m-{number}") for number in range(3)]
        self.scene = Scene(Keys(*self.meters))
        self.ledger = LedgerOracle()
        self.book = AnchorBook(self.scene.database)
        for _ in range(3):
            self.quarter()
        self.scene.hear(("plug/measure", b'{"v":1,"d":"plug","t":5,"p_mw":7}'))
        self.anchor(MEASUREMENTS)
        self.restart()

    def restart(self) -> None:
        """As when the gateway starts again."""
        self.scene.restart()
        self.watch = TamperWatch(
            self.book,
            self.ledger,
            DSO,
            self.scene.service,
            self.scene.keys,
            clock_ms=lambda: self.scene.now_ms,
        )

    def quarter(self) -> None:
        self.scene.now_ms += QUARTER_MS
        messages = [(f"{m.meter_id}/reading", self.scene.read(m)) for m in self.meters]
        self.scene.hear(*messages)
        self.anchor(READINGS)

    def anchor(self, series: str) -> None:
        assert asyncio.run(anchor(self.book, self.ledger, series)) is not None

    def run(self, statement: str) -> None:
        with self.scene.database.writing() as connection:
            connection.execute(text(statement))

    def compare(self) -> tampering.Comparison:
        return asyncio.run(self.watch.compare_all())

    def standing(self) -> set[str]:
        return {alarm.device_id for alarm in self.scene.stores.alarms.standing()}


@pytest.fixture
def it() -> Watched:
    return Watched()


def test_an_edit_is_told_once_and_its_mending_too(it):
    found = it.compare()
    assert (found.batches, found.rows, found.is_as_anchored) == (4, 10, True)
    assert it.standing() == set()
    it.run(EDIT)
    for _ in range(2):
        (wrong,) = it.compare().tampered
        assert (wrong.series, wrong.number) == (READINGS, 2)
    assert it.standing() == {SERIES_ALARM, "m-1"}, "the series, and whose row it is"
    assert [alarm.kind for alarm in it.scene.alarms] == ["tampered", "tampered"]
    it.run(MEND)
    assert it.compare().is_as_anchored
    assert it.standing() == set()
    assert len(it.scene.alarms) == 4


def test_the_alarm_outlives_a_restart_until_everything_was_compared(it, monkeypatch):
    monkeypatch.setattr(tampering, "ROWS_PER_PART_MAX", 3)
    it.run(EDIT)
    asyncio.run(it.watch.look_on())
    assert it.standing() == set(), "the second batch was not looked at yet"
    asyncio.run(it.watch.look_on())
    assert it.standing() == {SERIES_ALARM, "m-1"}
    it.run(MEND)
    it.restart()
    asyncio.run(it.watch.look_on())
    assert it.standing() == {SERIES_ALARM, "m-1"}
    while it.watch.latest is None:
        asyncio.run(it.watch.look_on())
    assert it.standing() == set()


@pytest.mark.parametrize(
    ("edit", "subjects"),
    [
        ("DELETE FROM hems_readings WHERE row = 2", {SERIES_ALARM}),
        ("UPDATE hems_readings SET received_ms = 1 WHERE row = 9", {SERIES_ALARM}),
        ("UPDATE hems_measurements SET p_mw = 8", {"database:measurements"}),
        ("UPDATE hems_readings SET meter_id = 'm-9' WHERE row = 1", {SERIES_ALARM}),
        ("DELETE FROM hems_anchors", set()),
    ],
)
def test_every_kind_of_edit_raises_its_alarm(it, edit, subjects):
    it.run(edit)
    assert it.compare().is_as_anchored is (not subjects)
    assert it.standing() == subjects


def test_a_ledger_that_does_not_answer_changes_nothing(it):
    it.run(EDIT)
    it.compare()

    async def silent(*_args: str) -> list[object]:
        raise LedgerRefusal("UNAVAILABLE", "no peer answers")

    answering, it.ledger.evaluate = it.ledger.evaluate, silent
    with pytest.raises(LedgerRefusal):
        it.compare()
    assert it.standing() == {SERIES_ALARM, "m-1"}
    it.ledger.evaluate = answering
    assert len(it.compare().tampered) == 1
