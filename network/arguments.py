"""Numbers on the command line; a wrong one is refused with a sentence that names the range."""

import argparse
from collections.abc import Callable


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
