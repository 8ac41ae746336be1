"""The API of a running system, asked everything its description allows, by everybody.

Schemathesis makes the requests; each goes out as a visitor, as a household, as the manager and
with a token of each single scope, once with made-up names and once with names that exist.
"""

import json
from dataclasses import dataclass

import httpx
import hypothesis
import pytest
import requests
import schemathesis
from requests.adapters import HTTPAdapter
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.api.openapi import openapi_text
from gateway.identity.scopes import SCOPES, Role, Scope
from gateway.measuring.addresses import source_address
from tests.e2e.running_demo import RunningDemo

pytestmark = pytest.mark.full

EXAMPLES = 10
ENDLESS, ENDS_SESSIONS = "/v1/events", "/v1/password"
CHECKS = [
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
    content_type_conformance,
]
DESCRIPTION = json.loads(openapi_text())
OPERATIONS = [
    (path, method) for path, methods in DESCRIPTION["paths"].items() for method in methods
]
schema = schemathesis.openapi.from_dict(DESCRIPTION)
operations = schema.exclude(path=[ENDLESS, ENDS_SESSIONS])


class FromAddress(HTTPAdapter):
    """Each test has an address of its own, since the gateway limits requests by address."""

    def __init__(self, number: int) -> None:
        self._number = number
        super().__init__()

    def init_poolmanager(self, *args, **options) -> None:
        super().init_poolmanager(
            *args, source_address=(source_address(self._number), 0), **options
        )


@dataclass(frozen=True)
class Askers:
    """Bearer tokens by who has them, and names that exist."""

    url: str
    tokens: dict[str, str | None]
    names: dict[str, object]


@pytest.fixture(scope="module")
def askers(demo) -> Askers:
    url = demo.settings.gateway_url
    with httpx.Client(base_url=url, timeout=30) as http:
        manager, household = sessions(demo, http)
        tokens = {"visitor": None, "manager": manager, "household": household}
        for owner in (Role.HOUSEHOLD, Role.MANAGER):
            for scope in sorted(SCOPES[owner] - {Scope.TOKENS_WRITE}):
                made = http.post(
                    "/v1/tokens",
                    json={"label": "fuzz", "scopes": [scope]},
                    headers=bearer(manager if owner is Role.MANAGER else household),
                )
                assert made.status_code == 201, made.text
                tokens[f"{owner} with {scope}"] = made.json()["token"]
        newest = http.get("/v1/transactions?limit=1").json()["items"][0]
        listing = http.get("/v1/listings?limit=1").json()["items"][0]
    names = {
        "idgrid": demo.settings.households[0].idgrid,
        "listing_id": listing["listing_id"],
        "meter_id": "meter-01",
        "device_id": "meter-01",
        "battery_id": "pv-01",
        "tx_id": newest["transaction_id"],
        "number": 2,
        "month": "2016-08",
        "slug": "conflict",
    }
    return Askers(url, tokens, names)


def sessions(demo: RunningDemo, http: httpx.Client) -> tuple[str, str]:
    """The manager's and a household's, by their links or as another test kept them."""
    links = json.loads((demo.folder / "gateway.json").read_text())["links"]
    found = []
    for name, is_manager in (("session", True), ("household-session", False)):
        kept = demo.folder / name
        if not kept.exists():
            link = next(link for link in links if link["is_manager"] == is_manager)
            answer = http.get(f"/login/{link['token']}")
            assert "gridledger_session" in answer.cookies, answer.text
            kept.write_text(answer.cookies["gridledger_session"])
            http.cookies.clear()
        found.append(kept.read_text())
    return found[0], found[1]


def bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


@pytest.mark.parametrize("is_known", [False, True], ids=["made-up names", "known names"])
@operations.parametrize()
@hypothesis.settings(max_examples=EXAMPLES, database=None)
def test_no_request_of_anybody_is_a_fault_or_an_undescribed_answer(askers, is_known, case):
    if is_known:
        known = {name: askers.names.get(name) for name in case.path_parameters or {}}
        case.path_parameters |= {name: value for name, value in known.items() if value is not None}
    with requests.Session() as session:
        number = OPERATIONS.index((case.operation.path, case.operation.method.lower()))
        for asker, token in enumerate(askers.tokens.values()):
            session.mount("http://", FromAddress(number * len(askers.tokens) + asker))
            answer = case.call(
                base_url=askers.url, session=session, headers=bearer(token), timeout=60
            )
            case.validate_response(answer, checks=CHECKS)
