"""Which devices a household's home automation is told of."""

from dataclasses import replace

import pytest

from chaincode.energy.registry.records import Meter, Res, Status
from gateway.hems.home_devices import HomeDevice, Role, devices_of
from gateway.identity.sight import told_of_source_since_ms

OWN, NEIGHBOUR = "VAL-0001-A", "VAL-0002-B"
SOURCE = Res("battery-1", OWN, "battery", 5_000, Status.PENDING)
DEVICE = Meter("battery-1", OWN, "", "", None, Status.PENDING, "battery")
METER = replace(DEVICE, meter_id="meter-2", owner_idgrid=NEIGHBOUR, kind="meter")


def test_a_source_named_like_a_neighbours_meter_is_no_device_of_the_household() -> None:
    named_alike = replace(SOURCE, res_id=METER.meter_id)
    found = devices_of([METER], [SOURCE, named_alike], OWN)
    assert found == [HomeDevice("battery-1", Role.BATTERY, None, "battery-1", 5_000)]
    assert [one.device_id for one in devices_of([METER], [named_alike], NEIGHBOUR)] == ["meter-2"]


def test_a_batterys_charge_is_not_read_under_the_name_of_a_neighbours_device() -> None:
    at_source = replace(DEVICE, meter_id="bms", res_id=SOURCE.res_id)
    [own] = devices_of([at_source], [SOURCE], OWN)
    assert (own.charge_id, own.capacity_wh) == ("battery-1", 5_000)
    given_away = replace(DEVICE, owner_idgrid=NEIGHBOUR)
    [left] = devices_of([at_source, given_away], [SOURCE], OWN)
    assert (left.device_id, left.charge_id, left.capacity_wh) == ("bms", "bms", 0)


@pytest.mark.parametrize(
    ("namesake", "since_ms"),
    [
        (None, 0),
        (DEVICE, 0),
        (replace(DEVICE, owned_since_ms=7), 7),
        (replace(DEVICE, owner_idgrid=NEIGHBOUR), None),
    ],
)
def test_what_is_told_under_a_sources_name_is_the_device_owners(
    namesake: Meter | None, since_ms: int | None
) -> None:
    assert told_of_source_since_ms(SOURCE, namesake) == since_ms
