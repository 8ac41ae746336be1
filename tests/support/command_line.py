"""Numbers on the command lines of tools that run long; a wrong one is refused in a sentence."""

import argparse
import math


def positive_seconds(text: str) -> float:
    """An argparse `type`: a finite number of seconds above 0."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not math.isfinite(seconds) or seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def positive_count(text: str) -> int:
    """An argparse `type`: a whole number above 0."""
    if not (text.isascii() and text.isdecimal() and int(text[:10]) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)
