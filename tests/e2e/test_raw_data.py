"""Raw data of the running demo: anchored while it runs, an edited row found, its mending too."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from tests.e2e.running_demo import RunningDemo
from tests.e2e.scene import Scene, asking, play

pytestmark = pytest.mark.slow
SECONDS_MAX = 60
PATH = "/v1/raw-data/comparison"
ALARM = "database:readings"
METER_OF_THE_ROW = "SELECT meter_id FROM hems_readings WHERE row = 2"


def run(it: Scene, statement: str) -> str:
    """In the gateway's own database, behind its back; returns the meter of the row."""
    with closing(sqlite3.connect(it.demo.folder / "gateway.db", timeout=SECONDS_MAX)) as database:
        with database:
            database.execute(statement)
        (meter_id,) = database.execute(
            "SELECT meter_id FROM hems_readings WHERE row = 2"
        ).fetchone()
    return str(meter_id)


async def anchored(it: Scene) -> None:
    """Wait until the ledger has the first batch of readings."""
    manager = await it.manager_session()

    async def has_rows() -> bool:
        answer = await it.http.post(PATH, headers=manager)
        return answer.raise_for_status().json()["rows"] > 2

    await asking(has_rows, timeout_s=SECONDS_MAX)


async def standing(it: Scene) -> set[str]:
    answer = await it.http.get("/v1/alarms", headers=await it.manager_session())
    return {
        alarm["device_id"]
        for alarm in answer.raise_for_status().json()
        if alarm["kind"] == "tampered" and alarm["cleared_ms"] is None
    }


async def in_the_inbox(it: Scene, meter_id: str) -> None:
    """Wait until the inbox of the meter's household tells of tampering."""
    await asking(lambda: "tampered" in inbox_of(it, meter_id), timeout_s=SECONDS_MAX)


def inbox_of(it: Scene, meter_id: str) -> list[str]:
    with closing(sqlite3.connect(it.demo.folder / "gateway.db", timeout=SECONDS_MAX)) as database:
        rows = database.execute("SELECT facts FROM notices_inbox WHERE kind = 'alarm'").fetchall()
    told = [json.loads(facts) for (facts,) in rows]
    return [one["alarm"] for one in told if one["device_id"] == meter_id]


@pytest.mark.row("E072")
def test_an_edited_row_is_an_alarm_until_it_is_put_right(demo):
    async def edited(it: Scene) -> None:
        await anchored(it)
        manager = await it.manager_session()
        assert (await it.http.post(PATH)).status_code == 401
        assert (await it.http.post(PATH, headers=manager)).json()["tampered"] == []
        meter_id = run(it, "UPDATE hems_readings SET import_wh = import_wh + 7 WHERE row = 2")
        (wrong,) = (await it.http.post(PATH, headers=manager)).json()["tampered"]
        assert (wrong["series"], wrong["number"]) == ("readings", 1)
        assert await standing(it) == {ALARM, meter_id}
        page = (await it.http.get("/console/security", headers=manager)).text
        assert 'data-tampered="readings-1"' in page
        assert meter_id in page
        await in_the_inbox(it, meter_id)

    async def mended(it: Scene) -> None:
        run(it, "UPDATE hems_readings SET import_wh = import_wh - 7 WHERE row = 2")
        answer = await it.http.post(PATH, headers=await it.manager_session())
        assert answer.json()["tampered"] == []
        assert await standing(it) == set()

    play(demo, edited)
    status, told = raw_data(demo)
    assert (status, "NOT what was anchored" in told) == (1, True)
    play(demo, mended)
    status, told = raw_data(demo)
    assert (status, "all as anchored" in told) == (0, True)


def raw_data(demo: RunningDemo) -> tuple[int, str]:
    """`gridledger raw-data compare` beside the running gateway."""
    command = [sys.executable, "-P", "-m", "network.cli", "raw-data", "compare"]
    command += ["--config", str(demo.folder / "gateway.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr
