"""`gateway.mqtt.mosquitto`, which `gridledger broker` runs: called again, and mistyped."""

import json
import sys
from pathlib import Path

import pytest

from gateway.mqtt.mosquitto import main


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """The command with these words in the test's folder; its status and what it said."""

    def call(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(
            sys, "argv", ["mosquitto", str(tmp_path), "--community", "val", *words]
        )
        status = main()
        return status, capsys.readouterr().err

    return call


def tokens(folder: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((folder / "tokens.json").read_text())
    return found


def test_a_device_forgotten_in_a_later_run_keeps_its_token_until_it_is_removed(run, tmp_path):
    assert run("--device", "node-1") == (0, "")
    before, rights = tokens(tmp_path), (tmp_path / "rights").read_text()
    status, said = run("--device", "node-2")
    assert (status, said.count("\n")) == (1, 1)
    assert "node-1: not named, though with a token here" in said
    assert (tokens(tmp_path), (tmp_path / "rights").read_text()) == (before, rights)
    assert run("--device", "node-1", "--device", "node-2") == (0, "")
    both = tokens(tmp_path)
    assert both["node-1"] == before["node-1"]
    assert run("--device", "node-2", "--remove", "node-1") == (0, "")
    assert tokens(tmp_path) == {name: both[name] for name in both if name != "node-1"}
    assert "node-1" not in (tmp_path / "rights").read_text()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--person", "VAL-0000-H"), "one character was mistyped"),
        (("--person", "nonsense"), "COMMUNITY-NUMBER-C"),
        (("--source", "p2p"), "'p2p' is not of the form NAME=DEVICE"),
        (("--tasmota", "kettle=plug-1", "--tasmota", "kettle=plug-2"), "plug-1 and to plug-2"),
        (("--device", "gateway"), "'gateway' is no name of a community or device"),
    ],
)
def test_what_is_mistyped_is_said_in_a_sentence_and_nothing_is_written(
    run, tmp_path, words, wanted
):
    status, said = run(*words)
    assert (status, said.count("\n")) == (1, 1)
    assert wanted in said
    assert list(tmp_path.iterdir()) == []
