"""Command lines: numbers, refused with a sentence that names the range; our own name."""

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

PROGRAM = "gridledger"


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """An argparse `type`: an integer in [least, most], both at least 0."""
    digits_max = len(str(most))

    def number(text: str) -> int:
        is_number = text.isascii() and text.isdecimal() and len(text) <= digits_max
        if not is_number or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number between {least} and {most}"
            )
        return int(text)

    return number


def own_program() -> str:
    """The `gridledger` command as it was typed, for a line that somebody pastes."""
    typed = sys.argv[0]
    return shlex.quote(typed) if Path(typed).name == PROGRAM else PROGRAM
