"""Enough of `machine` for `board/`: pins say what they do, converters read a constant."""

import json
import sys

COUNTS = {26: 49_240, 27: 34_754, 4: 49_240, 5: 34_754}


def say(**content):
    print(json.dumps(content))


class Pin:
    OUT, IN, PULL_UP = 1, 0, 2

    def __init__(self, number, mode=None, pull=None, value=None):
        self.number = number
        if mode == self.OUT:
            say(made=number, level=value)

    def value(self, level=None):
        if level is None:
            return 1
        say(pin=self.number, level=level)
        return None


class ADC:
    ATTN_11DB = 3

    def __init__(self, pin, atten=None):
        self._counts = COUNTS[pin.number]
        if atten is not None:
            say(attenuated=pin.number, atten=atten)

    def read_u16(self):
        return self._counts

    def read_uv(self):
        return self._counts * 3_300_000 // 65_535


class WDT:
    def __init__(self, timeout):
        say(watchdog_ms=timeout)

    def feed(self):
        pass


class RTC:
    def datetime(self, moment):
        say(clock=moment)


def reset():
    say(reset=1)
    sys.exit(3)
