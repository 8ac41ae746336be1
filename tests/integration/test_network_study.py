"""`gridledger study network`: what it prints is what is sent, and its plot can be drawn."""

import json
from xml.etree import ElementTree as ET

import pytest

from chaincode.energy.market.records import MarketOrder
from chaincode.energy.records import decode, encode
from gateway.hems.virtual_meter import VirtualMeter
from gateway.mqtt.charge import decode_charge
from gateway.mqtt.device_messages import decode_measurement
from network.study import command as study_command
from network.study import links as study_links
from network.study import records as study_records
from network.study.plot import svg
from network.study.source_tables import HOME_MS, MONITORING_MS, TRADING_MS


def test_the_meters_record_is_as_long_as_what_a_meter_publishes():
    meter = VirtualMeter("meter-01")
    for _ in range(999):
        meter._seq += 1
    meter._import_wh, meter._export_wh = 123_456, 65_432
    raw = meter.message(meter.read(1_767_225_600_000))
    assert json.loads(raw)["seq"] == 1_000
    assert abs(len(raw) - study_records.sizes()["meter"]) <= 4  # a signature is 70 to 72 bytes


def test_the_other_records_are_what_devices_publish_and_the_ledger_stores():
    now_ms = study_records.T_MS
    measured = json.dumps(study_records.MEASUREMENT).encode()
    assert decode_measurement(measured, device_id="meter-01").p_mw == 287_650
    charge = json.dumps(study_records.CHARGE).encode()
    assert decode_charge(charge, battery_id="battery-1", now_ms=now_ms).stored_wh == 6_250
    assert decode(MarketOrder, encode(study_records.PLACED)) == study_records.PLACED


def test_sizes_stand_beside_the_sources():
    sizes = study_records.sizes()
    table = study_records.size_table(sizes)
    for size in ("52", "116", "324", "40", "32"):
        assert f" {size}\n" in table + "\n"
    overhead = sizes[study_records.SIGNED_ORDER] - 52
    assert f"overhead of a signed order over the source's 52 bytes: {overhead}" in table


@pytest.mark.row("E134")
def test_the_command_prints_sizes_and_a_delay_for_two_to_seven_houses(tmp_path, capsys):
    target = tmp_path / "delays.svg"
    assert study_command.main(["network", "--rounds", "3", "--plot", str(target)]) == 0
    printed = capsys.readouterr().out
    assert "overhead of a signed order over the source's 52 bytes" in printed
    if not study_links.are_allowed():
        pytest.skip("this machine allows no network namespaces, or has no tc")
    rows = [line.split() for line in printed.splitlines() if line.startswith("802.")]
    homes, neighbourhoods = rows[: len(HOME_MS)], rows[len(HOME_MS) :]
    assert [row[0] for row in homes] == list(HOME_MS)
    assert all(
        row[2::2] == [f"{mean:.3f}/{jitter:.3f}" for mean, jitter in HOME_MS[row[0]]]
        for row in homes
    )
    assert [int(row[1]) for row in neighbourhoods] == [2, 3, 4, 5, 6, 7] * len(TRADING_MS)
    assert all(float(value) > 0 for row in neighbourhoods for value in row[2:])
    assert {row[0]: len(row) for row in neighbourhoods} == {
        link: 6 + (link in MONITORING_MS) for link in TRADING_MS
    }
    picture = ET.fromstring(target.read_text(encoding="utf-8"))
    lines = picture.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 6


def test_a_plot_of_nothing_is_a_picture():
    assert svg([1], {}, x_label="x", y_label="y & z").startswith("<svg")
