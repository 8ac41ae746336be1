"""Rows 5, 24, 35: JSON bodies are read in one way only, anything else is a named problem."""

import asyncio

import httpx
import pytest

from gateway.application import create_app
from gateway.mqtt.reading import MESSAGE_BYTES_MAX, BadReading, decode_reading
from gateway.settings import load_gateway_settings
from gateway.strict_json import DEPTH_MAX, INTEGER_MAX, BadJson, parse_strictly
from ledger.errors import NodeFault
from ledger.node.settings.config import load_config
from network.plan import load_plan
from network.plan_table import PlanError
from tests.unit.gateway.ledger_double import LedgerDouble, services_over


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


HOSTILE = {
    "a name twice": b'{"a": 1, "a": 2}',
    "a name twice, deeper": b'{"x": [{"a": 1, "a": 2}]}',
    "not a number": b'{"a": NaN}',
    "infinity": b'{"a": -Infinity}',
    "beyond 64 bits": b'{"a": %d}' % (INTEGER_MAX + 1),
    "beyond 64 bits, negative": b'{"a": %d}' % (-INTEGER_MAX - 2),
    "digits that take long": b'{"a": %s}' % (b"9" * 100_000),
    "half a surrogate pair": rb'{"a": "\ud800"}',
    "half a surrogate pair as a name": rb'{"\udc00": 1}',
    "not UTF-8": b'{"a": "\xff\xfe"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "too deep": nested(DEPTH_MAX + 1),
    "far too deep": nested(50_000),
    "cut off": b'{"a": [1, ',
    "two texts": b"{} {}",
    "empty": b"",
}
each = pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())


@each
def test_it_is_refused(body):
    with pytest.raises(BadJson):
        parse_strictly(body)


def test_what_is_at_the_limits_is_read():
    assert parse_strictly(nested(DEPTH_MAX))
    assert parse_strictly(b"[%d, %d]" % (INTEGER_MAX, -INTEGER_MAX - 1)) == [
        INTEGER_MAX,
        -INTEGER_MAX - 1,
    ]
    assert parse_strictly('{"é": "\\ud83d\\ude00"}'.encode()) == {"é": "\U0001f600"}


def post(body: bytes) -> httpx.Response:
    async def send() -> httpx.Response:
        app = create_app(services_over(LedgerDouble(lambda _function, _args: {})))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            headers = {"content-type": "application/json"}
            return await client.post("/v1/proposals", content=body, headers=headers)

    return asyncio.run(send())


@each
def test_the_gateway_answers_with_a_problem(body):
    response = post(body)
    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"
    if body:
        assert response.json()["type"] == "/problems/malformed-request"


def test_there_are_no_batches():
    response = post(b"[{}, {}]")
    assert response.status_code == 422


@each
def test_a_meter_that_sends_it_is_refused_and_nothing_else_happens(body):
    with pytest.raises(BadReading):
        decode_reading(body[:MESSAGE_BYTES_MAX])


def test_a_meter_whose_signature_is_no_ascii_is_refused():
    body = (
        '{"v":1,"m":"m-1","seq":1,"t_end":3600000,"imp_wh":1,"exp_wh":0,"q":"measured",'
        '"kid":"00","sig":"ééé"}'
    )
    with pytest.raises(BadReading, match="base64"):
        decode_reading(body.encode())


@pytest.mark.parametrize("content", [nested(5_000), b"\xff", b"a = " + b"1" * 5_000])
def test_files_of_an_operator_are_refused_by_name(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(PlanError):
        load_plan(path)
    with pytest.raises(NodeFault):
        load_config(path)
    with pytest.raises(ValueError):
        load_gateway_settings(path)


def test_a_plan_that_is_nested_too_deeply_is_refused(tmp_path):
    path = tmp_path / "network.toml"
    path.write_bytes(b"a = " + nested(5_000))
    with pytest.raises(PlanError, match="not valid TOML"):
        load_plan(path)
