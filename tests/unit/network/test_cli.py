"""The command: fast to start, clear when misused."""

import subprocess
import sys

import pytest

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
