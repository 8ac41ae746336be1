"""`gridledger database`: becomes `gateway.backup.command`, which knows the tables."""

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Does not return: the process becomes the command, so signals reach it as they are."""
    command = [sys.executable, "-m", "gateway.backup.command", *arguments]
    os.execv(sys.executable, command)  # noqa: S606 - our own module
