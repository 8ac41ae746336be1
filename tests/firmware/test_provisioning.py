"""`firmware/provision.py image` as an installer calls it."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from network.certificates.authority import Authority
from tests.firmware.interpreter import ROOT
from tests.firmware.pc_node import settings


@pytest.fixture
def flash(tmp_path):
    """Make an image for a kind of board; the command's status and what it said."""
    authority = Authority.create("CA", "DSO", now=datetime.now(UTC), days=1)
    (tmp_path / "ca.pem").write_bytes(authority.certificate_pem)
    for name in ("token", "password"):
        (tmp_path / name).write_text("secret\n")

    def make(board: object, *options: str, **changed: object) -> tuple[int, str]:
        part = {"kind": board} if isinstance(board, str) else board
        fields = settings("node-1", 8_883, board=part) | changed
        (tmp_path / "config.json").write_text(json.dumps(fields))
        common = {"settings": "config.json", "authority": "ca.pem", "token-file": "token"}
        arguments = [part for name, value in common.items() for part in (f"--{name}", value)]
        command = [ROOT / "firmware" / "provision.py", "image", "n", "--code", "c"]
        done = subprocess.run(
            [sys.executable, *command, *arguments, *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    return make


@pytest.mark.parametrize(
    "options", [("--wifi-name", "home"), ("--wifi-password-file", "password"), ()]
)
def test_a_board_without_its_wifi_gets_no_image(flash, tmp_path, options):
    status, said = flash("pico_w", *options)
    assert status == 1
    assert said.startswith("no image: ")
    assert "--wifi-password-file" in said
    assert not Path(tmp_path / "n").exists()


def test_a_boards_image_has_its_wifi_and_a_pc_needs_none(flash, tmp_path):
    status, said = flash("pico_w", "--wifi-name", "home", "--wifi-password-file", "password")
    assert (status, said) == (0, "")
    wifi = json.loads((tmp_path / "n" / "keys" / "wifi.json").read_text())
    assert wifi == {"name": "home", "password": "secret"}
    (tmp_path / "n").rename(tmp_path / "board")
    assert flash("pc") == (0, "")


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"tier": "Q"}, "tier"),
        ({"interval_ms": 700_000}, "interval_ms"),
        ({"update_key": "04…"}, "update_key"),
        ({"board": []}, "board.kind"),
        ({"board": {"kind": "uno"}}, "board.kind"),
    ],
)
def test_what_the_node_would_refuse_at_its_start_gets_no_image(flash, tmp_path, changed, named):
    fields = {"board": {"kind": "pc"}} | changed
    status, said = flash(fields.pop("board"), **fields)
    assert (status, said.count("\n")) == (1, 1), said
    assert said.startswith("no image: ")
    assert named in said
    assert not (tmp_path / "n").exists()


@pytest.mark.parametrize(
    ("changed", "sensors", "named"),
    [
        ({"sample_ms": 5_000, "interval_ms": 60_000}, {}, "sample_ms"),
        ({}, {"type": "AC"}, "board.sensors.type"),
        ({}, {"voltage_pin": None}, "voltage_pin"),
        ({}, {"ma_per_mv": 5.4}, "board.sensors.ma_per_mv"),
        ({}, {"type": "ac"}, "board.sensors.mv_per_mv"),
        ({}, {"current_calibration": [1_000_000]}, "board.sensors.current_calibration"),
        ({}, {"full_mv": 12_700}, "board.sensors.empty_mv"),
        ({}, {"full_mv": 11_800, "empty_mv": 11_800}, "board.sensors.full_mv"),
    ],
)
def test_a_boards_sensors_and_samples_are_checked_before_it_is_flashed(
    flash, tmp_path, changed, sensors, named
):
    pins = {"voltage_pin": 26, "current_pin": 27}
    board = {"sensors": {"type": "dc", **pins, "ma_per_mv": 5, "zero_mv": 1_650} | sensors}
    wifi = ("--wifi-name", "home", "--wifi-password-file", "password")
    status, said = flash({"kind": "pico_w"} | board, *wifi, **changed)
    assert (status, said.count("\n")) == (1, 1), said
    assert named in said
    assert not (tmp_path / "n").exists()


def test_a_calibration_that_cannot_be_says_so():
    points = ["3000", "3010", "3000", "15100", "--range", "16500"]
    done = subprocess.run(
        [sys.executable, ROOT / "firmware" / "provision.py", "calibrate", *points],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("no calibration: ")
