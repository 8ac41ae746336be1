"""Readings that were set aside: who sees them, why they were, which hour may lack them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gateway.hems.plausibility import Doubt
from gateway.hems.quarantine import Quarantine
from gateway.hems.running import limits_for
from gateway.hems.series import Arrival, SeriesStore
from gateway.web.languages import language
from gateway.web.state_texts import DOUBT_TEXTS
from tests.e2e.browser.street import live_through, settle_in
from tests.e2e.browser.village import Village, village
from tests.unit.energy.community import hour_of, milliseconds
from tests.unit.gateway.metering.data_service import Keys, Scene
from tests.unit.gateway.pages import visiting

HOUR_MS = 3_600_000
SECRET = b"987654321"
"""A register's value in a reading: pages and routes do not repeat it."""


@dataclass
class Place:
    """A street whose meters said things nobody believed."""

    it: Village
    street: Any
    listing_id: str

    def seen(self, idgrid: str = "", *, is_manager: bool = False) -> list[dict[str, Any]]:
        visitor = visiting(self.it.services, idgrid, is_manager=is_manager)
        answer = visitor.get("/v1/set-aside")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with village() as it:
        street = settle_in(it)
        live_through(it, street, hours=3)
        listing = it.services.market.latest(1)[0].listing_id
        end_ms = milliseconds(hour_of(listing)) + HOUR_MS
        services = it.services
        store = SeriesStore(services.readmodel.database, limits_for(HOUR_MS), 0)
        for home, doubt, t_end_ms in (
            (street.sunny, Doubt.BAD_SIGNATURE, end_ms),
            (street.flat, Doubt.REGISTER_JUMP, end_ms + 10**9),
        ):
            raw = b'{"t_end": %d, "imp_wh": %s}' % (t_end_ms, SECRET)
            store.keep([Arrival(home.meter_id, raw, None, doubt)], services.clock_ms())
        store.keep([Arrival("stranger", b"\xff", None, Doubt.UNKNOWN_METER)], 5)
        scene = Scene(Keys(), database=services.readmodel.database)
        it.services = replace(services, hems=scene.service)
        yield Place(it, street, listing)


@pytest.mark.row("E071")
def test_the_manager_sees_all_with_reason_meter_time_and_hour(place: Place) -> None:
    found = place.seen(is_manager=True)
    assert [(one["device_id"], one["doubt"], one["listing_id"]) for one in found] == [
        ("stranger", "unknown_meter", None),
        (place.street.flat.meter_id, "register_jump", None),
        (place.street.sunny.meter_id, "bad_signature", place.listing_id),
    ]
    assert found[2]["received_ms"] == place.it.services.clock_ms()
    assert SECRET.decode() not in json.dumps(found)
    page = visiting(place.it.services, "", is_manager=True).get("/console/quarantine")
    assert page.status_code == 200
    for one in found:
        assert f'data-set-aside="{one["number"]}" data-doubt="{one["doubt"]}"' in page.text
    assert f'href="/explorer/orders/{place.listing_id}"' in page.text
    assert SECRET.decode() not in page.text


def test_a_household_sees_its_own(place: Place) -> None:
    for home in (place.street.sunny, place.street.flat):
        assert [one["device_id"] for one in place.seen(home.idgrid)] == [home.meter_id]
    page = visiting(place.it.services, place.street.sunny.idgrid).get("/devices").text
    assert page.count("data-set-aside=") == 1
    assert "key did not sign it: somebody else sent or changed it" in page


def test_pages_of_them(place: Place) -> None:
    manager = visiting(place.it.services, "", is_manager=True)
    first = manager.get("/v1/set-aside?limit=2").json()
    second = manager.get(f"/v1/set-aside?limit=2&below={first[-1]['number']}").json()
    assert first + second == place.seen(is_manager=True)


def test_every_reason_has_words_in_every_language() -> None:
    assert set(DOUBT_TEXTS) == set(Doubt)
    for code in ("es", "pt"):
        words = language(code)
        assert all(words.text(text) != text for text in DOUBT_TEXTS.values())


def test_what_is_no_json_has_no_time_of_its_own(place: Place) -> None:
    found = Quarantine(place.it.services.readmodel.database).page(["stranger"])
    assert [(one.t_end_ms, one.concerned_ms) for one in found] == [(None, 5)]
