"""A household's devices and its way into trading, as its pages show them."""

import re
from dataclasses import replace

import pytest

from chaincode.energy.hours import DAY_MS
from chaincode.energy.oracle.records import MeterReading
from gateway.hems.devices import DeviceBook
from gateway.hems.plausibility import Limits
from gateway.hems.running import limits_for
from gateway.hems.series import Arrival, SeriesStore
from gateway.mqtt.device_messages import ONLINE, DeviceState
from ledger.crypto.hashing import sha256
from tests.e2e.browser.street import settle_in
from tests.e2e.browser.village import Village, village
from tests.unit.energy.community import HASH, Household
from tests.unit.gateway.metering.data_service import Keys, Scene
from tests.unit.gateway.pages import visiting

HOUR_MS = 3_600_000
STEP = re.compile(r'data-step="(\w+)" data-state="(\w+)"')


def page_of(it: Village, home: Household, path: str) -> str:
    answer = visiting(it.services, home.idgrid).get(path)
    assert answer.status_code == 200
    return answer.text


def row_of(text: str, device_id: str) -> str:
    return text.partition(f'data-device="{device_id}"')[2].partition("</ol>")[0]


@pytest.mark.row("E076")
def test_a_household_sees_its_devices_of_each_day_and_who_is_online():
    with village() as it:
        street = settle_in(it)
        home, now_ms = street.sunny, it.services.clock_ms()
        database = it.services.readmodel.database
        midnight = (now_ms // HOUR_MS - 21) * HOUR_MS
        assert (midnight - 3 * HOUR_MS) % DAY_MS == 0, "the village is three hours behind UTC"
        yesterday = [midnight - at * HOUR_MS for at in range(24) if at not in (3, 4, 20)]
        today = [midnight + at * HOUR_MS for at in range(1, 11)]
        arrivals = [
            Arrival(home.meter_id, b"", MeterReading(**home.reading(end_ms)))
            for end_ms in sorted(yesterday + today)
        ]
        limits = Limits(age_ms_max=7 * DAY_MS)
        SeriesStore(database, limits, started_ms=0).keep(arrivals, now_ms)
        said = DeviceState(device_id=home.meter_id, state=ONLINE, firmware="1.4", tier="B")
        book = DeviceBook(database)
        book.heard([home.meter_id], now_ms, states={home.meter_id: said})

        text = page_of(it, home, "/devices")
        row = row_of(text, home.meter_id)
        assert "data-dropped" not in row, "it lost nothing"
        days = re.findall(r'data-permille="(\d+)"><span>([^<]+)</span>.*?(\d+/\d+)', row)
        assert len(days) == 2, "nothing was due before the first reading"
        assert days[-2][2] == f"{len(yesterday)}/24"
        assert days[-2][0] == str(len(yesterday) * 1000 // 24)
        assert days[-1][2] == "10/21"
        assert ">online<" in row
        book.heard([home.meter_id], now_ms, states={home.meter_id: replace(said, dropped=12)})
        assert 'data-dropped="12"' in row_of(page_of(it, home, "/devices"), home.meter_id)
        assert "last seen" in row
        assert street.flat.meter_id not in text
        other = row_of(page_of(it, street.flat, "/devices"), street.flat.meter_id)
        assert ">silent<" in other
        assert "never seen yet" in other


def test_the_pages_name_what_is_missing_before_trading_and_whose_turn_it_is():
    with village() as it:
        home = it.act(lambda community: community.register())
        everything = dict(STEP.findall(page_of(it, home, "/")))
        assert everything == {
            "meter": "done",
            "terms": "yours",
            "access": "yours",
            "connection": "done",
        }
        it.act(lambda _: home.client.submit("access:grant", "market", home.meter_id))
        it.act(lambda _: home.client.submit("membership:consent", HASH))
        for path in ("/", "/market", "/devices"):
            assert STEP.findall(page_of(it, home, path)) == []
        it.act(lambda _: home.client.submit("access:revoke", "market", home.meter_id))
        assert dict(STEP.findall(page_of(it, home, "/market")))["access"] == "yours"


def test_who_has_no_meter_waits_for_the_staff():
    with village() as it:
        idgrid = "VAL-0017-X"

        def register(community) -> None:
            community.manager.submit("registry:register_participant", idgrid, "consumer", HASH)

        it.act(register)
        text = visiting(it.services, idgrid).get("/").text
        assert dict(STEP.findall(text)) == {
            "meter": "theirs",
            "terms": "yours",
            "access": "theirs",
            "connection": "theirs",
        }


def test_what_is_signed_is_the_hash_of_the_text_that_is_read():
    with village() as it:
        home = it.act(lambda community: community.register(role="consumer"))
        text = page_of(it, home, "/terms")
        shown = re.search(r'id="terms-hash">(\w{64})<', text)
        assert shown is not None
        paragraphs = re.findall(
            r"<p>([^<]+)</p>", text.partition("<main")[2].partition("Hash of this text")[0]
        )
        read = "\n\n".join(one.replace("&#39;", "'") for one in paragraphs)
        assert sha256(read.encode()).hex() == shown[1]
        assert f'data-argument="0" value="{shown[1]}"' in text
        it.act(lambda _: home.client.submit("membership:consent", shown[1]))
        agreed = page_of(it, home, "/terms")
        assert "You agreed on" in agreed
        assert "another text" not in agreed
        it.act(lambda _: home.client.submit("membership:consent", HASH))
        assert "another text" in page_of(it, home, "/terms")
        visitor = visiting(it.services).get("/terms")
        assert visitor.status_code == 200
        assert "data-sign" not in visitor.text


def test_a_community_s_own_terms_are_shown_and_hashed_as_they_are():
    own = "Our rules.\n\nEverybody pays."
    with village() as it:
        home = it.act(lambda community: community.register(role="consumer"))
        services = replace(it.services, terms=own)
        text = visiting(services, home.idgrid).get("/terms").text
        assert "<p>Our rules.</p>" in text
        assert sha256(own.encode()).hex() in text


def test_a_source_is_released_and_withdrawn_by_its_owner():
    with village() as it:
        street = settle_in(it)
        source = f'data-source="{street.sunny.res_id}"'
        assert 'data-sign="registry:withdraw_res"' in page_of(it, street.sunny, "/devices")
        it.act(lambda _: street.sunny.client.submit("registry:withdraw_res", street.sunny.res_id))
        row = page_of(it, street.sunny, "/devices").partition(source)[2].partition("</li>")[0]
        assert 'data-sign="registry:authorise_res"' in row
        assert "not released" in row
        assert source not in page_of(it, street.flat, "/devices")


def test_devices_are_for_a_household():
    with village() as it:
        assert visiting(it.services).get("/devices").status_code == 401
        assert visiting(it.services, "", is_manager=True).get("/devices").status_code == 403


def test_a_household_sees_which_readings_of_its_meter_are_missing():
    with village() as it:
        street = settle_in(it)
        home, now_ms = street.sunny, it.services.clock_ms()
        scene = Scene(
            Keys(), database=it.services.readmodel.database, limits=limits_for(4 * HOUR_MS)
        )
        it.services = replace(it.services, hems=scene.service)
        assert 'id="gaps"' not in page_of(it, home, "/meter"), "nothing came yet"

        def read_at(hours_ago: int) -> None:
            reading = MeterReading(**home.reading(now_ms - hours_ago * HOUR_MS))
            scene.stores.series.keep([Arrival(home.meter_id, b"", reading)], now_ms)

        for hours_ago in (12, 11):
            read_at(hours_ago)
        home.seq += 2  # two readings got lost
        for hours_ago in (8, 7, 4, 3):
            read_at(hours_ago)
        text = page_of(it, home, "/meter")
        shown = text.partition('id="gaps"')[2].partition("</ul>")[0]
        first = scene.stores.series.gaps(home.meter_id, 0, now_ms)[0].first_seq
        assert re.findall(r'data-gap="(\d+)"', shown) == [str(first + n) for n in (6, 4, 0)]
        assert "Missing: 2." in shown
        assert shown.count("No reading came between") == 2
        assert shown.count("No reading came since") == 1
        assert 'id="gaps"' not in page_of(it, street.flat, "/meter"), "not its own"
