"""Numbers on the command lines of tools that run long; a wrong one is refused in a sentence."""

import argparse
import math

DIGITS_MAX = 18


def positive_seconds(text: str) -> float:
    """An argparse `type`: a finite number of seconds above 0."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not math.isfinite(seconds) or seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def whole_number(text: str) -> int:
    """An argparse `type`: a whole number, 0 or more."""
    if not (text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no whole number from 0 on")
    return int(text)


def positive_count(text: str) -> int:
    """An argparse `type`: a whole number above 0."""
    if not (text.isascii() and text.isdecimal() and int(text[:10]) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)
