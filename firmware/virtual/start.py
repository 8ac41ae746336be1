"""`board/start.py` of a node that has no board: MicroPython on a PC, with fake inputs and outputs.

It stands where `board/` stands on the flash of a real node; everything else is the same files.
The current folder is the node's flash. Lines of JSON come in on standard input and go out on
standard output:

    {"hour": {"load_wh": 800, "pv_wh": 300}}     an hour of the home's profile flows at once
    {"read": 1470085200000}                      sign the registers as of this instant
    {"power_mw": -12000}                         from now on this flows (real time)
    {"counts": [40000, 33000]}                   from now on the converters read this
    {"button": 1}                                somebody presses the plug's button
"""

import asyncio
import json
import sys
import time

from drivers.adc_sensors import DirectSensors, LeadAcidCharge
from drivers.outputs import Outputs, Relay
from meternode.app import App
from meternode.clock import Clock, UnwrappedTicks
from meternode.keys import load_signer, load_token
from meternode.node import Node, Sample
from meternode.sensors import Calibration, DirectCurrent, DirectVoltage
from meternode.settings import Settings

SAMPLES_PER_HOUR = 60
HOUR_MS = 3_600_000
CALIBRATED = Calibration(is_done=True)


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

    def __init__(self, settings, clock):
        self._settings = settings
        self.power_mw = None
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
        """A PC has none."""

    async def open_stream(self):
        """TLS to the broker; plain only when the folder has no authority's certificate."""
        host, port = self._settings.broker_host, self._settings.broker_port
        context = tls_context()
        if context is None:
            return await asyncio.open_connection(host, port)
        return await asyncio.open_connection(host, port, ssl=context, server_hostname=host)


def tls_context():
    """A client's context that trusts `ca.pem` alone; None without that file."""
    import ssl  # noqa: PLC0415 - some ports lack it

    try:
        with open("ca.pem", "rb") as file:
            authority = file.read()
    except OSError:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority)
    return context


def say(content):
    """One line of JSON."""
    print(json.dumps(content))


class Driver:
    """Standard input, line by line."""

    def __init__(self, node, hardware):
        self._node = node
        self._hardware = hardware
        self._profile_ms = 0

    async def run(self):
        """Obey until the input ends."""
        reader = asyncio.StreamReader(sys.stdin)
        while True:
            line = await reader.readline()
            if not line:
                return
            self.obey(json.loads(line))

    def obey(self, order):
        """One line."""
        if "hour" in order:
            self._flow(order["hour"]["pv_wh"] - order["hour"]["load_wh"])
        if "read" in order:
            self._node.metering.end_interval(order["read"])
        if "power_mw" in order:
            self._hardware.power_mw = order["power_mw"]
        if "counts" in order:
            for converter, counts in zip(self._hardware.converters, order["counts"]):
                converter.counts = counts
        if "button" in order:
            self._node.plug.press()
        say({"obeyed": sorted(order)})

    def _flow(self, surplus_wh):
        """An hour of the profile as minutes of power through the integrator."""
        integrator, step_ms = self._node.metering.integrator, HOUR_MS // SAMPLES_PER_HOUR
        integrator.sample(0, self._profile_ms)
        for _ in range(SAMPLES_PER_HOUR):
            self._profile_ms += step_ms
            integrator.sample(-surplus_wh * 1_000, self._profile_ms)


async def run():
    """The node, until standard input ends."""
    with open("config.json") as file:
        settings = Settings(json.load(file))
    clock = Clock(UnwrappedTicks(time.ticks_ms, time.ticks_diff))
    clock.set(time.time_ns() // 1_000_000)
    hardware = PcHardware(settings, clock)
    signer = load_signer("keys", settings.tier)
    node = Node(settings, signer, clock, "state")
    app = App(node, settings, clock, hardware, load_token("keys"))
    driver = Driver(node, hardware)
    tasks = [asyncio.create_task(app.keep_ticking()), asyncio.create_task(app.keep_talking())]
    if settings.board.get("samples", True):
        tasks.append(asyncio.create_task(app.keep_sampling()))
    say({"started": settings.device, "version": node.state()["fw"], "kid": signer.key_id})
    await driver.run()
    for task in tasks:
        task.cancel()


def main():
    """Entry point."""
    asyncio.run(run())
