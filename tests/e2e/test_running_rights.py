"""Who may trade and who may read, on the running system and over HTTP alone."""

import asyncio
import json
import time
from typing import Any

import pytest

from tests.e2e.delivery import Delivery
from tests.e2e.newcomers import Newcomer, newcomer
from tests.e2e.scene import HASH, Scene, asked, play, refused_with

pytestmark = pytest.mark.slow

GRANT, REVOKE = "access:grant", "access:revoke"
PLACE_OFFER, PLACE_BID = "market:place_offer", "market:place_bid"
SETTLED_HOUR = "2016-08-01T20"
"""The first hour of the demo."""


def offer(home: Newcomer, listing_id: str, energy_wh: int = 50) -> tuple[str, list[str]]:
    return PLACE_OFFER, [listing_id, home.res_id, str(energy_wh), "20000"]


def bid(listing_id: str, energy_wh: int = 50) -> tuple[str, list[str]]:
    return PLACE_BID, [listing_id, str(energy_wh), "50000"]


async def book(it: Scene, listing_id: str) -> list[tuple[str, int]]:
    """Side and energy of each order, in ledger order."""
    items = (await it.http.get(f"/v1/listings/{listing_id}/orders")).json()["items"]
    return [(item["side"], item["energy_wh"]) for item in items]


async def record(it: Scene, tx_id: str) -> dict[str, Any]:
    """A transaction as the manager sees it."""
    answer = await it.http.get(f"/v1/transactions/{tx_id}", headers=await it.manager_session())
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


@pytest.mark.row("E009")
def test_a_grant_is_announced_and_listed(demo):
    async def scene(it: Scene) -> None:
        home = await newcomer(it, "0901", leave_out={GRANT})
        meter_id = home.meter.meter_id
        granted = await record(
            it, await home.client.submit(GRANT, ["market", meter_id], wait=True)
        )
        assert (granted["code"], granted["event"]) == ("VALID", "AccessGranted")
        announced = granted["event_payload"]
        assert (announced["owner_idgrid"], announced["grantee"]) == (home.idgrid, "market")
        assert announced["meter_id"] == meter_id
        listed = await asked(it, home.identity, "access:list_grants", [home.idgrid])
        [grants] = listed.raise_for_status().json()["content"]
        assert (grants["grantee"], list(grants["meters"])) == ("market", [meter_id])

    play(demo, scene)


@pytest.mark.row("E010")
def test_without_a_grant_no_order_is_taken_and_no_oracle_is_asked(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing()
        home = await newcomer(it, "1001", leave_out={GRANT})
        functions = (PLACE_OFFER, PLACE_BID, "oracle:request")
        latest = [await it.latest(function) for function in functions]
        for order in (offer(home, listing_id), bid(listing_id)):
            await refused_with("NO_DATA_ACCESS", 403, home.client.submit(*order))
        assert await book(it, listing_id) == []
        assert [await it.latest(function) for function in functions] == latest
        await home.client.submit(GRANT, ["market", home.meter.meter_id], wait=True)
        await home.client.submit(*offer(home, listing_id), wait=True)
        assert await book(it, listing_id) == [("offer", 50)]

    play(demo, scene)


@pytest.mark.row("E011")
def test_a_revoked_grant_stops_new_orders_and_the_running_hour_is_settled(demo):
    async def scene(it: Scene) -> None:
        seller, buyer = await asyncio.gather(newcomer(it, "1101"), newcomer(it, "1102"))
        delivery = Delivery(it)
        running, later = await delivery.open(), await it.open_listing()
        await seller.client.submit(*offer(seller, running), wait=True)
        await buyer.client.submit(*bid(running), wait=True)
        for home in (seller, buyer):
            revoked = await home.client.submit(REVOKE, ["market", home.meter.meter_id], wait=True)
            assert (await record(it, revoked))["event"] == "AccessRevoked"
        for order in (offer(seller, later), offer(seller, running)):
            await refused_with("NO_DATA_ACCESS", 403, seller.client.submit(*order))
        await refused_with("NO_DATA_ACCESS", 403, buyer.client.submit(*bid(later)))

        await delivery.clear_deliver_and_settle({seller: 50, buyer: -50})
        settled = (await it.http.get(f"/v1/listings/{running}/settlement")).json()
        assert (settled["state"], settled["settled_wh"]) == ("SETTLED", 50)
        headers = await it.manager_session()
        for home, column in ((seller, "sold_wh"), (buyer, "bought_wh")):
            account = (await it.http.get(f"/v1/accounts/{home.idgrid}", headers=headers)).json()
            assert account[column] == 50
        await refused_with("NO_DATA_ACCESS", 403, seller.client.submit(*offer(seller, later)))

    play(demo, scene)


@pytest.mark.row("E012")
def test_a_neighbour_reads_nothing_the_manager_sums_the_owner_everything(demo):
    own, foreign = "meter-01", "meter-02"
    paths = ("/v1/meters/{}/reading", "/v1/devices/{}/measurements", "/smartmeter/{}")

    async def scene(it: Scene) -> None:
        owner, manager = await it.household_session(), await it.manager_session()
        for path in paths:
            answer = await it.http.get(path.format(foreign), headers=owner)
            assert answer.status_code == 403, (path, answer.text)
            answer = await it.http.get(path.format(own), headers=manager)
            assert answer.status_code in (403, 404), (path, answer.text)
        latest = await it.http.get(paths[0].format(own), headers=owner)
        assert latest.raise_for_status().json()["meter_id"] == own

        hour = (await it.http.get(f"/v1/listings/{SETTLED_HOUR}")).json()
        period = [str(hour[name]) for name in ("delivery_start_ms", "delivery_end_ms")]
        home = it.demo.settings.households[0].identity.load()
        manager_key = it.demo.settings.staff["community_manager"].load()
        for reader, meter_id in ((home, foreign), (manager_key, own)):
            answer = await asked(it, reader, "access:meter_series", [meter_id, *period])
            assert (answer.status_code, answer.json()["code"]) == (403, "NO_DATA_ACCESS")
        answer = await asked(it, home, "access:meter_series", [own, *period])
        assert [one["t_end_ms"] for one in answer.json()["content"]] == [int(period[1])]
        answer = await asked(it, home, "access:totals", period)
        assert (answer.status_code, answer.json()["code"]) == (403, "ROLE_NOT_ALLOWED")
        totals = (await asked(it, manager_key, "access:totals", period)).json()["content"]
        assert totals["meters"] >= 3
        assert totals["imported_wh"] + totals["exported_wh"] > 0
        assert "meter_id" not in totals

    play(demo, scene)


@pytest.mark.row("E013")
def test_the_third_order_of_a_contract_of_two_and_a_suspended_member_are_refused(demo):
    async def scene(it: Scene) -> None:
        listing_id, home = await it.open_listing(), await newcomer(it, "1301")
        manager = it.staff("community_manager")
        terms = {"orders_max": 2, "capacity_w": 4_000, "incentive_utoken_per_kwh": 500}
        contract = [home.idgrid, json.dumps(terms)]
        await manager.submit("membership:set_contract", contract, wait=True)
        path = f"/v1/participants/{home.idgrid}"
        shown = (await it.http.get(path, headers=await it.manager_session())).json()
        assert shown["contract_orders_max"] == 2
        for energy_wh in (10, 20):
            await home.client.submit(*bid(listing_id, energy_wh), wait=True)
        await refused_with("LIMIT", 409, home.client.submit(*bid(listing_id, 30)))
        more = [home.idgrid, json.dumps(terms | {"orders_max": 9})]
        await manager.submit("membership:set_contract", more, wait=True)
        too_much = home.client.submit(*bid(listing_id, 5_000))
        await refused_with("CAP_EXCEEDED", 422, too_much)
        reason = [home.idgrid, "unpaid bill"]
        await manager.submit("membership:suspend", reason, wait=True)
        await refused_with("SUSPENDED", 403, home.client.submit(*bid(listing_id, 30)))
        await manager.submit("membership:reinstate", [home.idgrid], wait=True)
        await home.client.submit(*bid(listing_id, 30), wait=True)
        assert [energy_wh for _, energy_wh in await book(it, listing_id)] == [10, 20, 30]

    play(demo, scene)


@pytest.mark.row("E014")
def test_a_source_is_traded_with_its_owner_s_leave_and_consent_has_its_time(demo):
    async def scene(it: Scene) -> None:
        listing_id = await it.open_listing()
        home = await newcomer(it, "1401", leave_out={"membership:consent"})
        await refused_with("CONSENT_REQUIRED", 403, home.client.submit(*bid(listing_id)))
        before_ms = time.time_ns() // 1_000_000
        consent = await home.client.submit("membership:consent", [HASH], wait=True)
        assert (await record(it, consent))["code"] == "VALID"
        for raw in await it.on_every_peer("registry:get_participant", home.idgrid):
            participant = json.loads(raw)
            assert before_ms <= participant["consented_ms"] <= time.time_ns() // 1_000_000
            assert participant["terms_hash"] == HASH

        res_id = "pv-1402"
        registered = [res_id, home.idgrid, "solar", "5000"]
        manager = it.staff("community_manager")
        await manager.submit("registry:register_res", registered, wait=True)
        await it.staff("dso").submit("registry:approve_res", [res_id], wait=True)
        order = PLACE_OFFER, [listing_id, res_id, "50", "20000"]
        await refused_with("NOT_AUTHORISED", 403, home.client.submit(*order))
        assert await book(it, listing_id) == []
        await home.client.submit("registry:authorise_res", [res_id], wait=True)
        await home.client.submit(*order, wait=True)
        assert await book(it, listing_id) == [("offer", 50)]

    play(demo, scene)
