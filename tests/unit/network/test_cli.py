"""The command: fast to start, clear when misused."""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import TextIO

import pytest

from network import cli
from network.cli import COMMANDS, main


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(command.summary in shown for command in COMMANDS.values())


def test_no_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: gridledger" in capsys.readouterr().out


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dance"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "'dance'" in captured.err


def test_a_reader_that_has_enough_is_no_error_to_tell_of(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in `gridledger network status | head -1`."""

    def ended(*words: object, file: TextIO | None = None, **_: object) -> None:
        if file is None:
            raise BrokenPipeError
        file.write(" ".join(map(str, words)))

    plan = tmp_path / "network.toml"
    assert main(["network", "init", "--plan", str(plan)]) == 0
    capsys.readouterr()
    monkeypatch.setattr("builtins.print", ended)
    for words in (["network", "status"], ["cert", "status"]):
        assert main([*words, "--plan", str(plan)]) == 1
    assert capsys.readouterr().err == ""


def test_simulate_says_where_the_simulator_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An installed package has no tests beside it."""
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "network" / "cli.py"))
    assert main(["simulate", "--seeds", "1"]) == 1
    assert "source repository" in capsys.readouterr().err


def test_simulate_runs_and_replays_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--seeds", "2", "--first-seed", "7"]) == 0
    shown = capsys.readouterr().out
    assert "seeds 7 to 8, commit" in shown
    assert "0 stalls, 0 violations" in shown
    assert main(["simulate", "--seed", "7", "--trace"]) == 0
    assert "signs Prepare" in capsys.readouterr().out


def test_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("gridledger 0.")


def test_the_command_starts_without_heavy_imports() -> None:
    check = (
        "import sys, network.cli; network.cli.main(['--help']);"
        "sys.exit(bool({'grpc', 'fastapi', 'cryptography', 'asyncio'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", check], capture_output=True, check=False)
    assert result.returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ["bench", "--runs", "0"],
        ["bench", "--in-flight", "a"],
        ["bench", "--in-flight", "1,,2"],
        ["bench", "--transactions", "-1"],
        ["demo", "--hours", "x"],
        ["demo", "--port", "80000"],
    ],
)
def test_a_number_out_of_range_is_refused_before_anything_starts(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "is not a whole number between" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["init", "up", "status", "verify", "down"])
def test_a_plan_in_no_folder_is_named_in_one_line(
    action: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "nowhere" / "network.toml"
    assert main(["network", action, "--plan", str(plan)]) == 1
    told = capsys.readouterr().err
    assert str(plan) in told
    assert "Errno" not in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("name", ["network.toml", "our grid.toml"])
def test_founding_names_the_next_command_as_it_must_be_typed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["network", "init", "--plan", name]) == 0
    [line] = [one for one in capsys.readouterr().out.splitlines() if one.startswith("next: ")]
    option = [] if name == "network.toml" else ["--plan", name]
    assert shlex.split(line)[1:] == ["gridledger", "network", "up", *option]
