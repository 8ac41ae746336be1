"""`gridledger charger --config charger.json`: run a car's charger on its own machine."""

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Become the process, which needs no network's plan: signals reach it as they are."""
    sys.stdout.flush()
    command = [sys.executable, "-m", "gateway.agent.charger_process", *arguments]
    os.execv(sys.executable, command)  # noqa: S606 - our own module
