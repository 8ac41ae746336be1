"""Fifteen hours of five houses in accelerated time: what settles is what nodes signed.

Every watt-hour that settles must be the difference of two readings which the firmware on
MicroPython signed, and the gateway's raw data must be anchored.
"""

import asyncio
import base64
import json
from collections import Counter
from datetime import datetime, timedelta

import pytest

from chaincode.energy.oracle.readings import signed_message
from chaincode.energy.oracle.records import MeterReading
from gateway.hems.anchored_rows import READINGS
from gateway.hems.anchoring import compare
from gateway.hems.transfer_rules import End, Transfer
from ledger.crypto.signing import verify_signature
from tests.integration.five_houses_bus import SURPLUS_WH, FiveHousesOnABus, sample_wh
from tests.integration.five_houses_world import HOUSES, FiveHouses, House
from tests.support.mosquitto import needs_mosquitto
from tests.unit.energy.community import DSO, milliseconds

HOURS_ALWAYS, HOURS_FULL = 1, 15
UJ_PER_WH, MWH_PER_WH = 3_600_000_000, 1_000
pytestmark = [needs_mosquitto, pytest.mark.slow]


def check_hour(world: FiveHouses, listing: str) -> Counter[str]:
    """An hour's totals: each house's are differences of readings that its node signed."""
    settlement = world.settled[listing]
    hour = datetime.fromisoformat(f"{listing}:00:00+00:00")
    ends = milliseconds(hour), milliseconds(hour + timedelta(hours=1))
    assert settlement["state"] == "SETTLED"
    assert settlement["missing"] == []
    totals: Counter[str] = Counter()
    for house in world.houses:
        client, name = house.home.client, house.home.meter_id
        series = client.evaluate("access:meter_series", name, ends[0] - 1, ends[1])
        start, end = (
            next(one for one in series if one["t_end_ms"] == instant) for instant in ends
        )
        for one in (start, end):
            check_reading(house, MeterReading(**one))
        line = client.evaluate("market:get_line", listing, house.home.idgrid)
        assert line["imported_wh"] == end["import_wh"] - start["import_wh"]
        assert line["exported_wh"] == end["export_wh"] - start["export_wh"]
        assert line["metering"] == "measured"
        assert line["sold_wh"] <= line["exported_wh"]
        assert line["bought_wh"] <= line["imported_wh"]
        kinds = ("imported_wh", "exported_wh", "sold_wh", "bought_wh")
        totals.update({kind: line[kind] for kind in kinds})
    assert settlement["imported_wh"] == totals["imported_wh"]
    assert settlement["exported_wh"] == totals["exported_wh"]
    assert settlement["settled_wh"] == totals["sold_wh"] == totals["bought_wh"]
    return totals


def check_reading(house: House, reading: MeterReading) -> None:
    """It is what came from the node, and its own key signed it."""
    message = json.loads(house.heard[reading.seq])
    assert message["imp_wh"] == reading.import_wh
    assert message["sig"] == reading.signature
    signature = base64.b64decode(reading.signature)
    verify_signature(house.public_key, signed_message(reading), signature)


def check_way(world: FiveHouses, hours: int) -> None:
    """No reading was lost on it, no money made, and the raw data is anchored."""
    for house in world.houses:
        last = house.last()
        numbers = list(range(1, hours * 4 + 2))
        assert (last["waiting"], last["registers"]["seq"]) == (0, numbers[-1])
        assert sorted(house.heard) == numbers
        assert house.node.said == [], "no link was lost, no message ignored"
    assert world.community.audit()["difference_utoken"] == 0
    anchors = world.community.oracle.evaluate("anchors:page", DSO, READINGS)
    assert anchors[-1]["last_row"] == HOUSES * (hours * 4 + 1)
    assert compare(world.anchors, READINGS, anchors) == []
    assert world.service.stores.alarms.all() == []


@pytest.mark.parametrize("hours", [HOURS_ALWAYS, pytest.param(HOURS_FULL, marks=pytest.mark.full)])
def test_every_settled_watt_hour_traces_to_readings_that_a_node_signed(tmp_path, hours):
    world = FiveHouses(tmp_path, hours)
    asyncio.run(world.run())
    assert len(world.settled) == hours
    totals: Counter[str] = Counter()
    for listing in world.settled:
        totals += check_hour(world, listing)
    assert totals["imported_wh"] + totals["exported_wh"] > 0
    assert totals["sold_wh"] > 0 or hours < HOURS_FULL
    check_way(world, hours)


@pytest.mark.row("E084")
@pytest.mark.row("E085")
@pytest.mark.row("E086")
@pytest.mark.parametrize("hours", [1, pytest.param(3, marks=pytest.mark.full)])
def test_what_relays_let_through_on_a_shared_bus_is_what_is_signed_and_settled(tmp_path, hours):
    world = FiveHousesOnABus(tmp_path, hours)
    asyncio.run(world.run())
    transfers = world.transfers()
    assert len(transfers) >= 4 * hours, "two sellers, three buyers"
    assert [one.state for one in transfers] == ["done"] * len(transfers)
    assert sorted(world.planned) == sorted(one.transfer_id for one in transfers), "planned once"
    sold_wh = check_relays(world)
    totals: Counter[str] = Counter()
    for listing in world.settled:
        totals += check_hour(world, listing)
    assert totals["sold_wh"] == sold_wh == hours * sum(wh for wh in SURPLUS_WH if wh > 0)
    check_way(world, hours)


def check_relays(world: FiveHousesOnABus) -> int:
    """Each closed once for a transfer, whose energy is what was signed; the Wh agreed on."""
    for house in world.houses:
        name, registers = house.home.meter_id, house.last()["registers"]
        for side, register in (("out", "exported"), ("in", "imported")):
            own = [one for one in world.transfers() if name == end_at(one, side).device_id]
            assert house.node.pins(side) == [1, 0] * len(own), "one cycle each"
            stopped_wh = [stop_wh(world, one, name) for one in own]
            for transfer, energy_wh in zip(own, stopped_wh, strict=True):
                assert abs(energy_wh - transfer.energy_wh) <= sample_wh()
            whole_wh, rest_uj = registers[register]
            assert abs(whole_wh + rest_uj / UJ_PER_WH - sum(stopped_wh)) <= sample_wh() * len(own)
    return sum(one.energy_wh for one in world.transfers())


def end_at(transfer: Transfer, side: str) -> End:
    return transfer.seller if side == "out" else transfer.buyer


def stop_wh(world: FiveHousesOnABus, transfer: Transfer, name: str) -> float:
    """What a node said that it measured."""
    events = world.service.stores.transfers.events(transfer.transfer_id)
    start, stop = (one for one in events if one.device_id == name)
    assert (start.event, stop.event) == ("start", "stop")
    return stop.energy_mwh / MWH_PER_WH
