"""`board/start.py` of a node that has no board: MicroPython on a PC, with fake inputs and outputs.

It stands where `board/` stands on the flash of a real node; everything else is the same files.
The current folder is the node's flash. Lines of JSON come in on standard input:

    {"hour": {"load_wh": 800, "pv_wh": 300}}     an hour of the home's profile flows at once
    {"read": 1470085200000}                      an hour ends now: sign the registers as of it
    {"power_mw": -12000}                         from now on this flows (real time)
    {"values": {"power_mw": -12000, "u_mv": 231000, "i_ma": 52}}   tell these, count nothing
    {"counts": [40000, 33000]}                   from now on the converters read this
    {"button": 1}                                somebody presses the plug's button
    {"memory": 1}                                tell how the heap stands, in bytes

and go out on standard output: `started`, `enrolment`, `restarting`, `obeyed` after each order,
`refused` after a line that is none, and a line for every change of a pin. The node ends with its
input.
"""

import asyncio
import gc
import json
import ssl
import sys
import time

from drivers.adc_sensors import DirectSensors, LeadAcidCharge
from drivers.outputs import Outputs, Relay
from meternode.authorities import client_context
from meternode.clock import Clock, UnwrappedTicks
from meternode.energy import Integrator
from meternode.flash import read_bytes
from meternode.node import Sample
from meternode.registers import Registers
from meternode.sensors import Calibration, DirectCurrent, DirectVoltage
from meternode.startup import load_settings, prepare

ROOT = "./"
SAMPLES_PER_HOUR = 60
MINUTE_MS = 60_000
BUS_SAMPLE_MS = 100
CALIBRATED = Calibration(is_done=True)
TLS_BUFFER_BYTES = 16_717, 4_429
"""What a TLS connection takes of a board's heap, in two pieces: a record in and a record out. The
Unix port has that elsewhere, so it is held here."""
HANDSHAKE_PIECES, HANDSHAKE_PIECE_BYTES = 24, 512
"""Keys and certificates of a handshake, until the first answer; an estimate."""


class FakeConverter:
    """An analogue input that reads what it was told."""

    def __init__(self, counts):
        self.counts = counts

    def read_u16(self):
        """See machine.ADC."""
        return self.counts


class FakePin:
    """A digital output that says when it changes."""

    def __init__(self, name, clock):
        self._name = name
        self._clock = clock
        self._level = None

    def value(self, level):
        """See machine.Pin; relays are active low."""
        if self._level is not None and level != self._level:
            say({"pin": self._name, "closed": 1 - level, "t": self._clock.now_ms()})
        self._level = level


class PcHardware:
    """What `App` asks of a board."""

    def __init__(self, clock):
        self.power_mw = None
        self._tls_buffers = {}
        self._handshake = None
        self._tls = client_context(ssl, read_bytes(ROOT + "ca.der"))
        self.converters = (FakeConverter(0), FakeConverter(32_768))
        self._sensors = DirectSensors(
            *self.converters,
            DirectVoltage(CALIBRATED),
            DirectCurrent(5, 1_650, CALIBRATED),
            LeadAcidCharge(11_800, 12_700),
        )
        names = ("out", "in", "led", "plug")
        self._outputs = Outputs(**{name: Relay(FakePin(name, clock)) for name in names})

    def read(self):
        """The profile's power if one flows, else what the fake converters read."""
        return self._sensors.read() if self.power_mw is None else Sample(self.power_mw)

    def set_outputs(self, wanted):
        """Put the fake relays there."""
        self._outputs.set(wanted)

    def feed_watchdog(self):
        """A PC has none; what a board's handshake took is free again."""
        self._handshake = None

    def told_time(self, now_ms):
        """A PC's clock is its own business."""

    def restart(self):
        """End, after the line `restarting`; whoever runs the node starts it again."""
        say({"restarting": 1})
        sys.exit()

    async def open_stream(self, host, port, is_tls):
        """A stream; TLS trusts the authorities in `ca.der` alone."""
        if not is_tls:
            return await asyncio.open_connection(host, port)
        self._tls_buffers.pop((host, port), None)  # the connection before is closed
        self._tls_buffers[host, port] = [bytearray(count) for count in TLS_BUFFER_BYTES]
        self._handshake = [bytearray(HANDSHAKE_PIECE_BYTES) for _ in range(HANDSHAKE_PIECES)]
        return await asyncio.open_connection(host, port, ssl=self._tls, server_hostname=host)


def say(content):
    """One line of JSON."""
    print(json.dumps(content))


def memory():
    """Bytes in use and free, and the longest free piece, as found by trying."""
    gc.collect()
    used, free = gc.mem_alloc(), gc.mem_free()
    piece = free
    while True:
        try:
            bytearray(piece)
            return {"used": used, "free": free, "piece": piece}
        except MemoryError:
            piece -= 1 + (piece >> 5)


class Driver:
    """Standard input, line by line."""

    def __init__(self, node, hardware):
        self._node = node
        self._hardware = hardware
        self._profile = Integrator(node.metering.registers, MINUTE_MS)
        self._profile_ms = 0

    async def run(self):
        """Obey until the input ends."""
        reader = asyncio.StreamReader(sys.stdin)
        while True:
            line = await reader.readline()
            if not line:
                return
            self._take(line)

    def _take(self, line):
        """Obey, or say that it is no order: a person types these lines, and may mistype."""
        try:
            order = json.loads(line)
        except ValueError:
            order = None
        if isinstance(order, dict):
            self.obey(order)
        else:
            say({"refused": "no JSON object"})

    def obey(self, order):
        """One line."""
        if "hour" in order:
            self._flow(order["hour"]["pv_wh"] - order["hour"]["load_wh"])
        if "read" in order:
            self._node.metering.end_interval(order["read"], True)
        if "values" in order:
            self._node.show(Sample(**order["values"]))
        if "power_mw" in order:
            self._hardware.power_mw = order["power_mw"]
        if "counts" in order:
            for converter, counts in zip(self._hardware.converters, order["counts"]):
                converter.counts = counts
        if "button" in order:
            self._node.plug.press()
        if "memory" in order:
            say({"memory": memory()})
        say({"obeyed": sorted(order)})

    def _flow(self, surplus_wh):
        """An hour of the profile as minutes of power into the registers."""
        self._profile.sample(0, self._profile_ms)
        for _ in range(SAMPLES_PER_HOUR):
            self._profile_ms += MINUTE_MS
            self._profile.sample(-surplus_wh * 1_000, self._profile_ms)


async def keep_bus(node, clock, power_mw):
    """The other side of the relays: while one is closed, so much flows through it.

    A bus of its own beside the grid connection, so the registers do not see it. It stands still
    while the machine does: a sample that comes late counts as one in time, else a PC that was
    busy for a moment would measure an overrun.
    """
    bus = Integrator(Registers(), BUS_SAMPLE_MS)
    while True:
        relays = node.relays()
        flow_mw = power_mw if relays["in"] else -power_mw if relays["out"] else 0
        ticks_ms = clock.ticks_ms()
        flowed_ms = min(bus.sample(flow_mw, ticks_ms), BUS_SAMPLE_MS)
        node.transfers.sample(flow_mw, flowed_ms, ticks_ms)
        node.tick()
        await asyncio.sleep(BUS_SAMPLE_MS / 1000)


async def must_go_on(part):
    """A part of the node that ends takes the node with it: a board would start again."""
    try:
        await part
    except Exception as error:  # noqa: BLE001 - whatever it is, the node must not go on without
        sys.print_exception(error)
        sys.exit(1)


async def run():
    """The node, until standard input ends."""
    settings = load_settings(ROOT)
    clock = Clock(UnwrappedTicks(time.ticks_ms, time.ticks_diff))
    clock.set(time.time_ns() // 1_000_000)
    hardware = PcHardware(clock)
    app = prepare(settings, clock, hardware, ROOT)
    parts = [app.keep_ticking(), app.keep_signing(), app.keep_talking(), app.keep_updated()]
    if settings.board.get("samples", True):
        parts.append(app.keep_sampling())
    if "bus_power_mw" in settings.board:
        parts.append(keep_bus(app.node, clock, settings.board["bus_power_mw"]))
    tasks = [asyncio.create_task(must_go_on(part)) for part in parts]
    say({"started": settings.device, "version": app.node.state()["fw"]})
    await Driver(app.node, hardware).run()
    for task in tasks:
        task.cancel()


def main():
    """Entry point."""
    asyncio.run(run())
