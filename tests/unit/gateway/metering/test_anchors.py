"""Anchors of the raw series: every row in one batch, an edit is found, exports remove batches."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from gateway.hems.anchored_rows import MEASUREMENTS, READINGS
from gateway.hems.anchoring import AnchorBook, anchor, compare
from gateway.hems.virtual_meter import VirtualMeter
from ledger.crypto.merkle import verify_merkle_path
from ledger.errors import InvalidMessage
from tests.unit.energy.community import DSO, Community
from tests.unit.gateway.metering.data_service import QUARTER_MS, Keys, Scene


class LedgerOracle:
    """A member's oracle on the test ledger."""

    def __init__(self) -> None:
        self.community = Community.found()
        self.fails = 0

    async def submit(self, function: str, *args: str) -> Any:
        series, number, last_row, root = args
        answer = self.community.oracle.submit(function, series, int(number), int(last_row), root)
        if self.fails:
            self.fails -= 1
            raise ConnectionError("the answer was lost")
        return answer

    async def evaluate(self, function: str, *args: str) -> Any:
        return self.community.oracle.evaluate(function, *args)

    def anchors(self, series: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.community.oracle.evaluate("anchors:page", DSO, series)
        return found


@pytest.fixture
def scene() -> Scene:
    meters = [VirtualMeter(f"m-{number}") for number in range(3)]
    made = Scene(Keys(*meters))
    made.meters = meters
    return made


def quarter(scene: Scene) -> None:
    scene.now_ms += QUARTER_MS
    messages = [(f"{meter.meter_id}/reading", scene.read(meter)) for meter in scene.meters]
    scene.hear(*messages)


def put(book: AnchorBook, ledger: LedgerOracle, series: str = READINGS):
    return asyncio.run(anchor(book, ledger, series))


def test_raw_data_is_off_the_ledger_its_hash_on_it_and_an_edited_row_is_found(scene):
    ledger, book = LedgerOracle(), AnchorBook(scene.database)
    for _ in range(3):
        quarter(scene)
        assert put(book, ledger).last_row % 3 == 0
    assert put(book, ledger) is None
    anchors = ledger.anchors(READINGS)
    assert [(entry["first_row"], entry["last_row"]) for entry in anchors] == [
        (1, 3),
        (4, 6),
        (7, 9),
    ]
    assert compare(book, READINGS, anchors) == []
    state = ledger.community.ledger.snapshot().state
    assert not any("m-1" in str(value) for value in state.values.items())
    with scene.database.writing() as connection:
        edit = "UPDATE hems_readings SET import_wh = import_wh + 1 WHERE row = 5"
        connection.execute(text(edit))
    (found,) = compare(book, READINGS, anchors)
    assert (found.series, found.number) == (READINGS, 2)


@pytest.mark.parametrize(
    "edit",
    [
        "DELETE FROM hems_readings WHERE row = 2",
        "UPDATE hems_readings SET received_ms = received_ms - 1 WHERE row = 3",
        "UPDATE hems_readings SET is_late = 1 WHERE row = 1",
        "UPDATE hems_readings SET meter_id = 'm-9' WHERE row = 1",
        "UPDATE hems_readings SET signature = '' WHERE row = 1",
        "DELETE FROM hems_readings",
    ],
)
def test_every_kind_of_edit_is_found(scene, edit):
    ledger, book = LedgerOracle(), AnchorBook(scene.database)
    quarter(scene)
    put(book, ledger)
    with scene.database.writing() as connection:
        connection.execute(text(edit))
    assert [found.number for found in compare(book, READINGS, ledger.anchors(READINGS))] == [1]


def test_an_anchor_whose_answer_was_lost_is_sent_again_as_it_was(scene):
    ledger, book = LedgerOracle(), AnchorBook(scene.database)
    quarter(scene)
    ledger.fails = 1
    with pytest.raises(ConnectionError):
        put(book, ledger)
    quarter(scene)
    assert put(book, ledger).last_row == 3
    assert put(book, ledger).last_row == 6
    assert compare(book, READINGS, ledger.anchors(READINGS)) == []


def test_a_household_shows_that_its_row_is_anchored(scene):
    ledger, book = LedgerOracle(), AnchorBook(scene.database)
    quarter(scene)
    assert book.proof(READINGS, 2) is None
    put(book, ledger)
    proof = book.proof(READINGS, 2)
    place = {
        "index": proof.index,
        "leaf_count": 3,
        "path": [bytes.fromhex(node) for node in proof.path],
        "root": bytes.fromhex(ledger.anchors(READINGS)[0]["root"]),
    }
    verify_merkle_path(leaf=proof.line.encode(), **place)
    with pytest.raises(InvalidMessage):
        verify_merkle_path(leaf=proof.line.replace("m-1", "m-2").encode(), **place)


def test_measurements_are_a_series_of_their_own(scene):
    ledger, book = LedgerOracle(), AnchorBook(scene.database)
    measured = b'{"v":1,"d":"plug","t":5,"p_mw":7}'
    scene.hear(("plug/measure", measured), ("plug/measure", measured))
    assert put(book, ledger, MEASUREMENTS).last_row == 1
    assert put(book, ledger) is None
    with scene.database.writing() as connection:
        connection.execute(text("UPDATE hems_measurements SET p_mw = 8"))
    assert len(compare(book, MEASUREMENTS, ledger.anchors(MEASUREMENTS))) == 1
