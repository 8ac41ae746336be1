"""After a lost connection: again, a little later each time, and each loss told once."""

import asyncio
import contextlib
import logging

import aiomqtt

from gateway.mqtt.collector import keep_collecting
from gateway.mqtt.device_messages import DeviceState
from tests.unit.gateway.metering.data_service import SILENT_AFTER_MS, Keys, Scene


class Line:
    """A broker whose connections last so many seconds each; its clock is set."""

    def __init__(self, *lasting_s: float) -> None:
        self.now_s = 0.0
        self.pauses_ms: list[int] = []
        self._lasting_s = iter(lasting_s)

    async def collect(self) -> None:
        try:
            self.now_s += next(self._lasting_s)
        except StopIteration:
            raise asyncio.CancelledError from None
        raise ExceptionGroup("lost", [aiomqtt.MqttError("gone")])

    async def pause(self, seconds: float) -> None:
        self.pauses_ms.append(round(seconds * 1_000))

    def run(self) -> None:
        work = keep_collecting(self.collect, pause=self.pause, clock_s=lambda: self.now_s)
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(work)


def test_a_good_connection_ends_the_long_pauses_and_its_loss_is_told(caplog):
    line = Line(0, 0, 0, 60, 0)
    with caplog.at_level(logging.WARNING):
        line.run()
    assert line.pauses_ms == [200, 400, 800, 200, 400]
    assert len(caplog.messages) == 2


def test_pauses_grow_to_their_limit_and_one_loss_is_one_line(caplog):
    line = Line(*[0] * 9)
    line.run()
    assert line.pauses_ms[-3:] == [10_000, 10_000, 10_000]
    assert len(caplog.messages) == 1


def test_a_device_that_sends_rubbish_is_silent_all_the_same():
    scene = Scene(Keys())
    scene.service.listening(scene.now_ms)
    good = b'{"v":1,"d":"plug","t":5,"p_mw":7}'
    scene.hear(("plug/measure", good))
    for _ in range(3):
        scene.now_ms += SILENT_AFTER_MS // 2
        scene.hear(("plug/measure", b"rubbish"), ("unheard/measure", b"rubbish"))
    assert [alarm.device_id for alarm in scene.service.watch(scene.now_ms)] == ["plug"]
    device = scene.stores.devices.get("plug")
    assert (device.refused, scene.now_ms - device.last_seen_ms) == (3, 3 * (SILENT_AFTER_MS // 2))
    scene.hear(("plug/measure", good.replace(b"5", b"6")))
    assert scene.stores.devices.get("plug").last_seen_ms == scene.now_ms
    assert scene.service.watch(scene.now_ms) == []


def test_rubbish_does_not_bring_a_lost_device_back():
    scene = Scene(Keys())
    books = scene.stores.devices
    books.heard(["m"], 1, states={"m": DeviceState("m", "lost")})
    books.heard([], 2, refused={"m": 1})
    assert books.get("m").state == "lost"
    books.heard(["m"], 3)
    assert books.get("m").state == "online"
