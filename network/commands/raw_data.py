"""`gridledger raw-data`: becomes `gateway.hems.raw_data_command`, which knows the rows."""

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Does not return: the process becomes the command, so signals reach it as they are."""
    command = [sys.executable, "-m", "gateway.hems.raw_data_command", *arguments]
    os.execv(sys.executable, command)  # noqa: S606 - our own module
