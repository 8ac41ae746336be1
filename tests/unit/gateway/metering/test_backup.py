"""A backup of the gateway's database, a loss, the way back, and what the ledger says of it."""

import asyncio
import functools
import stat

import pytest

from chaincode.shim import ContractError
from gateway.backup.copying import CopyFailed, back_up, restore
from gateway.database import Database, open_database
from gateway.errors import LedgerRefusal
from gateway.hems.anchor_recovery import catch_up
from gateway.hems.anchored_rows import READINGS
from gateway.hems.anchoring import AnchorBook, anchor, compare
from gateway.hems.retention import export_and_remove
from gateway.hems.running import keep_anchoring
from gateway.hems.tampering import TamperWatch
from gateway.hems.virtual_meter import VirtualMeter
from tests.unit.energy.community import DSO
from tests.unit.gateway.metering.data_service import QUARTER_MS, Keys, Scene
from tests.unit.gateway.metering.test_anchors import LedgerOracle, quarter

SECONDS_MAX = 60


class RefusingLedger(LedgerOracle):
    """Refusals look as a network's do."""

    async def submit(self, function, *args):
        try:
            return await super().submit(function, *args)
        except ContractError as refusal:
            raise LedgerRefusal("ABORTED", f"{refusal.code}: {refusal}") from refusal

    async def evaluate(self, function, *args):
        mspid, series, first = args
        return await super().evaluate(function, mspid, series, int(first))


def url_of(database: Database) -> str:
    return f"sqlite:///{database.engine.url.database}"


@pytest.fixture
def ledger() -> RefusingLedger:
    return RefusingLedger()


def metered(scene: Scene, ledger: LedgerOracle, *, quarters: int) -> None:
    for _ in range(quarters):
        quarter(scene)
        asyncio.run(anchor(AnchorBook(scene.database), ledger, READINGS))


def use(scene: Scene, database: Database) -> None:
    """A gateway that starts on another database."""
    scene.database = database
    scene.restart()


def lost_batches(scene: Scene, ledger: LedgerOracle) -> list[int]:
    """Numbers of the batches that are not what the ledger says."""
    found = compare(AnchorBook(scene.database), READINGS, ledger.anchors(READINGS))
    return [one.number for one in found]


async def anchoring_of(scene: Scene, ledger: LedgerOracle) -> None:
    """What a gateway runs for ever."""
    book, clock_ms = AnchorBook(scene.database), lambda: scene.now_ms
    watch = TamperWatch(book, ledger, DSO, scene.service, scene.keys, clock_ms=clock_ms)
    recover = functools.partial(catch_up, scene.database, ledger, DSO)
    await keep_anchoring(book, ledger, watch, every_ms=1, clock_ms=clock_ms, recover=recover)


def street() -> Scene:
    meters = [VirtualMeter(f"m-{number}") for number in range(3)]
    scene = Scene(Keys(*meters))
    scene.meters = meters
    return scene


def test_what_was_backed_up_is_there_again_and_what_came_later_is_named(tmp_path, ledger):
    scene = street()
    metered(scene, ledger, quarters=2)
    copy, url = tmp_path / "monday.backup", f"sqlite:///{tmp_path}/new.db"
    back_up(url_of(scene.database), copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    metered(scene, ledger, quarters=2)
    before = [scene.service.stores.series.latest(meter.meter_id) for meter in scene.meters]

    restore(url, copy)
    assert stat.S_IMODE((tmp_path / "new.db").stat().st_mode) == 0o600
    use(scene, open_database(url))
    series = scene.service.stores.series
    assert [series.latest(meter.meter_id).seq for meter in scene.meters] == [2, 2, 2]
    assert before[0].seq == 4
    assert lost_batches(scene, ledger) == [3, 4], "by name"


def test_anchoring_goes_on_behind_what_was_lost(tmp_path, ledger):
    scene = street()
    metered(scene, ledger, quarters=1)
    copy, url = tmp_path / "copy", f"sqlite:///{tmp_path}/new.db"
    back_up(url_of(scene.database), copy)
    metered(scene, ledger, quarters=2)
    restore(url, copy)
    use(scene, open_database(url))
    quarter(scene)  # before anybody knows that the ledger is ahead

    async def until_anchored() -> None:
        anchoring = asyncio.create_task(anchoring_of(scene, ledger))
        while AnchorBook(scene.database).confirmed(READINGS) < 4:
            assert not anchoring.done()
            await asyncio.sleep(0)
        anchoring.cancel()
        await asyncio.gather(anchoring, return_exceptions=True)

    asyncio.run(asyncio.wait_for(until_anchored(), SECONDS_MAX))
    entry = ledger.anchors(READINGS)[-1]
    assert (entry["number"], entry["first_row"], entry["last_row"]) == (4, 10, 12)
    assert lost_batches(scene, ledger) == [2, 3]
    assert AnchorBook(scene.database).proof(READINGS, 11) is not None
    assert AnchorBook(scene.database).proof(READINGS, 5) is None, "lost"


def test_rows_are_never_numbered_like_exported_ones(tmp_path, ledger):
    scene = street()
    metered(scene, ledger, quarters=2)
    book = AnchorBook(scene.database)
    assert len(export_and_remove(book, tmp_path, scene.now_ms + QUARTER_MS)) == 2
    metered(scene, ledger, quarters=1)
    assert ledger.anchors(READINGS)[-1]["first_row"] == 7
    assert lost_batches(scene, ledger) == []


def test_a_backup_is_taken_while_somebody_writes(tmp_path, ledger):
    scene = street()
    metered(scene, ledger, quarters=1)
    with scene.database.writing():
        back_up(url_of(scene.database), tmp_path / "copy")
    restore(f"sqlite:///{tmp_path}/new.db", tmp_path / "copy")


def test_nothing_is_overwritten_and_nothing_half_restored(tmp_path, ledger):
    scene = street()
    metered(scene, ledger, quarters=1)
    url, copy = url_of(scene.database), tmp_path / "copy"
    back_up(url, copy)
    with pytest.raises(CopyFailed, match="never overwritten"):
        back_up(url, copy)
    with pytest.raises(CopyFailed, match="has tables"):
        restore(url, copy)
    with pytest.raises(CopyFailed, match="no file"):
        restore(f"sqlite:///{tmp_path}/new.db", tmp_path / "nothing")
    content = bytearray(copy.read_bytes())
    content[4096:8192] = bytes(4096)
    (tmp_path / "torn").write_bytes(content)
    with pytest.raises(CopyFailed, match="damaged"):
        restore(f"sqlite:///{tmp_path}/new.db", tmp_path / "torn")
    assert not (tmp_path / "new.db").exists()
    (tmp_path / "other").write_bytes(b"")
    with pytest.raises(CopyFailed, match="no database of a gateway"):
        restore(f"sqlite:///{tmp_path}/new.db", tmp_path / "other")
