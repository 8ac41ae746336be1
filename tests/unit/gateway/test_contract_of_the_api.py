"""The API keeps what its own description says, whatever it is asked: Schemathesis makes requests.

`./test` makes a few for each operation, `./test --full` many.
"""

import json
from functools import cache

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chaincode.energy import CONTRACTS
from chaincode.shim.contract import contract_functions
from gateway.api.limits import RateLimit
from gateway.api.openapi import FILE, openapi_text
from gateway.application import create_app
from gateway.insight import METERED_FUNCTIONS
from gateway.sessions import Viewer
from tests.support.config_world import ConfigWorld
from tests.unit.gateway.ledger_double import services_over
from tests.unit.gateway.readmodel_blocks import HOME, Ledger, a_listing, an_order

EXAMPLES, EXAMPLES_FULL = 2, 200
NO_LIMIT = RateLimit(per_second=1e9, burst=10**9)
MANAGER, HOUSEHOLD = "manager-token", "household-token"
ENDLESS = "/v1/events"
"""A stream does not end; tests/unit/gateway/test_live.py reads it."""
UNREADY = 503
"""The double of the ledger issues no certificates and has no peers."""


@cache
def the_app():
    """A gateway that has seen a market."""
    ledger = Ledger()
    ledger.raw_block(*ConfigWorld().consortium.genesis.entries)
    ledger.block(("market:open_listing", a_listing()))
    ledger.block(("market:place_bid", an_order("o1")))
    ledger.catch_up()
    services = services_over(ledger.double, readmodel=ledger.readmodel)
    services.sessions.admit(MANAGER, Viewer("", is_manager=True))
    services.sessions.admit(HOUSEHOLD, Viewer(HOME))
    return create_app(services, rate=NO_LIMIT)


schema = schemathesis.openapi.from_dict(json.loads(openapi_text()))
operations = schema.exclude(path=ENDLESS)


def keeps_its_contract(case, token: str | None) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    response = case.call(app=the_app(), headers=headers, base_url="http://localhost")
    checks = [response_schema_conformance, status_code_conformance, content_type_conformance]
    if response.status_code != UNREADY:
        checks.append(not_a_server_error)
    case.validate_response(response, checks=checks)


@pytest.mark.slow
@operations.parametrize()
@hypothesis.settings(max_examples=EXAMPLES, derandomize=True, database=None)
def test_every_answer_is_one_the_description_names(case):
    keeps_its_contract(case, MANAGER)


@pytest.mark.full
@pytest.mark.parametrize("token", [None, HOUSEHOLD, MANAGER])
@operations.parametrize()
@hypothesis.settings(max_examples=EXAMPLES_FULL, database=None)
def test_many_requests_by_everybody_find_no_fault(case, token):
    keeps_its_contract(case, token)


@pytest.mark.row("E133")
def test_the_description_covers_every_route_and_every_function_of_the_contracts():
    described = json.loads(FILE.read_text(encoding="utf-8"))
    assert described == json.loads(openapi_text()), "run: python -m gateway.api.openapi"
    assert json.loads(json.dumps(the_app().openapi())) == described, "what is served"
    function = described["components"]["schemas"]["ProposalRequest"]["properties"]["function"]
    contracts = [kind() for kind in CONTRACTS]
    callable_functions = {
        f"{contract.name}:{name}"
        for contract in contracts
        for name in contract_functions(contract)
    }
    assert set(function["examples"]) == callable_functions
    assert callable_functions >= METERED_FUNCTIONS
    answer = schema["/v1/functions"]["GET"].Case().call(app=the_app(), base_url="http://localhost")
    assert {each["name"] for each in answer.json()} == callable_functions
