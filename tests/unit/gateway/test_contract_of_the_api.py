"""The API keeps what its own description says, whatever it is asked: Schemathesis makes requests.

`./test` makes a few for each operation, `./test --full` many.
"""

import json

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
from gateway.api.openapi import FILE, openapi_text
from gateway.transactions.insight import METERED_FUNCTIONS
from tests.unit.gateway.described_street import HOUSEHOLD, MANAGER, street

EXAMPLES, EXAMPLES_FULL = 2, 200
ENDLESS = "/v1/events"
"""A stream does not end; tests/unit/gateway/test_live.py reads it."""
UNREADY = 503
"""The double of the ledger issues no certificates and has no peers."""


schema = schemathesis.openapi.from_dict(json.loads(openapi_text()))
operations = schema.exclude(path=ENDLESS)


def keeps_its_contract(case, token: str | None) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    response = case.call(app=street().app, headers=headers, base_url="http://localhost")
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
    assert json.loads(json.dumps(street().app.openapi())) == described, "what is served"
    function = described["components"]["schemas"]["ProposalRequest"]["properties"]["function"]
    contracts = [kind() for kind in CONTRACTS]
    callable_functions = {
        f"{contract.name}:{name}"
        for contract in contracts
        for name in contract_functions(contract)
    }
    assert set(function["examples"]) == callable_functions
    assert callable_functions >= METERED_FUNCTIONS
    answer = (
        schema["/v1/functions"]["GET"].Case().call(app=street().app, base_url="http://localhost")
    )
    assert {each["name"] for each in answer.json()} == callable_functions
