"""`./test` ends what it started when it is told to stop."""

import signal
import subprocess
import sys

import pytest

from tests import runner
from tests.architecture.source_files import ROOT
from tests.runner import SIGNALLED

CHECK = """\
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("up", flush=True)
signal.sigwait({signal.SIGTERM})
print("cleaned up", flush=True)
"""
RUNNER = f"import sys, tests.runner; tests.runner.run_to_end([sys.executable, '-c', {CHECK!r}])"


@pytest.mark.parametrize(
    ("absent", "status", "words"),
    [
        ((), 0, "all system parts are here"),
        (("micropython",), 0, "micropython (optional, skipped without it)"),
        (("micropython", "npm"), 1, "not installed: npm (missing)"),
    ],
)
@pytest.mark.parametrize("user", [0, 1000])
def test_setting_up_fails_only_for_what_every_release_has(
    absent, status, words, user, monkeypatch, capsys
) -> None:
    """With an apt-get that has none of the packages."""
    none = subprocess.CompletedProcess[bytes]([], 100)
    monkeypatch.setattr(runner, "find_program", lambda name: None if name in absent else name)
    monkeypatch.setattr(runner.os, "geteuid", lambda: user)
    monkeypatch.setattr(runner.subprocess, "run", lambda *_arguments, **_options: none)
    assert runner.main(["--setup"]) == status
    assert words in capsys.readouterr().out


def test_a_terminated_run_waits_until_its_tests_have_cleaned_up() -> None:
    command = [sys.executable, "-c", RUNNER]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.terminate()
        assert process.stdout.read() == "cleaned up\n"
    assert process.returncode == SIGNALLED + signal.SIGTERM
