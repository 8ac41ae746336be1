"""A car's charger with its own key and account: one night of charging, from plan to settlement."""

import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone

import httpx
import pytest

from chaincode.energy.hours import HOUR_MS
from gateway.agent.charger import Charger, PlugSwitch
from gateway.agent.charging import cost_utoken, overnight, plan
from gateway.application import create_app
from gateway.identity.scopes import Scope
from gateway.identity.sessions import Viewer
from gateway.mqtt.device_messages import packed
from tests.firmware.interpreter import FIRMWARE
from tests.support.ledger_actor import LedgerActor
from tests.unit.energy.community import Community, Household, hour_of, milliseconds, refuses
from tests.unit.energy.registry.test_signers import fingerprint
from tests.unit.gateway.hems import bearer, hems_of
from tests.unit.gateway.metering.data_service import Keys, Scene

sys.path[:0] = [str(FIRMWARE)]

from meternode.clock import Clock  # noqa: E402
from meternode.plug import Plug  # noqa: E402

VALPARAISO = timezone(timedelta(hours=-3))
CHARGE = overnight(
    date(2026, 1, 15),
    begins=time(19),
    ends=time(6),
    zone=VALPARAISO,
    energy_wh=21_900,
    power_w=3_650,
)
"""19:00 to 06:00, six hours at 3.65 kW (003:714)."""
RETAIL, NIGHT_RETAIL, WIND_ASKS = 102_000, 61_000, 40_000
PRICES = {hour: RETAIL if hour < CHARGE.hours[3] else NIGHT_RETAIL for hour in CHARGE.hours}
"""The evening tariff ends at 22:00."""
LIMIT, BUDGET = 90_000, 2_000_000
WALLET = 3_000_000


class Car:
    """The charger's hardware: the firmware's relay, and a car that takes full power through it."""

    def __init__(self, device_id: str, scene: Scene) -> None:
        self.device_id = device_id
        self._scene = scene
        self.plug = Plug(Clock(lambda: scene.now_ms))

    def obey(self) -> None:
        """Carry out what the gateway sends, and answer."""
        for command in self._scene.service.due(self._scene.now_ms):
            assert command.device_id == self.device_id
            assert self._scene.now_ms < command.message["expires"]
            assert self.plug.switch(command.message["on"])
            answer = {
                "v": 1,
                "d": self.device_id,
                "id": command.message["id"],
                "status": "done",
                "t": self._scene.now_ms,
                "on": int(self.plug.is_on),
            }
            self._scene.hear((f"{self.device_id}/ack", packed(answer)))


class Night:
    """The charger, a windmill that sells, a neighbour who buys, and their market."""

    def __init__(self) -> None:
        start = datetime.fromtimestamp(CHARGE.from_ms // 1_000, tz=UTC) - timedelta(minutes=30)
        self.community = Community.found(start=start.isoformat().replace("+00:00", "Z"))
        self.charger: Household = self.community.join(
            role="consumer", kind="ev_charger", tokens=WALLET
        )
        self.windmill = self.community.join(
            role="generator", kind="community_plant", source_type="wind"
        )
        self.neighbour = self.community.join(role="consumer")
        self.relay_on: list[int] = []
        self.charged_wh = 0
        self.paid_utoken = 0

    def name_keys(self):
        """The charger's own key is on record, and one for whoever carries its orders out."""
        ledger, idgrid = self.community.ledger, self.charger.idgrid
        attributes = {"role": "consumer", "idgrid": idgrid}
        agent = ledger.client("CoopMSP", f"{idgrid} agent", attributes=attributes)
        self.charger.client.submit("signers:add", fingerprint(agent), "agent")
        return agent

    async def run(self) -> None:
        """Plan, sign, charge, settle; then look back."""
        agent = self.name_keys()
        async with AsyncExitStack() as stack:
            hems = await stack.enter_async_context(hems_of(self.community))
            scene = Scene(Keys(*hems.meters.values()), now_ms=CHARGE.from_ms)
            services = replace(hems.services, hems=scene.service, clock_ms=lambda: scene.now_ms)
            scopes = frozenset({Scope.OWN_READ, Scope.DEVICES_SWITCH})
            viewer = Viewer(self.charger.idgrid, token_scopes=scopes)
            services.sessions.admit("the charger's token", viewer)
            transport = httpx.ASGITransport(create_app(services))
            http = await stack.enter_async_context(
                httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")
            )
            http.headers.update(bearer("the charger's token"))
            charger = Charger(
                CHARGE,
                LedgerActor(self.charger.client),
                PlugSwitch(http, self.charger.meter_id),
                price_max_utoken_per_kwh=LIMIT,
                budget_utoken=BUDGET,
            )
            order = await charger.sign(charger.expect(PRICES))
            self.planned = charger.planned
            car = Car(self.charger.meter_id, scene)
            for hour in CHARGE.hours:
                self._trade(hour, order, agent)
                scene.now_ms = hour
                is_on = await charger.switch_for(hour, self.charged_wh)
                car.obey()
                assert car.plug.is_on == is_on
                self._deliver(hour, is_on=is_on)
            scene.now_ms = CHARGE.until_ms
            await PlugSwitch(http, self.charger.meter_id).switch(is_on=False)
            car.obey()
            assert not car.plug.is_on
        self._nothing_more_is_possible(agent, order)

    def _trade(self, hour: int, order: str, agent) -> None:
        community, listing = self.community, _listing(hour)
        community.ledger.at(hour_of(listing) - timedelta(minutes=10))
        community.open(listing, cap_utoken_per_kwh=PRICES[hour])
        community.offer(self.windmill, 5_000, WIND_ASKS, listing)
        idgrid = self.charger.idgrid
        due = community.scheduler.evaluate("standing:due", listing)
        if hour not in self.planned:
            assert due == []
            refuses(
                community, "STANDING_LIMIT", agent, "standing:carry_out", listing, idgrid, order
            )
        else:
            assert due == [[idgrid, order]]
            agent.submit("standing:carry_out", listing, idgrid, order)
            refuses(community, "KEY_NOT_ACTIVE", agent, "market:place_bid", listing, 1_000, LIMIT)
        community.close_and_clear(listing)

    def _deliver(self, hour: int, *, is_on: bool) -> None:
        flows = {self.windmill.idgrid: (0, 5_000), self.neighbour.idgrid: (400, 0)}
        if is_on:
            self.relay_on.append(hour)
            self.charged_wh += CHARGE.power_w
            flows[self.charger.idgrid] = (CHARGE.power_w, 0)
        listing = _listing(hour)
        if hour == CHARGE.hours[0]:
            self.community.report(hour_of(listing))
        for home in self.community.households:
            imported_wh, exported_wh = flows.get(home.idgrid, (0, 0))
            home.import_wh += imported_wh
            home.export_wh += exported_wh
        self.community.report(hour_of(listing) + timedelta(hours=1))
        assert self.community.settle(listing)["state"] == "SETTLED"
        line = self.charger.client.evaluate("market:get_line", listing, self.charger.idgrid)
        assert line["imported_wh"] == line["bought_wh"] == (CHARGE.power_w if is_on else 0)
        self.paid_utoken += line["paid_utoken"]

    def _nothing_more_is_possible(self, agent, order: str) -> None:
        """The night's order is used up: not even in an hour it names."""
        listing = _listing(max(self.planned) + 24 * HOUR_MS)
        self.community.ledger.at(hour_of(listing) - timedelta(minutes=10))
        self.community.open(listing)
        carry_out = ("standing:carry_out", listing, self.charger.idgrid, order)
        refuses(self.community, "STANDING_LIMIT", agent, *carry_out)


def _listing(hour: int) -> str:
    return f"{datetime.fromtimestamp(hour // 1_000, tz=UTC):%Y-%m-%dT%H}"


@pytest.mark.row("E093")
def test_a_car_charges_six_hours_of_its_window_and_pays_from_its_own_account():
    night = Night()
    asyncio.run(night.run())
    assert len(night.relay_on) == 6
    assert night.relay_on == list(night.planned) == list(CHARGE.hours[3:9])
    local = [datetime.fromtimestamp(at // 1_000, tz=VALPARAISO).hour for at in night.relay_on]
    assert local == [22, 23, 0, 1, 2, 3], "inside 19:00 to 06:00, when it is cheap"
    assert night.charged_wh == 21_900
    assert night.charger.import_wh == 21_900, "its own meter says so"
    at_once = cost_utoken(plan(CHARGE, {}), PRICES)
    assert night.paid_utoken <= cost_utoken(night.planned, PRICES) < at_once
    account = night.community.account(night.charger)
    assert account["free_utoken"] == WALLET - night.paid_utoken
    assert (account["locked_utoken"], account["bought_wh"]) == (0, 21_900)
    assert 0 < night.paid_utoken <= BUDGET
    assert night.community.audit()["difference_utoken"] == 0
    assert milliseconds(night.community.ledger.now) > CHARGE.until_ms
