"""A member's oracle: real HTTP to the devices, real contracts, every step in its log."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Response
from hypothesis import given
from hypothesis import strategies as st

from chaincode.energy.oracle.requests import REQUEST_LIFETIME_MS
from gateway.hems.batteries import Observation
from gateway.oracle.answering import AnsweringNode
from gateway.oracle.http_source import BODY_BYTES_MAX, HttpSource
from gateway.oracle.job import STEPS, JobFailed, JobSpec, RunLog, encoded, parse_value
from gateway.oracle.server import load_oracle_settings
from tests.unit.energy.community import COOP, DSO, UTILITY, Community, refuses
from tests.unit.energy.oracle.panel import ANSWER, ask, name_panel, pass_time, with_battery
from tests.unit.gateway.acting import LedgerActor
from tests.unit.gateway.hems import ORACLE_TOKEN, clock_of, hems_of, serving
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
