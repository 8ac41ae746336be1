"""A member's oracle: real HTTP to the devices, real contracts, every step in its log."""

import asyncio
import base64
import json
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI, Response
from hypothesis import given
from hypothesis import strategies as st

from chaincode.energy.hours import MINUTE_MS
from chaincode.energy.oracle.readings import attested_message
from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.oracle.requests import REQUEST_LIFETIME_MS
from chaincode.energy.registry.records import Meter
from gateway.hems.batteries import Observation
from gateway.oracle.answering import AnsweringNode
from gateway.oracle.http_source import BODY_BYTES_MAX, HttpSource
from gateway.oracle.job import JobSpec, RunLog, encoded, parse_value
from gateway.oracle.settings import load_oracle_settings
from gateway.oracle.signed import check_metered
from gateway.oracle.steps import STEPS, JobFailed
from ledger.crypto.signing import Signer, generate_key
from tests.unit.energy.community import COOP, DSO, UTILITY, Community, refuses
from tests.unit.energy.oracle.panel import ANSWER, ask, name_panel, pass_time, with_battery
from tests.unit.gateway.acting import LedgerActor
from tests.unit.gateway.hems import HOUR_MS, ORACLE_TOKEN, clock_of, hems_of, serving
from tests.unit.gateway.serving import serve

BATTERY = "battery-0"


def jobs(address: str, *, times: int = 1000, token: str = ORACLE_TOKEN) -> list[JobSpec]:
    return [
        JobSpec(
            "battery_soc", address + "/battery-soc/{subject}?at_ms={at_ms}", token, times=times
        ),
        JobSpec("smartmeter", address + "/smartmeter/{subject}?at_ms={at_ms}", token, times=times),
    ]


def node(community, oracle, http, specs) -> tuple[AnsweringNode, RunLog]:
    clock_ms = clock_of(community)
    log = RunLog(clock_ms)
    actor, source = LedgerActor(oracle), HttpSource(http)
    return AnsweringNode(actor, specs, source, clock_ms=clock_ms, log=log), log


@asynccontextmanager
async def devices(community: Community):
    """The home energy management interface on a socket, and a client."""
    async with hems_of(community) as hems, serving(hems) as address, httpx.AsyncClient() as http:
        yield hems, address, http


@pytest.fixture
def community() -> Community:
    founded = Community.found()
    with_battery(founded, founded.join())
    return founded


@pytest.mark.row("E065")
def test_a_question_is_fetched_parsed_encoded_and_answered_under_one_id(community):
    async def scene() -> None:
        oracles = name_panel(community)
        home = community.households[0]
        async with devices(community) as (hems, address, http):
            hems.services.batteries.record(BATTERY, Observation(clock_of(community)(), 6_001))
            asked = ask(community, home, "battery_soc", BATTERY)["request_id"]
            sent = community.ledger.events[-1]
            assert (sent.name, json.loads(sent.payload)["request_id"]) == ("RequestSent", asked)
            for member in (COOP, DSO):
                answering, log = node(community, oracles[member], http, jobs(address))
                assert await answering.answer_open() == 1
                assert [step.step for step in log.of(asked) if step.is_done] == list(STEPS)
                assert await answering.answer_open() == 0, "nothing is left to answer"
            decided = community.ledger.events[-1]
            facts = json.loads(decided.payload)
            assert (decided.name, facts["request_id"], facts["value"]) == (
                "Fulfilled",
                asked,
                6_001,
            )
            refuses(community, "ALREADY_FULFILLED", oracles[UTILITY], ANSWER, asked, 6_001)
            late = ask(community, home, "battery_soc", BATTERY)["request_id"]
            pass_time(community, REQUEST_LIFETIME_MS)
            refuses(community, "REQUEST_EXPIRED", oracles[UTILITY], ANSWER, late, 6_001)

    asyncio.run(scene())


def test_three_processes_with_one_that_lies_agree_on_what_two_read(community):
    async def scene() -> None:
        oracles = name_panel(community)
        async with devices(community) as (hems, address, http):
            hems.services.batteries.record(BATTERY, Observation(clock_of(community)(), 4_000))
            asked = ask(community, community.households[0], "battery_soc", BATTERY)["request_id"]
            for member in (UTILITY, COOP, DSO):
                specs = jobs(address, times=10_000 if member == UTILITY else 1000)
                answering, _ = node(community, oracles[member], http, specs)
                await answering.answer_open()
            found = community.manager.evaluate("oracle:get_request", asked)
            assert (found["state"], found["value"]) == ("FULFILLED", 4_000)

    asyncio.run(scene())


@dataclass
class MeteredHour:
    """A gateway's answer for the hour before the question, and how a liar alters it."""

    community: Community
    asked_ms: int = 0

    def __post_init__(self) -> None:
        self.home = self.community.households[0]
        self.asked_ms = clock_of(self.community)()

    def reading(self, before_ms: int, import_wh: int, **changes: object) -> dict[str, Any]:
        return self.home.reading(self.asked_ms - before_ms, import_wh=import_wh, **changes)

    def answer(self, value: float = 1.5, **changes: object) -> dict[str, Any]:
        readings = [self.reading(HOUR_MS, 10_000), self.reading(0, 11_500)]
        return {"id": self.home.meter_id, "value": value, "readings": readings} | changes


def honest(hour: MeteredHour) -> dict[str, Any]:
    return hour.answer()


def another_value(hour: MeteredHour) -> dict[str, Any]:
    return hour.answer(value=1.4)


def no_readings(hour: MeteredHour) -> dict[str, Any]:
    return hour.answer(readings=[])


def an_altered_register(hour: MeteredHour) -> dict[str, Any]:
    start, end = hour.answer()["readings"]
    return hour.answer(value=2.5, readings=[start, end | {"import_wh": 12_500}])


def of_another_meter(hour: MeteredHour) -> dict[str, Any]:
    other = hour.community.join()
    start, end = (
        other.reading(hour.asked_ms - before_ms, import_wh=import_wh)
        for before_ms, import_wh in ((HOUR_MS, 0), (0, 1_500))
    )
    return hour.answer(readings=[start, end])


def of_another_hour(hour: MeteredHour) -> dict[str, Any]:
    readings = [hour.reading(2 * HOUR_MS, 10_000), hour.reading(HOUR_MS, 11_500)]
    return hour.answer(readings=readings)


def of_a_meter_that_fell_silent(hour: MeteredHour) -> dict[str, Any]:
    last = hour.reading(HOUR_MS - 5 * MINUTE_MS, 11_500)
    return hour.answer(readings=[hour.reading(HOUR_MS, 10_000), last])


def a_quarter_older_at_both_ends(hour: MeteredHour) -> dict[str, Any]:
    gap_ms = 15 * MINUTE_MS
    readings = [hour.reading(HOUR_MS + gap_ms, 10_000), hour.reading(gap_ms, 11_500)]
    return hour.answer(readings=readings)


@pytest.mark.parametrize(
    ("answered", "refusal", "tries"),
    [
        (honest, None, 0),
        (a_quarter_older_at_both_ends, None, 0),
        (of_a_meter_that_fell_silent, "not that hour", 2),
        (another_value, "1.4 kWh is said, 1500 Wh are signed", 1),
        (no_readings, "without its readings", 1),
        (an_altered_register, "not signed by the key on the ledger", 1),
        (of_another_meter, "a reading of meter-1 for meter-0", 1),
        (of_another_hour, "not that hour", 2),
    ],
)
def test_a_meters_hour_is_answered_only_as_the_meter_signed_it(
    community, answered, refusal, tries
):
    async def scene() -> None:
        oracle = name_panel(community)[COOP]
        home = community.households[0]
        asked = ask(community, home, "smartmeter", home.meter_id)["request_id"]
        body = answered(MeteredHour(community))
        app = FastAPI()
        app.add_api_route("/smartmeter/{meter_id}", lambda meter_id, at_ms: body)
        async with serve(app) as address, httpx.AsyncClient() as http:
            answering, log = node(community, oracle, http, jobs(address))
            assert await answering.answer_open() == (refusal is None)
            await answering.answer_open()
        failed = [found for found in log.of(asked) if not found.is_done]
        assert [found.step for found in failed] == ["check signature"] * tries
        assert all(refusal in found.detail for found in failed)
        if refusal is None:
            steps = {found.step: found.detail for found in log.of(asked)}
            assert steps["check signature"].startswith("seq 1 and 2, tier B, key ")
            assert list(steps) == list(STEPS)

    asyncio.run(scene())


def test_a_meter_of_tier_a_is_vouched_for_by_the_gateway_named_on_the_ledger(community):
    """The device's own signature is not the ledger's business then, the gateway's is."""
    home, gateway = community.households[0], generate_key()
    point = gateway.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    community.dso.submit("devices:replace_key", home.meter_id, point.hex(), "A")
    meter = Meter(**community.dso.evaluate("devices:get", home.meter_id))
    hour = MeteredHour(community)

    def attested(entry: dict[str, Any]) -> dict[str, Any]:
        message = attested_message(MeterReading(**entry))
        signature = base64.b64encode(Signer(gateway).sign(message)).decode()
        return entry | {"signature": signature}

    good = hour.answer(readings=[attested(entry) for entry in hour.answer()["readings"]])
    told = check_metered(good, meter, Decimal("1.5"), hour.asked_ms, HOUR_MS)
    assert "tier A" in told
    with pytest.raises(JobFailed, match="not signed by the key on the ledger"):
        check_metered(hour.answer(), meter, Decimal("1.5"), hour.asked_ms, HOUR_MS)


def closed_address() -> str:
    """An address of this machine at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_a_source_that_is_down_is_asked_again_and_the_question_expires_in_the_end(community):
    async def scene() -> None:
        oracle = name_panel(community)[COOP]
        home = community.households[0]
        async with devices(community) as (hems, address, http):
            hems.services.batteries.record(BATTERY, Observation(clock_of(community)(), 4_000))
            asked = ask(community, home, "battery_soc", BATTERY)["request_id"]
            answering, log = node(community, oracle, http, jobs(closed_address()))
            for _ in range(2):
                assert await answering.answer_open() == 0
            steps = [(step.step, step.is_done) for step in log.of(asked)]
            assert steps == [("decode", True), ("fetch", False)] * 2
            working, _ = node(community, oracle, http, jobs(address))
            assert await working.answer_open() == 1

            unanswered = ask(community, home, "battery_soc", BATTERY)["request_id"]
            pass_time(community, REQUEST_LIFETIME_MS)
            await answering.answer_open()
            assert log.of(unanswered)[-1].detail == "oracle:expire"
            found = community.manager.evaluate("oracle:get_request", unanswered)
            assert found["state"] == "EXPIRED"

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("answer", "step", "tries"),
    [
        (Response(status_code=404), "fetch", 1),
        (Response(status_code=503), "fetch", 2),
        (Response(status_code=302, headers={"Location": "/"}), "fetch", 1),
        (Response(content=b"x" * (BODY_BYTES_MAX + 1)), "fetch", 1),
        (Response(content=b"not JSON"), "parse", 2),
        (Response(content=b'{"value":1,"value":2}'), "parse", 2),
        (Response(content=b'{"value":"1"}'), "parse", 2),
        (Response(content=b'{"value":true}'), "parse", 2),
        (Response(content=b"[1]"), "parse", 2),
        (Response(content=b'{"value":-1}'), "encode", 1),
        (Response(content=b'{"value":1e300}'), "encode", 1),
    ],
)
def test_what_a_source_may_answer_never_becomes_a_number_nobody_meant(
    community, answer, step, tries
):
    async def scene() -> None:
        oracle = name_panel(community)[COOP]
        asked = ask(community, community.households[0], "battery_soc", BATTERY)["request_id"]
        app = FastAPI()
        app.add_api_route("/battery-soc/{battery_id}", lambda battery_id: answer)
        async with serve(app) as address, httpx.AsyncClient() as http:
            answering, log = node(community, oracle, http, jobs(address))
            for _ in range(2):
                assert await answering.answer_open() == 0
            failed = [found.step for found in log.of(asked) if not found.is_done]
            assert failed == [step] * tries

    asyncio.run(scene())


def test_a_kind_without_a_job_is_given_up(community):
    async def scene() -> None:
        oracle = name_panel(community)[COOP]
        asked = community.manager.submit("oracle:request", "price", "retail")["request_id"]
        async with httpx.AsyncClient() as http:
            answering, log = node(community, oracle, http, [])
            assert await answering.answer_open() == await answering.answer_open() == 0
        assert [(step.step, step.is_done) for step in log.of(asked)] == [("decode", False)]

    asyncio.run(scene())


@given(wh=st.integers(0, 10**12))
def test_kilowatt_hours_become_exactly_the_watt_hours_they_were(wh: int) -> None:
    body = json.dumps({"value": wh / 1000}).encode()
    assert encoded(parse_value(body, ("value",)), times=1000) == wh


def test_values_are_found_along_a_path_and_rounded_down() -> None:
    body = b'{"data": {"price": 0.0519999}}'
    assert parse_value(body, ("data", "price")) == Decimal("0.0519999")
    assert encoded(Decimal("0.0519999"), times=1_000_000) == 51_999
    with pytest.raises(JobFailed, match="no number"):
        parse_value(body, ("price",))


def test_the_run_log_is_kept_in_a_file(tmp_path) -> None:
    file = tmp_path / "run.jsonl"
    log = RunLog(lambda: 7, file)
    log.note("r-1", "fetch", "x" * 1000, is_done=False)
    log.note("r-2", "submit", "done")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["request_id"], line["step"], line["is_done"]) for line in lines] == [
        ("r-1", "fetch", False),
        ("r-2", "submit", True),
    ]
    assert len(lines[0]["detail"]) == 200


@pytest.mark.parametrize(
    ("reports", "problem"),
    [
        ({}, "name the `gateway` or the `database`"),
        ({"gateway": "https://x", "database": "postgresql://x"}, "name the `gateway`"),
        ({"gateway": "ftp://x"}, "no address of a gateway"),
        ({"database": "sqlite:////nowhere/gateway.db"}, "there is no database"),
        ({"gateway": "https://x", "every_ms": 999}, "every_ms is not between"),
        ({"gateway": "https://x", "hold_ms": "1"}, "hold_ms is not between"),
        ({"gateway": "https://x", "evry_ms": 1}, "evry_ms is no setting"),
    ],
)
def test_wrong_settings_of_reports_are_named(tmp_path, reports, problem) -> None:
    content = {
        "ledger": {"channel_id": "c", "chaincode": "energy", "tls_ca": "/ca", "peers": []},
        "identity": {"mspid": COOP, "certificate": "/c", "key": "/k"},
        "jobs": [],
        "run_log": "log",
        "reports": reports,
    }
    file = tmp_path / "oracle.json"
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=problem):
        load_oracle_settings(file)


def test_settings_of_an_oracle(tmp_path) -> None:
    ledger = {"channel_id": "c", "chaincode": "energy", "tls_ca": "/ca", "peers": []}
    job = {"kind": "price", "url": "https://tariffs.example/{subject}", "times": 1_000_000}
    content = {
        "ledger": ledger,
        "identity": {"mspid": COOP, "certificate": "/c", "key": "/k"},
        "jobs": [job | {"value_path": ["data", "price"]}, job],
        "run_log": "/var/log/oracle.jsonl",
    }
    file = tmp_path / "oracle.json"
    file.write_text(json.dumps(content))
    settings = load_oracle_settings(file)
    assert settings.run_log == Path("/var/log/oracle.jsonl")
    assert [spec.value_path for spec in settings.jobs] == [("data", "price"), ("value",)]


@pytest.mark.parametrize("url", ["https://x/{}", "https://x/{unknown}", "https://x/{subject"])
def test_an_address_with_another_field_is_no_setting(tmp_path, url) -> None:
    content = {
        "ledger": {"channel_id": "c", "chaincode": "energy", "tls_ca": "/ca", "peers": []},
        "identity": {"mspid": COOP, "certificate": "/c", "key": "/k"},
        "jobs": [{"kind": "price", "url": url}],
        "run_log": "log",
    }
    file = tmp_path / "oracle.json"
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="subject"):
        load_oracle_settings(file)
