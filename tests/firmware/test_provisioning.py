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

    def make(kind: str, *options: str) -> tuple[int, str]:
        fields = settings("node-1", 8_883, board={"kind": kind})
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
