"""`gridledger readmodel`: becomes `gateway.readmodel.command`, which knows the tables."""

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Does not return: the process becomes the command, so signals reach it as they are."""
    command = [sys.executable, "-m", "gateway.readmodel.command", *arguments]
    os.execv(sys.executable, command)  # noqa: S606 - our own module
