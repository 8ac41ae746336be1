"""`gridledger study network`: what it prints is what is sent, and its plot can be drawn."""

import json
from xml.etree import ElementTree as ET

import pytest

from gateway.hems.virtual_meter import VirtualMeter
from network.study import command as study_command
from network.study import links as study_links
from network.study.plot import svg


def test_the_meters_record_is_as_long_as_what_a_meter_publishes():
    meter = VirtualMeter("meter-01")
    for _ in range(999):
        meter._seq += 1
    meter._import_wh, meter._export_wh = 123_456, 65_432
    raw = meter.message(meter.read(1_767_225_600_000))
    assert json.loads(raw)["seq"] == 1_000
    assert abs(len(raw) - study_command.sizes()["meter"]) <= 4  # a signature is 70 to 72 bytes


def test_sizes_stand_beside_the_sources():
    table = study_command.size_table()
    for size in ("52", "116", "324", "40", "32"):
        assert f" {size}\n" in table + "\n"
    sizes = study_command.sizes()
    overhead = sizes["  the same, signed and ready to endorse"] - 52
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
    assert [int(row[1]) for row in rows] == [2, 3, 4, 5, 6, 7] * 3
    assert all(float(value) > 0 for row in rows for value in row[2:4])
    picture = ET.fromstring(target.read_text(encoding="utf-8"))
    lines = picture.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 6


def test_a_plot_of_nothing_is_a_picture():
    assert svg([1], {}, x_label="x", y_label="y & z").startswith("<svg")
