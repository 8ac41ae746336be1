"""`./test` ends what it started when it is told to stop."""

import signal
import subprocess
import sys

from tests.architecture.source_files import ROOT
from tests.runner import SIGNALLED

CHECK = """\
import signal, sys
def clean_up(number, frame):
    print("cleaned up", flush=True)
    sys.exit(1)
signal.signal(signal.SIGTERM, clean_up)
print("up", flush=True)
while True:
    signal.pause()
"""
RUNNER = f"import sys, tests.runner; tests.runner.run_to_end([sys.executable, '-c', {CHECK!r}])"


def test_a_terminated_run_waits_until_its_tests_have_cleaned_up() -> None:
    command = [sys.executable, "-c", RUNNER]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "up\n"
        runner.terminate()
        assert runner.stdout.read() == "cleaned up\n"
    assert runner.returncode == SIGNALLED + signal.SIGTERM
