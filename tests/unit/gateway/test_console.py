"""The manager's console: who gets in, what it shows, what leaves it."""

import csv
import html
import re
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest

from chaincode.energy.hours import DAY_MS
from chaincode.energy.oracle.records import MeterReading
from gateway.hems.devices import DeviceBook
from gateway.hems.plausibility import Limits
from gateway.hems.series import Arrival, SeriesStore
from gateway.identity.ending import EVERYTHING
from gateway.identity.sessions import Viewer, Way
from gateway.mqtt.device_messages import ONLINE, DeviceState
from gateway.readmodel.staff_queries import privileged_actions
from gateway.statements.grid_exports import energy_csv
from gateway.statements.month_check import month_check
from gateway.web.console.log_texts import LOG_ACTIONS, actor_text, detail_text
from gateway.web.console.pages import ROWS
from gateway.web.languages import language
from tests.e2e.browser.street import live_through, open_with_orders, settle_in
from tests.e2e.browser.village import village
from tests.unit.energy.community import milliseconds
from tests.unit.gateway.pages import Visitor, visiting

PAGES = (
    "",
    "members",
    "meters",
    "listings",
    "prices",
    "sharing",
    "statements",
    "exports",
    "quarantine",
    "security",
    "audit",
)
FILES = ("exports/energy-2026-01.csv", "exports/devices.csv", "exports/sharing.csv")
MONTH = "2026-01"
GATEWAY = Path(__file__).parents[3] / "gateway"


@pytest.fixture(scope="module")
def scene():
    with village() as it:
        street = settle_in(it)
        live_through(it, street, hours=6)
        yield it, street


def manager(it):
    return visiting(it.services, "", is_manager=True)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


@pytest.mark.row("E132")
@pytest.mark.parametrize("name", [*PAGES, *FILES])
def test_the_console_is_the_managers_alone(scene, name):
    it, street = scene
    path = f"/console/{name}" if name else "/console"
    assert visiting(it.services).get(path).status_code == 401
    assert visiting(it.services, street.sunny.idgrid).get(path).status_code == 403
    assert manager(it).get(path).status_code == 200


def test_a_month_is_checked_before_anything_is_sent(scene):
    it, _ = scene
    now_ms = it.services.clock_ms()
    check = month_check(it.services.readmodel, MONTH, now_ms)
    assert (check.households, check.hours, check.is_over) == (4, 6, False)
    assert check.is_energy_balanced
    assert check.is_money_balanced
    assert not check.may_issue
    later = month_check(it.services.readmodel, MONTH, now_ms + 40 * DAY_MS)
    assert later.may_issue
    with pytest.raises(ValueError):
        month_check(it.services.readmodel, "2026-13", now_ms)


def test_a_listing_that_is_not_settled_holds_the_statements_up():
    with village() as it:
        street = settle_in(it)
        live_through(it, street, hours=2)
        open_with_orders(it, street)
        later_ms = it.services.clock_ms() + 40 * DAY_MS
        check = month_check(it.services.readmodel, MONTH, later_ms)
        assert len(check.unsettled) == 1
        assert not check.may_issue
        assert 'id="not-yet"' in manager(it).get("/console/statements").text


def test_statements_are_issued_once_the_month_is_in_order():
    with village() as it:
        street = settle_in(it)
        live_through(it, street, hours=2)
        it.act(lambda community: community.ledger.at("2026-02-01T00:00:00Z"))
        assert 'data-sign="statements:issue"' in manager(it).get("/console/statements").text
        issued = it.act(lambda community: community.scheduler.submit("statements:issue", MONTH))
        assert issued["state"] == "ISSUED"
        text = manager(it).get(f"/console/statements?month={MONTH}").text
        assert 'id="issued"' in text
        assert 'data-sign="statements:issue"' not in text


def test_the_energy_file_adds_up_to_the_settlements(scene):
    it, _ = scene
    answer = manager(it).get("/console/exports/energy-2026-01.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "energy-2026-01.csv" in answer.headers["content-disposition"]
    rows = rows_of(answer.text)
    check = month_check(it.services.readmodel, MONTH, it.services.clock_ms())
    for column in ("imported_wh", "exported_wh", "sold_wh", "bought_wh"):
        assert sum(int(row[column]) for row in rows) == check.amounts[column]
    assert not any("utoken" in name for name in rows[0])
    with pytest.raises(ValueError):
        energy_csv(it.services.readmodel, "2026")


def test_the_register_files_name_devices_and_keys(scene):
    it, street = scene
    devices = rows_of(manager(it).get("/console/exports/devices.csv").text)
    assert {row["owner_idgrid"] for row in devices} == {home.idgrid for home in street.homes}
    assert all(len(row["key_fingerprint"]) == 64 for row in devices)

    def agree(community):
        start = milliseconds(community.ledger.now) // 3_600_000 * 3_600_000 + 7_200_000
        parts = {street.sunny.idgrid: 400_000, street.flat.idgrid: 600_000}
        parameters = {
            "kind": "static",
            "slot_minutes": 60,
            "effective_from_ms": start,
            "parts": parts,
        }
        return community.manager.submit("sharing:agree", parameters)

    key = it.act(agree)
    sharing = rows_of(manager(it).get("/console/exports/sharing.csv").text)
    assert {row["idgrid"]: row["ppm"] for row in sharing} == {
        street.sunny.idgrid: "400000",
        street.flat.idgrid: "600000",
    }
    start = datetime.fromtimestamp(key["effective_from_ms"] / 1000, UTC).isoformat()
    assert {row["effective_from_utc"] for row in sharing} == {start}
    assert "Version 1" in manager(it).get("/console/sharing").text


@pytest.mark.row("E122")
def test_privileged_actions_are_listed_with_idgrid(scene):
    it, street = scene
    found = privileged_actions(it.services.readmodel, limit=500).items
    by_function = {}
    for action in found:
        by_function.setdefault(action.record.function, []).append(action)
    approved = by_function["registry:approve_participant"]
    assert {one.concerned for one in approved} == {(home.idgrid,) for home in street.homes}
    assert {one.actor.role for one in approved} == {"dso"}
    assert all(one.actor.subject and one.record.member for one in found)
    assert not any(action.record.function == "market:place_bid" for action in found)
    text = manager(it).get("/console/audit?function=registry:approve_participant").text
    for home in street.homes:
        assert home.idgrid in text
    assert text.count("data-action=") == len(approved)


def test_files_that_were_taken_are_logged(scene):
    it, _ = scene
    manager(it).get("/console/exports/devices.csv")
    text = manager(it).get("/console/audit").text
    assert 'data-log-action="export">File taken<' in text
    assert it.services.people.log.entries(limit=1)[0].detail == "devices"


@pytest.mark.parametrize(
    ("code", "actor", "action", "detail", "month"),
    [
        ("en", "community manager", "File taken", "Energy per hour and", "January 2026"),
        ("es", "gestor de la comunidad", "Archivo descargado", "Energía por hora", "enero 2026"),
        (
            "pt",
            "gestor da comunidade",
            "Ficheiro descarregado",
            "Energia por hora",
            "janeiro 2026",
        ),
    ],
)
def test_the_log_and_the_files_are_told_in_the_readers_words(
    scene, code, actor, action, detail, month
):
    it, _ = scene
    manager(it).get("/console/exports/energy-2026-01.csv")
    log = manager(it).get("/console/audit", language=code).text
    shown = log.partition('id="gateway-log"')[2]
    for words in (f">{actor}</td>", f">{action}<", detail, "2026-01<"):
        assert words in shown
    assert ">manager</td>" not in shown
    files = manager(it).get("/console/exports", language=code).text
    assert f"<span>{month}</span>" in files
    assert "<span>2026-01</span>" not in files


@pytest.mark.row("E122")
def test_two_managers_are_told_apart_in_the_log(scene):
    """By what their sessions are called: a passkey's label, else how each began."""
    it, _ = scene
    sessions = it.services.sessions
    tokens = [sessions.begin(Viewer("", is_manager=True), Way.LINK) for _ in range(2)]
    for token in tokens:
        assert Visitor(it.services, token).get("/console/exports/devices.csv").status_code == 200
    actors = [one.actor for one in it.services.people.log.entries(limit=2)]
    assert len(set(actors)) == 2
    assert all(re.fullmatch(r"manager: link [0-9a-f]{8}", actor) for actor in actors)
    text = manager(it).get("/console/audit", language="es").text
    for actor in actors:
        shown = actor.replace("manager: link", "gestor de la comunidad, enlace de acceso")
        assert f">{shown}<" in text


@pytest.mark.parametrize(
    ("actor", "in_words"),
    [
        ("manager", "community manager"),
        ("manager: Ana, phone", "community manager, Ana, phone"),
        ("manager: passkey 0a1b2c3d", "community manager, passkey 0a1b2c3d"),
        ("VAL-0001-0", "VAL-0001-0"),
        ("", ""),
    ],
)
def test_who_did_it_is_told_in_words(actor, in_words):
    assert actor_text(language("en"), actor) == in_words


def test_what_the_gateway_noted_is_paged_to_its_end_and_stays_where_the_ledger_is():
    with village() as it:
        log, database = it.services.people.log, it.services.readmodel.database
        with database.writing() as connection:
            for number in range(ROWS * 2 + 3):
                log.add(connection, actor="", action="export", idgrid="", detail=f"n{number}")
        path, seen = "/console/audit?function=listings:stop", []
        for rows in (ROWS, ROWS, 3):
            text = manager(it).get(path).text.partition('id="gateway-log"')[2]
            seen += re.findall(r">n(\d+)<", text)
            assert text.count("data-log-action=") == rows
            older = re.search(r'href="(/console/audit[^"]*)#gateway-log"', text)
            path = html.unescape(older[1]) if older else ""
            assert not path or "function=listings%3Astop" in path
        assert path == ""
        assert seen == [str(number) for number in reversed(range(ROWS * 2 + 3))]
        for wrong in ("x", "1" * 400, "%00"):
            assert manager(it).get(f"/console/audit?noted={wrong}").status_code == 422


def test_every_act_that_the_gateway_logs_has_words():
    written = set()
    for folder in ("identity", "web/console"):
        for file in (GATEWAY / folder).glob("*.py"):
            written |= set(re.findall(r'action=f?"([^"]+)"', file.read_text(encoding="utf-8")))
    several = {
        "{name} ended": [name for name, _ in EVERYTHING] + ["links", "devices that asked"],
        "key {state}": ["approved", "refused"],
    }
    for pattern, names in several.items():
        written.remove(pattern)
        written |= {re.sub(r"\{\w+\}", name, pattern) for name in names}
    assert written == set(LOG_ACTIONS)


@pytest.mark.parametrize(
    ("detail", "in_spanish"),
    [
        ("2, recovery", "2, nueva clave tras una pérdida"),
        ("1, key 0a1b ended", "1, fin de la clave 0a1b"),
        ("enrol 0a1b", "primera clave 0a1b"),
        ("0a1b", "0a1b"),
        ("", ""),
    ],
)
def test_details_of_the_log_are_words_and_numbers_stay(detail, in_spanish):
    assert detail_text(language("es"), detail) == in_spanish


def test_the_log_is_paged_to_its_end(scene):
    it, _ = scene
    whole = [
        one.record.tx_id for one in privileged_actions(it.services.readmodel, limit=500).items
    ]
    seen, below = [], None
    while True:
        part = privileged_actions(it.services.readmodel, below=below, limit=7)
        seen += [one.record.tx_id for one in part.items]
        if part.next is None:
            break
        below = type(part.items[-1].record.position).parse(part.next)
    assert seen == whole


@pytest.mark.row("E076")
def test_availability_equals_a_manual_count_and_the_page_tells_who_is_online():
    hour_ms = 3_600_000
    with village() as it:
        street = settle_in(it)
        home = street.sunny
        now_ms = it.services.clock_ms()
        database = it.services.readmodel.database
        series = SeriesStore(database, Limits(), started_ms=0)
        today = now_ms // hour_ms * hour_ms
        came = [today - at * hour_ms for at in range(10) if at not in (3, 4)]
        readings = [home.reading(end_ms) for end_ms in sorted(came)]
        kept = series.keep(
            [Arrival(home.meter_id, b"", MeterReading(**reading)) for reading in readings], now_ms
        )
        assert len(kept.accepted) == len(came)
        said = DeviceState(device_id=home.meter_id, state=ONLINE, firmware="1.4", tier="B")
        DeviceBook(database).heard([home.meter_id], now_ms, states={home.meter_id: said})
        text = manager(it).get("/console/meters").text
        row = text.partition(f'data-device="{home.meter_id}"')[2].partition("</tr>")[0]
        offset_ms = -180 * 60_000
        midnight = (now_ms + offset_ms) // DAY_MS * DAY_MS - offset_ms
        expected = len(came) + 2
        """From its first reading on; two are missing."""
        assert f'data-permille="{len(came) * 1000 // expected}"' in row
        came_today = sum(midnight < end_ms for end_ms in came)
        assert came_today == len(came)
        assert f"{came_today}/{expected}" in row
        assert "online" in row
        other = text.partition(f'data-device="{street.flat.meter_id}"')[2].partition("</tr>")[0]
        assert "silent" in other
        assert 'data-permille="0"' in other
