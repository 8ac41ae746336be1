"""The API and strangers: other people's names, files outside the static folder, odd addresses."""

import asyncio

import httpx
import pytest

from chaincode.energy import keys
from chaincode.energy.records import encode
from chaincode.energy.registry.records import Meter, Status
from gateway.application import create_app
from gateway.identity.sessions import Viewer
from tests.unit.gateway.ledger_double import services_over
from tests.unit.gateway.readmodel_blocks import HOME, OTHER_HOME, Ledger

HOUSEHOLD, STRANGER = {"Authorization": "Bearer home"}, {"Authorization": "Bearer made-up"}
OUTSIDE = (
    "/static/../settings.py",
    "/static/..%2f..%2fsettings.py",
    "/static/%2e%2e/%2e%2e/settings.py",
    "/static/....//settings.py",
    "/static//etc/passwd",
    "/static/..\\..\\settings.py",
    "/static/page.css%00.py",
    "/problems/..%2f..%2fetc%2fpasswd",
    "/v1/invoices/..%2f2026-01",
    "/login/..%2f..%2f",
)


def a_meter(meter_id: str, owner: str) -> dict[str, bytes]:
    meter = Meter(
        meter_id=meter_id,
        owner_idgrid=owner,
        public_key_pem="",
        key_fingerprint="",
        res_id=None,
        status=Status.APPROVED,
    )
    return {keys.meter(meter_id): encode(meter)}


def an_app():
    ledger = Ledger()
    ledger.block(("registry:register_meter", a_meter("m-other", OTHER_HOME)))
    ledger.catch_up()
    services = services_over(ledger.double, readmodel=ledger.readmodel)
    services.sessions.admit("home", Viewer(HOME))
    return create_app(services)


def answers(*requests: tuple[str, dict[str, str]]) -> list[httpx.Response]:
    app = an_app()

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return [await client.get(path, headers=headers) for path, headers in requests]

    return asyncio.run(ask())


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_path_leads_out_of_what_is_served(path):
    (answer,) = answers((path, HOUSEHOLD))
    assert answer.status_code in {401, 404, 422}, answer.text
    assert "root:" not in answer.text
    assert "import" not in answer.text


def told(answer: httpx.Response) -> tuple[int, str, str]:
    content = answer.json()
    return answer.status_code, content["type"], content["detail"]


@pytest.mark.parametrize(
    ("there", "nowhere"),
    [
        (f"/v1/accounts/{OTHER_HOME}", "/v1/accounts/VAL-9999-Z"),
        (f"/v1/participants/{OTHER_HOME}", "/v1/participants/VAL-9999-Z"),
        ("/v1/meters/m-other/reading", "/v1/meters/m-nobody/reading"),
        ("/smartmeter/m-other", "/smartmeter/m-nobody"),
        ("/battery-soc/pv-other", "/battery-soc/pv-nobody"),
    ],
)
def test_a_foreign_name_answers_like_one_that_nobody_has(there, nowhere):
    for session in (HOUSEHOLD, STRANGER, {}):
        one, other = answers((there, session), (nowhere, session))
        expected = 403 if session is HOUSEHOLD else 401
        assert told(one)[0] == expected
        assert [text.replace("VAL-9999-Z", OTHER_HOME) for text in map(str, told(other))] == [
            *map(str, told(one))
        ]


def test_a_made_up_token_is_no_session_and_no_error():
    for token in (
        "glt_",
        "glt_" + "A" * 43,
        "\u00fc",
        "a b",
        "'; DROP TABLE blocks; --",
        "x" * 8_000,
    ):
        header = {"Authorization": b"Bearer " + token.encode("utf-8")}
        (answer,) = answers((f"/v1/accounts/{HOME}", header))
        assert answer.status_code == 401
