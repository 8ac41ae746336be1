"""A charger's program by the hour: what it signs and switches while others fail."""

import asyncio
import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, time

import httpx
import pytest

from chaincode.energy.hours import HOUR_MS
from gateway.agent import charger_process
from gateway.agent.charger import Charger
from gateway.agent.charger_process import ChargerProcess, NothingSent, SignedThroughGateway
from gateway.agent.checks import NotWhatIAsked
from gateway.agent.client import OrderRefused
from gateway.mqtt.device_messages import DONE, FAILED
from tests.support.conditions import until
from tests.support.paced_loop import stopped
from tests.unit.gateway.test_charger_nights import SETTINGS, ms

REFUSED = OrderRefused(502, "no answer of a gateway", "text/html", None)
WAIT_S = 60.0


@dataclass
class Client:
    """In the place of a `HouseholdClient`; `prepare` and `sending` may raise."""

    prepare: Callable[[], object] = lambda: None
    sending: Callable[[], object] = lambda: None
    sent: list[dict] = field(default_factory=list)

    async def signed(self, _function, args):
        self.prepare()
        return json.loads(args[0])

    async def send(self, signed, *, wait):
        assert wait
        self.sending()
        self.sent.append(signed)
        return "o-1"


@dataclass
class Street:
    """A clock that only sleeping moves, until `ends_ms`; a relay and a gateway."""

    now_ms: int
    ends_ms: int
    client: Client = field(default_factory=Client)
    relay_status: str = DONE
    switched: list[tuple[int, bool]] = field(default_factory=list)

    async def sleep_until(self, instant_ms, _):
        if instant_ms > self.ends_ms:
            await asyncio.Event().wait()
        self.now_ms = max(self.now_ms, instant_ms)

    def answer(self, request):
        if request.method == "POST":
            self.switched.append((self.now_ms, json.loads(request.content)["on"]))
            return httpx.Response(202, headers={"Location": "/v1/commands/1"})
        if request.url.path == "/v1/commands/1":
            return httpx.Response(200, json={"status": self.relay_status, "reason": "no answer"})
        return httpx.Response(404)

    @asynccontextmanager
    async def running(self, settings, monkeypatch):
        monkeypatch.setattr(charger_process, "RETRY_S", 0)
        monkeypatch.setattr(charger_process, "clock_ms", lambda: self.now_ms)
        monkeypatch.setattr(charger_process, "sleep_until", self.sleep_until)
        monkeypatch.setattr(charger_process, "HouseholdClient", lambda *_: self.client)
        transport = httpx.MockTransport(self.answer)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            running = asyncio.create_task(ChargerProcess(settings, http, http).run())
            try:
                yield
                assert not running.done()
            finally:
                await stopped(running)


def raising(error):
    def fail():
        raise error

    return fail


def test_a_relay_without_power_by_day_keeps_no_order_back(tmp_path, monkeypatch):
    street = Street(ms(15, 12), ms(15, 18), relay_status=FAILED)

    async def play() -> None:
        async with street.running(replace(SETTINGS, state=tmp_path / "n.json"), monkeypatch):
            await until(lambda: street.client.sent, timeout_s=WAIT_S)
            await until(lambda: len(street.switched) > 2, timeout_s=WAIT_S)

    asyncio.run(play())
    assert len(street.client.sent) == 1


def test_a_relay_opens_after_the_last_whole_hour(tmp_path, monkeypatch):
    settings = replace(
        SETTINGS, state=tmp_path / "n.json", ends=time(20, 30), energy_wh=3_650, power_w=3_650
    )
    street = Street(ms(15, 12), ms(15, 22))

    async def play() -> None:
        async with street.running(settings, monkeypatch):
            await until(lambda: len(street.switched) > 2, timeout_s=WAIT_S)

    asyncio.run(play())
    assert street.switched[:3] == [(ms(15, 12), False), (ms(15, 19), True), (ms(15, 20), False)]


def test_a_refused_order_is_tried_again_while_the_car_charges(tmp_path, monkeypatch):
    settings = replace(
        SETTINGS, state=tmp_path / "n.json", ends=time(22), energy_wh=10_950, power_w=3_650
    )
    street = Street(ms(15, 19, 1), ms(15, 19, 59))
    street.client.prepare = lambda: None if street.switched else raising(REFUSED)()

    async def play() -> None:
        async with street.running(settings, monkeypatch):
            await until(lambda: street.client.sent, timeout_s=WAIT_S)

    asyncio.run(play())
    assert street.switched == [(ms(15, 19, 1), True)]
    (order,) = street.client.sent
    assert (order["from_ms"], order["listings_max"]) == (ms(15, 20), 2)


def test_what_may_have_left_is_not_signed_again(tmp_path, monkeypatch):
    street = Street(ms(15, 12), ms(15, 18))
    tries = []

    def lose():
        tries.append(1)
        raise httpx.ReadTimeout("lost")

    street.client.sending = lose

    async def play() -> None:
        async with street.running(replace(SETTINGS, state=tmp_path / "n.json"), monkeypatch):
            await until(lambda: street.switched, timeout_s=WAIT_S)

    asyncio.run(play())
    assert tries == [1]


@pytest.mark.parametrize(
    ("client", "raised"),
    [
        (Client(prepare=raising(REFUSED)), NothingSent),
        (Client(prepare=raising(NotWhatIAsked("another"))), NothingSent),
        (Client(prepare=raising(httpx.ReadTimeout("late"))), NothingSent),
        (Client(sending=raising(httpx.ConnectTimeout("late"))), NothingSent),
        (Client(sending=raising(httpx.ConnectError("away"))), NothingSent),
        (Client(sending=raising(httpx.ReadTimeout("late"))), httpx.ReadTimeout),
        (Client(sending=raising(REFUSED)), OrderRefused),
    ],
)
def test_before_the_last_call_nothing_can_have_left(client, raised):
    async def play() -> None:
        with pytest.raises(raised):
            await SignedThroughGateway(client).submit("standing:place", "{}")

    asyncio.run(play())


def test_what_was_charged_meanwhile_is_not_bought_later():
    class Relay:
        async def switch(self, *, is_on):
            assert is_on

    charge = SETTINGS.night_of(date(2026, 1, 15))
    charger = Charger(charge, Client(), Relay(), price_max_utoken_per_kwh=1, budget_utoken=1)
    asyncio.run(charger.switch_for(charge.from_ms, 0))
    assert len(charger.expect({}, charge.from_ms + HOUR_MS)) == charge.hours_needed - 1
