"""The node's tasks on asyncio: sample, talk, keep the relays where they belong.

`hardware` has `read() -> Sample`, `set_outputs(relays)`, `feed_watchdog()`, `told_time(now_ms)`,
`restart()` and `async open_stream(host, port, is_tls)`: `board/` for a board, `virtual/` for a PC.
"""

import asyncio
import gc

from meternode import slots
from meternode.link import Link
from meternode.manifest import BadUpdate, check_steps
from meternode.version import VERSION

RECONNECT_MS_MIN, RECONNECT_MS_MAX = 500, 30_000
WITHOUT_ROOM_MAX = 5
"""So often in a row the heap may have no room for a connection; then only a reset mends it."""
BURST = 4
"""Readings taken from flash at once, so held in memory as messages."""
IDLE_MS = 50
TICK_MS = 250
UPDATE_MS = 1_000
UPDATE_RETRY_MS = 3_600_000
"""A signed update that could not be fetched is tried again after this: trying costs the link."""


class App:
    """Runs one node until cancelled."""

    def __init__(self, node, settings, clock, hardware, *, token, root):
        self.node = self._node = node
        self._settings = settings
        self._clock = clock
        self._hardware = hardware
        self._token = token
        self._root = root
        self._link = None
        self._is_lost = False
        self._fetching, self._closed = asyncio.Event(), asyncio.Event()
        self._talking = asyncio.Event()
        self._talking.set()
        self._fetch_from_ms = 0

    async def run(self):
        """Sample and talk for ever."""
        await asyncio.gather(
            self.keep_sampling(),
            self.keep_ticking(),
            self.keep_signing(),
            self.keep_talking(),
            self.keep_updated(),
        )

    async def keep_sampling(self):
        """One sample per period, on a grid that does not drift."""
        next_ms = self._clock.ticks_ms()
        while True:
            self._node.sample(self._hardware.read())
            self.apply_outputs()
            next_ms += self._settings.sample_ms
            behind_ms = self._clock.ticks_ms() - next_ms
            if behind_ms > 0:
                next_ms += behind_ms // self._settings.sample_ms * self._settings.sample_ms
            await asyncio.sleep(max(0, next_ms - self._clock.ticks_ms()) / 1000)

    async def keep_ticking(self):
        """What must happen by time alone."""
        while True:
            self._node.tick()
            self.apply_outputs()
            await asyncio.sleep(TICK_MS / 1000)

    async def keep_signing(self):
        """Sign readings in small steps, so that sampling and relays go on meanwhile."""
        while True:
            is_working = self._node.metering.sign_step()
            await asyncio.sleep(0 if is_working else IDLE_MS / 1000)

    async def keep_updated(self):
        """Install what the community signed, between transfers; keep it once it has worked."""
        node = self._node
        while True:
            if node.metering.has_been_stored and slots.confirm(self._root):
                print("update: version", VERSION, "stays")
            is_time = self._clock.ticks_ms() >= self._fetch_from_ms
            if node.update_offer is not None and is_time and node.transfers.is_idle():
                offer, node.update_offer = node.update_offer, None
                await self._update(offer)
            await asyncio.sleep(UPDATE_MS / 1000)

    async def _update(self, offer):
        if not self._settings.update_key:
            return
        try:
            terms = offer, self._settings.update_key, VERSION
            manifest = await self._checked(check_steps(*terms))
            await self._install(manifest)
        except (BadUpdate, OSError, MemoryError) as error:
            print("update: refused:", error)
            return  # retained: after the fetch it comes with the next connection
        print("update: starting version", manifest.version)
        self._hardware.restart()

    async def _checked(self, steps):
        """Run a check to its end, with sampling and signing in between."""
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value
            await asyncio.sleep(0)

    async def _install(self, manifest):
        """Fetch it while the link is closed: a Pico W has no room for two TLS connections."""
        self._fetch_from_ms = self._clock.ticks_ms() + UPDATE_RETRY_MS
        self._closed.clear()
        self._talking.clear()
        self._fetching.set()
        try:
            await self._closed.wait()
            if not self._node.transfers.is_idle():
                raise OSError("a transfer came first")
            gc.collect()
            from meternode import update  # noqa: PLC0415 - only now is there room for it
            from meternode.http_get import Getter  # noqa: PLC0415

            await update.install(manifest, Getter(self._hardware.open_stream).fetch, self._root)
        finally:
            self._fetching.clear()
            self._talking.set()

    async def keep_talking(self):
        """Connect, and again after each loss; a loss and the return are told once each."""
        pause_ms = RECONNECT_MS_MIN
        without_room = 0
        while True:
            try:
                await self._talk()
            except MemoryError as error:  # TLS needs 17 KB in one piece; what lies about may go
                without_room += 1
                if without_room > WITHOUT_ROOM_MAX:
                    raise
                self._lose(error)
            except (OSError, asyncio.TimeoutError) as error:
                self._lose(error)
            if self._link.heard_ms is not None:
                pause_ms = RECONNECT_MS_MIN
                without_room = 0
            await self._link.close()
            gc.collect()
            await asyncio.sleep(pause_ms / 1000)
            self._closed.set()
            await self._talking.wait()
            pause_ms = min(2 * pause_ms, RECONNECT_MS_MAX)

    def _lose(self, error):
        if not self._is_lost:
            print("link: lost:", error)
        self._is_lost = True

    async def _talk(self):
        settings = self._settings
        self._link = link = Link(
            open_stream=self._open_broker,
            identity=(settings.device, self._token),
            will=(settings.topic("state"), _lost(settings.device)),
            on_message=self._receive,
            ticks_ms=self._clock.ticks_ms,
        )
        topics = [settings.topic(leaf) for leaf in ("cmd", "stored", "ota")]
        topics.append(settings.time_topic())
        await link.connect(topics)
        if self._is_lost:
            print("link: back")
        self._is_lost = False
        self._node.connected()
        parts = (link.receive(), link.ping(), self._send(), self._until_fetching())
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            await _first_to_end(tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _until_fetching(self):
        await self._fetching.wait()
        raise OSError("closed for an update")

    async def _open_broker(self):
        host, port = self._settings.broker_host, self._settings.broker_port
        return await self._hardware.open_stream(host, port, is_tls=True)

    async def _send(self):
        """Answers and events before readings; readings oldest first."""
        node, link = self._node, self._link
        while True:
            while node.outgoing:
                leaf, payload = node.outgoing[0]
                await link.publish(self._settings.topic(leaf), payload.encode(), leaf == "state")
                if node.outgoing and node.outgoing[0][1] is payload:
                    node.outgoing.pop(0)
                if leaf == "event":
                    node.commands.told(payload, self._clock.now_ms())
                self._hardware.feed_watchdog()
            readings = node.metering.readings_to_send(BURST)
            for seq, payload in readings:
                await link.publish(self._settings.topic("reading"), payload)
                node.metering.sent(seq)
                self._hardware.feed_watchdog()
            if not readings:
                await asyncio.sleep(IDLE_MS / 1000)
            if link.heard_ms is not None:
                node.transfers.heard(link.heard_ms)

    def _receive(self, topic, payload):
        leaf = topic.split("/")[-1]
        self._node.receive(leaf, payload)
        if leaf == "time" and self._clock.is_set():
            self._hardware.told_time(self._clock.now_ms())
        self.apply_outputs()  # a relay follows its command at once

    def apply_outputs(self):
        """Put the relays where the node wants them."""
        self._hardware.set_outputs(self._node.relays())


def _lost(device):
    return f'{{"v":1,"d":"{device}","state":"lost"}}'.encode()


async def _first_to_end(tasks):
    """Wait for the first of some tasks to fail; raises `OSError` with what it raised."""
    ended = asyncio.Event()
    failures = []

    async def watch(task):
        try:
            await task
        except Exception as error:  # noqa: BLE001 - also a lack of memory ends the connection
            failures.append(error)
        ended.set()

    watchers = [asyncio.create_task(watch(task)) for task in tasks]
    try:
        await ended.wait()
    finally:
        for watcher in watchers:
            watcher.cancel()
    raise OSError(repr(failures[0]) if failures else "a task of the link ended")
