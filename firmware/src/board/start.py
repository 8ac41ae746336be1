"""A node on a board with Wi-Fi: Raspberry Pi Pico W and Pico 2 W, ESP32-S2 and ESP32-S3.

The watchdog resets a node whose sampling stands still, and one that for an hour got nothing
through to the broker: radios hang. Relays are open from the first line to the first command.
"""

import asyncio
import json
import ssl
import time

import machine
from meternode.authorities import client_context
from meternode.clock import Clock, UnwrappedTicks
from meternode.flash import Record, read_bytes
from meternode.startup import load_settings, prepare

import network
from board.kinds import WATCHDOG_MS, check_board
from board.pins import make_button, make_outputs, make_sensors

ROOT = ""
"""Boards start in the root of their flash."""
LINK_RESTART_MS = 3_600_000
JOIN_S, JOIN_STEP_S = 15, 0.5
SECONDS_1970_TO_2000 = 946_684_800


class Board:
    """What `App` asks of a board (meternode/app.py)."""

    def __init__(self, settings, outputs, ticks_ms):
        self._outputs = outputs
        self._ticks_ms = ticks_ms
        self._sensors = make_sensors(settings.board)
        self._is_button_held = make_button(settings.board)
        self._was_held = False
        self.on_button = lambda: None
        self._tls = client_context(ssl, read_bytes(ROOT + "ca.der"))
        self._wifi = json.loads(read_bytes(ROOT + "keys/wifi.json"))
        self._wlan = network.WLAN(network.STA_IF)
        self._through_ms = ticks_ms()
        self._watchdog = None

    def read(self):
        """One sample; feeds the watchdog and looks at the button on the way."""
        if self._watchdog and self._ticks_ms() - self._through_ms < LINK_RESTART_MS:
            self._watchdog.feed()
        is_held = self._is_button_held()
        if is_held and not self._was_held:
            self.on_button()
        self._was_held = is_held
        return self._sensors.read()

    def arm_watchdog(self):
        """From now on sampling must go on; it cannot be stopped again."""
        self._watchdog = machine.WDT(timeout=WATCHDOG_MS)

    def set_outputs(self, wanted):
        """Put the relays there."""
        self._outputs.set(wanted)

    def feed_watchdog(self):
        """The broker confirmed something: the link works."""
        self._through_ms = self._ticks_ms()

    def told_time(self, now_ms):
        """Set the board's own clock: TLS looks at it when it checks certificates."""
        set_clock(now_ms)

    def restart(self):
        """Start again, from `main.py`."""
        machine.reset()

    async def open_stream(self, host, port, is_tls):
        """A stream over Wi-Fi; TLS trusts the authorities in `ca.der` alone."""
        await self._join()
        if not is_tls:
            return await asyncio.open_connection(host, port)
        return await asyncio.open_connection(host, port, ssl=self._tls, server_hostname=host)

    async def _join(self):
        if self._wlan.isconnected():
            return
        self._wlan.active(True)
        self._wlan.connect(self._wifi["name"], self._wifi["password"])
        for _ in range(int(JOIN_S / JOIN_STEP_S)):
            if self._wlan.isconnected():
                return
            await asyncio.sleep(JOIN_STEP_S)
        raise OSError("no Wi-Fi")


def set_clock(now_ms):
    """Milliseconds since 1970 to the board's clock; ports count from 1970 or from 2000."""
    seconds = now_ms // 1_000
    if time.gmtime(0)[0] == 2000:
        seconds -= SECONDS_1970_TO_2000
    year, month, day, hour, minute, second, weekday = time.gmtime(seconds)[:7]
    machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))


def last_known_ms(settings):
    """The latest time this node can be sure has passed: a reading's, or when it was prepared.

    Without it a board wakes up years ago, where the broker's certificate is not valid yet.
    """
    stored = Record(ROOT + "state/registers").load()
    return max(settings.board.get("made_ms", 0), stored["t_end"] if stored else 0)


def main():
    """Run until something goes wrong that only a reset can mend; the watchdog sees to that."""
    settings = load_settings(ROOT)
    check_board(settings)
    outputs = make_outputs(settings.board)
    set_clock(last_known_ms(settings))
    clock = Clock(UnwrappedTicks(time.ticks_ms, time.ticks_diff))
    board = Board(settings, outputs, clock.ticks_ms)
    app = prepare(settings, clock, board, ROOT)
    board.on_button = app.node.plug.press
    board.arm_watchdog()  # a full outbox and a first key may take longer than it waits
    asyncio.run(app.run())
