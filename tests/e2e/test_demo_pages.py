"""Behind the demo's two links: every page opens, shows data, and the data moves."""

import asyncio
import email
import email.policy
import re
from itertools import pairwise

import pytest

from gateway.agent.client import HouseholdClient, OrderRefused
from gateway.mqtt.connection import connected
from gateway.mqtt.topics import discovery_topic, market_topic
from gateway.settings import MqttSettings
from tests.e2e.scene import HOUSEHOLDS, Scene, asking, play

pytestmark = pytest.mark.slow
SECONDS_MAX = 60
AWAY = f"meter-{HOUSEHOLDS:02d}"
"""The meter that the demo keeps out of reach for a while."""
ABOVE_ZERO = r"(?!0\.00\b)\d+\.\d\d"
HOUSEHOLD_PAGES = {
    "/": (
        rf'id="price-now".*?{ABOVE_ZERO}',
        r'id="saving".*?figure good',
        "data-countdown|closed",
    ),
    "/market": (r'id="orders-live".*?settled', "<table"),
    "/marketplace": (
        'data-label="Buy"',
        r'class="own"[^>]*data-post.*?data-label="Purchased".*?kWh delivered',
        'data-label="Request to Sell"',
    ),
    "/meter": (
        r'id="gauge-power" data-range="good".*?figure">\d',
        r'id="gauge-voltage" data-range="good".*?figure">2\d\d\.\d',
        rf'data-register="export">{ABOVE_ZERO}',
        rf'data-sum="exported">{ABOVE_ZERO}',
        r'data-device="water-heater-01".*?data-wh="[1-9]\d*"',
        r'data-device="fridge-01".*?data-wh="[1-9]\d*"',
    ),
    "/meter?kind=month": (rf'data-sum="exported">{ABOVE_ZERO}',),
    "/production": (
        r'data-source="pv-01"',
        r'data-battery="battery-01" data-range="(good|warn|bad)".*?data-charge="\d+"',
        r'id="charge-1-table".*?data-y="\d',
        r'data-told="[1-9]\d*".*?id="produced-1-table"',
        r'data-told="[1-9]\d*".*?id="flows-1-table"',
    ),
    "/production?kind=month": (r'data-told="[1-9]\d*".*?id="produced-1-table"',),
    "/devices": tuple(
        rf'data-device="{name}".*?data-state>online'
        for name in ("meter-01", "pv-meter-01", "battery-01", "fridge-01", "water-heater-01")
    ),
    "/account": (r"data-transaction=", r"statement-2016-08|/v1/settlements"),
    "/notices": (r"settled|match",),
    "/notices/webhooks": (r"<form",),
    "/standing?side=offer": (r'data-argument="\d"',),
    "/receipt": (r'type="file"',),
    "/terms": (r'id="agreed">(?:(?!another text)(?!</p>).)*</p>',),
    "/enrol": (r"<form",),
    "/explorer": (r"data-block=", r"data-transaction="),
    "/explorer/households/FON-0001-2": (r"data-transaction=",),
}
MANAGER_PAGES = {
    "/": (r"figure",),
    "/market": (r"<table",),
    "/console": ("All money adds up",),
    "/console/members": (rf'data-idgrid="FON-000{HOUSEHOLDS}-',),
    "/console/meters": (
        r'data-device="battery-01".*?>online<',
        r'data-device="meter-01".*?>online<.*?data-permille="\d+"',
    ),
    "/console/listings": (r'data-listing="2016-08-01T20"',),
    "/console/prices": (
        r'data-price="feed_in".*?0\.0840.*?data-state="to_come"',
        r'data-price="retail".*?0\.2200.*?data-state="in_force"',
        r'data-price="feed_in"(?:(?!</li>).)*0\.0800(?:(?!</li>).)*data-state="in_force"',
    ),
    "/console/sharing": ("Version 2.*?to come.*?FON-0001-2.*?Version 1.*?by use",),
    "/console/statements": (r"2016-08.*?in order",),
    "/console/exports": (r"energy-2016-08\.csv",),
    "/console/security": (r'data-link="pv-meter-01"', r'data-link="fridge-01"'),
    "/console/audit": (r'data-action="\w+:\w+"',),
    "/console/audit?function=market:settle": (r'data-action="market:settle"',),
    "/manager/keys": (r"<form",),
    "/explorer": (r"data-block=",),
    "/explorer/blocks": (r"data-block=",),
    "/explorer/transactions": (r"data-transaction=",),
    "/explorer/events": (r"data-event=",),
    "/explorer/orders": (r"2016-08-01T20",),
    "/explorer/contracts": (r"energy",),
    "/explorer/members": (r"CooperativeMSP",),
}


async def opened(it: Scene, pages: dict[str, tuple[str, ...]], session: dict[str, str]) -> None:
    """Each page answers and shows what is asked of it."""
    missing = []
    for path, patterns in pages.items():
        answer = await it.http.get(path, headers=session)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])
        missing += [
            f"{path}: {pattern}"
            for pattern in patterns
            if not re.search(pattern, answer.text, re.DOTALL)
        ]
    assert missing == []


def test_every_page_of_the_household_shows_data(demo):
    async def scene(it: Scene) -> None:
        await opened(it, HOUSEHOLD_PAGES, await it.household_session())

    play(demo, scene)


def test_every_page_of_the_manager_shows_data(demo):
    async def scene(it: Scene) -> None:
        await opened(it, MANAGER_PAGES, await it.manager_session())

    play(demo, scene)


@pytest.mark.parametrize("device", ["meter-01", "pv-meter-01", "battery-01", "fridge-01"])
def test_values_go_on_moving_after_the_summary(demo, device):
    async def scene(it: Scene) -> None:
        session, path = await it.household_session(), f"/v1/devices/{device}/measurements"

        async def newest() -> dict[str, int | None]:
            answer = await it.http.get(path, headers=session)
            return answer.raise_for_status().json()[-1]

        async def has_moved() -> bool:
            return (await newest())["t_ms"] > first["t_ms"]

        first = await newest()
        await asking(has_moved, timeout_s=SECONDS_MAX)
        told = {name for name, value in (await newest()).items() if value is not None}
        assert {"u_mv", "i_ma", "p_mw"} <= told

    play(demo, scene)


def test_one_meter_was_silent_and_came_back(demo):
    async def scene(it: Scene) -> None:
        alarms = (await it.http.get("/v1/alarms", headers=await it.manager_session())).json()
        silent = [one for one in alarms if one["kind"] == "silent" and one["device_id"] == AWAY]
        silent.sort(key=lambda one: one["number"])
        assert silent, alarms
        assert silent[0]["cleared_ms"] is not None
        for earlier, later in pairwise(silent):  # on a machine that is short of breath
            assert earlier["cleared_ms"] <= later["raised_ms"]
        mine = (await it.http.get("/v1/alarms", headers=await it.household_session())).json()
        assert all(one["device_id"] != AWAY for one in mine)

    play(demo, scene)


def test_a_transfer_went_over_the_relays_of_two_nodes(demo):
    async def scene(it: Scene) -> None:
        session = await it.household_session()
        found = (await it.http.get("/v1/transfers", headers=session)).json()
        assert {one["state"] for one in found} == {"done"}, found
        events = await it.http.get(
            f"/v1/transfers/{found[-1]['transfer_id']}/events", headers=session
        )
        assert sorted(one["event"] for one in events.json()) == ["start", "start", "stop", "stop"]
        assert {one["device_id"] for one in events.json()} == {"meter-01", "meter-02"}

    play(demo, scene)


def test_a_participant_is_found_by_the_address_that_mail_goes_to(demo):
    async def scene(it: Scene) -> None:
        address = f"home-01@{it.demo.settings.community.id}.example"
        answer = await it.http.get(
            "/v1/participants", params={"email": address}, headers=await it.manager_session()
        )
        assert [one["idgrid"] for one in answer.json()["items"]] == [it.idgrid(0)]
        caught = [
            email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            for path in sorted(it.demo.settings.mailbox.folder.glob("*.eml"))
        ]
        mine = [mail["Subject"] for mail in caught if mail["To"] == address]
        assert any("settled" in subject for subject in mine), mine

    play(demo, scene)


def test_neighbours_dealt_from_house_to_house_and_were_paid_by_their_meters(demo):
    async def scene(it: Scene) -> None:
        posts = (
            await it.http.get("/v1/marketplace/posts", headers=await it.manager_session())
        ).json()["items"]
        deals = [post for post in posts if post["state"] == "SETTLED"]
        assert deals, posts
        for deal in deals:
            assert (deal["seller_idgrid"], deal["buyer_idgrid"]) == (it.idgrid(0), it.idgrid(1))
            assert deal["delivery"] == "metered"
            assert 0 < deal["delivered_wh"] <= deal["energy_wh"]

    play(demo, scene)


def test_the_agent_of_the_household_that_sleeps_carried_out_its_standing_order(demo):
    async def scene(it: Scene) -> None:
        asleep = next(own for own in it.demo.settings.households if own.agent is not None)
        agent = asleep.agent.load()
        session = await it.manager_session()
        carried_out = await it.latest("standing:carry_out")
        shown = (await it.http.get(f"/v1/transactions/{carried_out[0]}", headers=session)).json()
        assert (shown["code"], shown["function"]) == ("VALID", "standing:carry_out")
        household = HouseholdClient(it.http, agent)
        with pytest.raises(OrderRefused) as refusal:
            await household.submit("tokens:redeem", ["1", "out"])
        assert refusal.value.code == "KEY_NOT_ACTIVE"
        orders = await it.actors["auditor"].evaluate("standing:get_orders", asleep.idgrid)
        assert [order["side"] for order in orders] == ["offer"]

    play(demo, scene)


def test_home_automation_hears_its_household(demo):
    async def scene(it: Scene) -> None:
        settings, own = it.demo.settings, it.demo.settings.households[0]
        broker = settings.broker
        as_household = MqttSettings(
            broker.host, broker.port, broker.ca, own.idgrid, own.broker_token
        )
        wanted = {
            discovery_topic(settings.community.id, own.idgrid),
            market_topic(settings.community.id, own.idgrid),
        }
        async with asyncio.timeout(SECONDS_MAX), connected(as_household) as client:
            for topic in wanted:
                await client.subscribe(topic, qos=1)
            heard = set()
            async for message in client.messages:
                heard.add(str(message.topic))
                if heard == wanted:
                    break

    play(demo, scene)
