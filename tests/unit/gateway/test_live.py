"""Server-sent events over a real socket, and the checked-in description of the API."""

import asyncio
import base64
import json
import re
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
import uvicorn

from gateway.api.openapi import FILE, openapi_text
from gateway.application import create_app
from gateway.errors import Problem
from tests.unit.gateway.ledger_double import LedgerDouble, an_identity, follow, services_over

SECONDS_MAX = 60
IDENTITY = an_identity()


@asynccontextmanager
async def serving(services):
    server = uvicorn.Server(
        uvicorn.Config(create_app(services), port=0, log_level="warning", ws="none")
    )
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event for it
        await asyncio.sleep(0)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield client
    server.should_exit = server.force_exit = True
    await running


async def events_of(
    client: httpx.AsyncClient, wanted: int, headers: dict[str, str], after: str = ""
):
    found, current = [], {}
    async with (
        asyncio.timeout(SECONDS_MAX),
        client.stream("GET", f"/v1/events{after}", headers=headers) as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        async for line in response.aiter_lines():
            name, _, value = line.partition(": ")
            if line:
                current[name] = value
            elif "data" in current:
                found.append(current)
                current = {}
                if len(found) == wanted:
                    return found
    raise AssertionError("the stream ended early")


async def commit(services, number: int) -> str:
    prepared = services.transactions.prepare(
        mspid=IDENTITY.mspid,
        certificate_pem=IDENTITY.certificate_pem.decode(),
        function="market:place_bid",
        args=[str(number)],
    )
    payload = await services.transactions.endorse(
        prepared.to_sign, IDENTITY.sign(prepared.to_sign)
    )
    tx_id = await services.transactions.submit(payload.to_sign, IDENTITY.sign(payload.to_sign))
    assert await services.transactions.committed(tx_id, SECONDS_MAX * 1000) is not None
    return tx_id


def test_a_client_that_was_away_resumes_after_the_last_block_it_saw():
    async def play() -> None:
        ledger = LedgerDouble(lambda function, args: {"listing~x": base64.b64encode(b"x")})
        services = services_over(ledger)
        following = asyncio.create_task(follow(ledger, services))
        async with serving(services) as client:
            sent = [await commit(services, number) for number in range(3)]
            missed = await events_of(client, 2, {"Last-Event-ID": "0"})
            assert [event["id"] for event in missed] == ["1", "2"]
            assert [event["event"] for event in missed] == ["block", "block"]
            contents = [json.loads(event["data"]) for event in missed]
            assert [content["transaction_ids"] for content in contents] == [[sent[1]], [sent[2]]]
            assert contents[0]["events"][0]["name"] == "OrderPlaced"
            waiting = asyncio.create_task(events_of(client, 1, {"Last-Event-ID": "2"}))
            sent.append(await commit(services, 3))
            (live,) = await waiting
            assert live["id"] == "3"
            assert [event["id"] for event in await events_of(client, 2, {}, after="?after=1")] == [
                "2",
                "3",
            ]
            resumed = await events_of(client, 1, {"Last-Event-ID": "2"}, after="?after=1")
            assert [event["id"] for event in resumed] == ["3"], "what a browser saw last counts"
            assert (await client.get("/v1/events?after=-1")).status_code == 422
            wrong = await client.get("/v1/events", headers={"Last-Event-ID": "yesterday"})
            assert wrong.status_code == 422
            assert wrong.headers["content-type"] == "application/problem+json"
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following

    asyncio.run(play())


def test_streams_are_limited_and_a_closed_one_makes_room():
    async def play() -> None:
        services = services_over(LedgerDouble(lambda *_: {}))
        async with serving(services) as client:
            async with client.stream("GET", "/v1/events") as stream:
                assert stream.status_code == 200
                while services.streams.take():
                    pass
                refused = await client.get("/v1/events")
                assert refused.status_code == 429
                assert refused.headers["content-type"] == "application/problem+json"
            async with asyncio.timeout(SECONDS_MAX):
                while not services.streams.take():  # noqa: ASYNC110 - the server closes it
                    await asyncio.sleep(0)

    asyncio.run(play())


def test_the_checked_in_description_is_the_one_served():
    assert FILE.read_text(encoding="utf-8") == openapi_text(), "run: python -m gateway.api.openapi"


@pytest.mark.parametrize("path", json.loads(openapi_text())["paths"])
def test_every_operation_describes_its_problems(path):
    for operation in json.loads(openapi_text())["paths"][path].values():
        assert operation["responses"]["default"] == {
            "$ref": "#/components/responses/ProblemDefault"
        }


def test_the_manual_lists_every_problem_with_its_status():
    manual = (Path(__file__).parents[3] / "docs" / "gateway.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", manual, re.MULTILINE)
    problems = [(problem.value.slug, str(problem.value.status)) for problem in Problem]
    assert sorted(listed) == sorted(problems)


def test_the_manuals_name_only_paths_that_exist():
    manuals = (Path(__file__).parents[3] / "docs").glob("*.md")
    texts = [manual.read_text(encoding="utf-8") for manual in manuals]
    named = {path for text in texts for path in re.findall(r"`(/v1/[a-z/{}_-]*[a-z}])", text)}
    served = {re.sub(r"\{\w+\}", "{}", path) for path in json.loads(openapi_text())["paths"]}
    assert named
    assert {path for path in named if re.sub(r"\{\w+\}", "{}", path) not in served} == set()
