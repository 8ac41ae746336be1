"""Memory of a whole node with 24 hours of readings in its outbox; for MicroPython.

cd firmware/src && python -m micropython_unix -X heapsize=192k ../measure_day.py
mpremote run firmware/measure_day.py        on a board that has an image and 1 MB of free flash

A day without the broker at one reading per 10 s, tier A; then a reset; then all of it is sent and
called stored. Prints one line of JSON; memory is what is in use after a garbage collection.
"""

import gc
import json
import os
import sys

sys.path[:0] = ["a", "."]

from meternode.app import App  # noqa: E402
from meternode.clock import Clock  # noqa: E402
from meternode.node import Node, Sample  # noqa: E402
from meternode.settings import Settings  # noqa: E402
from meternode.signing import HmacSigner  # noqa: E402
from meternode.slots import erase  # noqa: E402

FOLDER = "measured-day"
START_MS = 1_767_225_600_000
INTERVAL_MS, DAY_MS = 10_000, 86_400_000
POWER_MW = 1_800_000
LOOK_EVERY = 64
BURST = 16
SETTINGS = {
    "community": "measured",
    "device": "node-1",
    "account": "FON-0001-2",
    "tier": "A",
    "sample_ms": 1_000,
    "measure_ms": 60_000,
    "interval_ms": INTERVAL_MS,
    "broker_host": "127.0.0.1",
}


class Memory:
    """The most that was in use, and the least that was free."""

    def __init__(self):
        self.in_use_max, self.free_min = 0, 1 << 30

    def look(self):
        """After a collection: garbage is not in use."""
        gc.collect()
        self.in_use_max = max(self.in_use_max, gc.mem_alloc())
        self.free_min = min(self.free_min, gc.mem_free())


class Ticks:
    """Milliseconds since the start, moved by hand."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        return self.now


def started(clock):
    """The application as it runs on a board; its tasks are not, here each step is ours."""
    settings = Settings(SETTINGS)
    node = Node(settings, HmacSigner(bytes(32)), clock, FOLDER)
    return App(node, settings, clock, None, token="", root="")


def fill(app, ticks, memory):
    """A day away from the broker."""
    node = app.node
    for number in range(DAY_MS // INTERVAL_MS + 1):
        ticks.now = number * INTERVAL_MS
        node.sample(Sample(POWER_MW))
        node.tick()
        node.metering.sign_all()
        if number % LOOK_EVERY == 0:
            memory.look()


def drain(app, memory):
    """The broker is back, and the gateway stores what it gets."""
    app.node.connected()
    metering, sent = app.node.metering, 0
    while metering.waiting():
        found = metering.readings_to_send(BURST)
        for seq, _ in found:
            metering.sent(seq)
        sent += len(found)
        metering.stored([(found[0][0], found[-1][0])])
        if sent % LOOK_EVERY < BURST:
            memory.look()
    return sent


def flash_bytes():
    """What the outbox takes there."""
    folder = FOLDER + "/outbox/"
    return sum([os.stat(folder + name)[6] for name in os.listdir(folder)])


def main():
    """Fill, reset, drain; the figures."""
    erase(FOLDER)
    memory, ticks = Memory(), Ticks()
    clock = Clock(ticks)
    clock.set(START_MS)
    app = started(clock)
    memory.look()
    empty = memory.in_use_max
    fill(app, ticks, memory)
    waiting, flash = app.node.metering.waiting(), flash_bytes()
    app = None
    app = started(clock)
    memory.look()
    sent = drain(app, memory)
    erase(FOLDER)
    figures = {"waiting": waiting, "sent": sent, "flash_bytes": flash}
    figures["empty_bytes"] = empty
    figures["in_use_max_bytes"], figures["free_min_bytes"] = memory.in_use_max, memory.free_min
    print(json.dumps(figures))


main()
