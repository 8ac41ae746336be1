"""A node whose time leaps: the whole firmware on MicroPython, an hour in half a second.

Run in a node's flash instead of `main.py`. Everything is the firmware's own, `App` with all its
tasks included, but the clock under it: as long as nothing is to be done it goes on to the next
timer at once. While an answer of the broker is owed it runs as on the wall, and so it does when
it has come as far as it was told to. One order beside those of `virtual/start.py`:

    {"leap": 1470085200000}    go on until the time of day is this, and say `reached`
"""

import asyncio
import gc
import sys
import time
from asyncio import core

sys.path.insert(0, "a")
gc.threshold(8_192)  # as main.py does

from board.start import ROOT, Driver, PcHardware, must_go_on, say
from meternode import mqtt_packets
from meternode.clock import Clock
from meternode.node import Sample
from meternode.startup import load_settings, prepare

LEAP_MS_MIN = 5_000
"""Like a board that was busy for so long. Each look at the sockets takes a millisecond."""
ASKING = ("connect", "subscribe", "publish", "pingreq")
ANSWERS = (
    mqtt_packets.CONNACK,
    mqtt_packets.SUBACK,
    mqtt_packets.PUBACK,
    mqtt_packets.PINGRESP,
)


class LeapingTicks:
    """`time.ticks_ms` and whatever was leapt over; no wrap, a PC's words have 64 bits.

    The scheduler's part in C reads `time.ticks_ms` itself to say "now": earlier, so as good.
    """

    def __init__(self):
        self._leapt_ms = 0
        self.until = 0
        self.owed = 0

    def __call__(self):
        return time.ticks_ms() + self._leapt_ms

    def leap(self, wanted_ms):
        """False when time may not leap now."""
        room_ms = self.until - self()
        if self.owed > 0 or room_ms <= 0:
            return False
        self._leapt_ms += min(max(wanted_ms, LEAP_MS_MIN), room_ms)
        return True


class LeapingQueue(core.IOQueue):
    """What waits for sockets: before it waits, time may leap."""

    def __init__(self, ticks):
        super().__init__()
        self._ticks = ticks

    def wait_io_event(self, dt):
        """See asyncio.core; what can run at once need not look."""
        if dt == 0:
            return
        first = core._task_queue.peek()
        super().wait_io_event(0)
        if core._task_queue.peek() is first and not self._ticks.leap(dt):
            super().wait_io_event(dt)


class LeapingHardware(PcHardware):
    """A PC's, that says what time it was told.

    Its sensor sees what the profile says and what flows over a bus: `bus_power_mw` while a relay
    is closed, out or in.
    """

    def __init__(self, clock, ticks, bus_power_mw):
        super().__init__(clock)
        self._ticks = ticks
        self._bus_power_mw = bus_power_mw
        self._relays = {"in": False, "out": False}
        self.power_mw = 0

    def set_outputs(self, wanted):
        """And what flows follows them."""
        self._relays = wanted
        super().set_outputs(wanted)

    def read(self):
        """Of the grid and the bus together; without a power, what the converters read."""
        if self.power_mw is None:
            return super().read()
        sign = int(self._relays["in"]) - int(self._relays["out"])
        return Sample(self.power_mw + sign * self._bus_power_mw)

    def told_time(self, now_ms):
        """As the node has it now."""
        say({"told": now_ms})

    async def open_stream(self, host, port, is_tls):
        """While it connects, time does not leap."""
        self._ticks.owed = 1
        try:
            return await super().open_stream(host, port, is_tls)
        finally:
            self._ticks.owed = 0


class LeapingDriver(Driver):
    """Standard input, with the order to leap."""

    def __init__(self, node, hardware, clock):
        super().__init__(node, hardware)
        self._clock = clock
        self._leaping = None

    def obey(self, order):
        """One line."""
        if "leap" in order:
            self._leaping = asyncio.create_task(must_go_on(self._leap(order["leap"])))
        super().obey(order)

    async def _leap(self, until_ms):
        clock = self._clock
        while clock.now_ms() < until_ms:  # which may be put right on the way
            clock.ticks_ms.until = clock.ticks_ms() + until_ms - clock.now_ms()
            await asyncio.sleep((until_ms - clock.now_ms()) / 1000)
        metering = self._node.metering
        told = {"reached": until_ms, "registers": metering.registers.record()}
        say(dict(told, waiting=metering.waiting()))


def watch_answers(ticks):
    """Count what the broker owes; both ends of the link use these functions by their names."""

    def asking(encode):
        def counted(*arguments):
            ticks.owed += 1
            return encode(*arguments)

        return counted

    for name in ASKING:
        setattr(mqtt_packets, name, asking(getattr(mqtt_packets, name)))
    read = mqtt_packets.read_packet

    async def counted(reader):
        first, body = await read(reader)
        if first >> 4 in ANSWERS:
            ticks.owed -= 1
        return first, body

    mqtt_packets.read_packet = counted


async def run(ticks):
    """The node, until standard input ends."""
    settings = load_settings(ROOT)
    clock = Clock(ticks)
    clock.set(settings.board["starts_ms"])
    hardware = LeapingHardware(clock, ticks, settings.board.get("bus_power_mw", 0))
    app = prepare(settings, clock, hardware, ROOT)
    task = asyncio.create_task(must_go_on(app.run()))
    say({"started": settings.device})
    await LeapingDriver(app.node, hardware, clock).run()
    task.cancel()


def main():
    """Put the leaping time under asyncio, then go."""
    ticks = LeapingTicks()
    watch_answers(ticks)
    core.ticks = ticks
    core._io_queue = LeapingQueue(ticks)
    asyncio.run(run(ticks))


main()
