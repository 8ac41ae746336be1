"""Half an hour without the broker, from the node's flash to the rows of the gateway."""

import asyncio
import json
import time

import pytest
from sqlalchemy import select

from gateway.hems.firmware_meter import FirmwareMeter, interpreter
from gateway.hems.tables import ReadingRow
from tests.firmware.test_demo_meter import mqtt
from tests.firmware.test_pc_node import scene
from tests.unit.gateway.metering.data_service import Keys
from tests.unit.gateway.metering.data_service import Scene as DataService

MINUTES = 30
MINUTE_MS = 60_000
INTERVAL_MINUTES = 15
"""The gateway's; what is older when it comes is late."""


@pytest.mark.row("E090")
def test_readings_of_half_an_hour_offline_come_in_order_and_are_flagged_late(tmp_path):
    async def play() -> None:
        async with scene(tmp_path) as world:
            (tmp_path / "node").mkdir()
            command = interpreter()
            assert command is not None
            node = await FirmwareMeter.start(
                command,
                tmp_path / "node",
                community="val",
                account="IDG-1",
                mqtt=mqtt(world, "node-1"),
            )
            try:
                await world.wait_for("node-1", "state")
                await world.broker.kill()
                now_ms = time.time_ns() // 1_000_000
                for minute in range(MINUTES):
                    node.run_hour(load_wh=2, pv_wh=0)
                    await node.publish(now_ms - (MINUTES - 1 - minute) * MINUTE_MS)
                await world.broker.start()
                heard = await world.wait_for("node-1", "reading", count=MINUTES)
            finally:
                await node.close()
        assert [content["seq"] for content in heard] == list(range(1, MINUTES + 1))
        service = DataService(Keys(node), now_ms=now_ms)
        for content in heard:
            kept = service.hear(("node-1/reading", json.dumps(content).encode()))
            assert len(kept.accepted) == 1
        with service.database.reading() as connection:
            late = dict(connection.execute(select(ReadingRow.seq, ReadingRow.is_late)).all())
        in_time = {seq for seq, is_late in late.items() if not is_late}
        assert in_time == set(range(MINUTES - INTERVAL_MINUTES, MINUTES + 1))
        shown = service.stores.series.between("node-1", 0, now_ms)
        assert [reading.import_wh for reading in shown] == [
            2 * minute for minute in range(1, MINUTES + 1)
        ]

    asyncio.run(play())
