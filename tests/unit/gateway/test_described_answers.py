"""What OpenAPI says of answers, examples and who may call, beside what a gateway does."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest

from gateway.api.described_app import EXAMPLES
from gateway.api.openapi import openapi_text
from gateway.identity.scopes import SCOPES, Role
from gateway.identity.sessions import Viewer
from tests.unit.gateway.described_street import Street, answers, calls, street

DESCRIPTION = json.loads(openapi_text())
NO_CONTENT = "204"
SAID_ELSEWHERE = {
    "BlockEvent.payload": "what a contract announces",
    "FunctionParameter.json_schema": "a JSON schema",
    "JsonValue": "what the maker of a plug answers",
    "QueryAnswer.content": "what a contract answers",
    "TransactionStatus.event_payload": "what a contract announces",
}
"""Parts of answers without a schema, and why."""
NOT_ASKED_HERE = {
    "GET /v1/devices/{device_id}/plug",
    "GET /v1/devices/{device_id}/plug/monthly",
    "GET /v1/raw-data/comparison",
    "POST /v1/enrolments",
    "POST /v1/enrolments/{request_id}/collect",
    "POST /v1/enrolments/{request_id}/compare",
    "POST /v1/keys/certificates",
    "POST /v1/keys/requests",
    "POST /v1/letters/open",
    "POST /v1/queries",
    "POST /v1/raw-data/comparison",
    "POST /v1/transactions",
    "POST /v1/transactions/endorse",
}
"""They need a signature, a letter's code, anchors or a maker's service: other tests ask them."""


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DESCRIPTION["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def good_answers(operation: dict[str, Any]) -> dict[str, Any]:
    """By status."""
    found = operation["responses"].items()
    return {status: answer for status, answer in found if status.startswith("2")}


def operation_of(name: str) -> dict[str, Any]:
    return dict(operations())[name]


def require_described(name: str, content: Any) -> None:
    for answer in good_answers(operation_of(name)).values():
        schema = answer["content"]["application/json"]["schema"]
        jsonschema_rs.validate(schema | {"components": DESCRIPTION["components"]}, content)


def untyped(schema: Any, where: str, seen: set[str]) -> Iterator[str]:
    """Places of a schema that say nothing of what is there."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name not in seen:
            seen.add(name)
            yield from untyped(DESCRIPTION["components"]["schemas"][name], name, seen)
        return
    parts = [part for kind in ("anyOf", "oneOf", "prefixItems") for part in schema.get(kind, ())]
    parts += [schema[kind] for kind in ("items", "additionalProperties") if schema.get(kind)]
    members = schema.get("properties", {})
    is_open = schema.get("type") == "object" and not members and not parts
    if is_open or not (parts or schema.keys() & {"type", "enum", "const"}):
        yield where
    for part in parts:
        if part is not True or not members:
            yield from untyped({} if part is True else part, where, seen)
    for name, part in members.items():
        yield from untyped(part, f"{where}.{name}", seen)


def test_every_answer_says_what_is_in_it():
    seen: set[str] = set()
    places: list[str] = []
    for name, operation in operations():
        assert good_answers(operation), name
        for status, answer in good_answers(operation).items():
            assert ("content" in answer) == (status != NO_CONTENT), (name, status)
            for content in answer.get("content", {}).values():
                found = content.get("itemSchema") or content["schema"]
                places += untyped(found, name, seen)
    places += untyped({"$ref": "#/components/schemas/NewBlock"}, "", seen)
    assert set(places) == set(SAID_ELSEWHERE)


def test_real_answers_are_as_described():
    real = asyncio.run(answers(street()))
    in_json = {
        name
        for name, operation in operations()
        for answer in good_answers(operation).values()
        if "application/json" in answer.get("content", {})
    }
    assert in_json - set(real) == NOT_ASKED_HERE
    for name, answer in real.items():
        assert answer.is_success, (name, answer.text)
        assert str(answer.status_code) in good_answers(operation_of(name)), name
        require_described(name, answer.json())


def test_every_example_is_an_answer_as_described():
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    renew = "run: python -m tests.unit.gateway.described_street"
    assert set(examples) == set(calls(street())), renew
    for name, example in examples.items():
        require_described(name, example)


@pytest.mark.parametrize("scope", sorted(SCOPES[Role.MANAGER]))
def test_a_token_opens_the_doors_of_its_scope_and_no_others(scope):
    it = street()
    viewer = Viewer(it.seller.idgrid, is_manager=True, token_scopes=frozenset({scope}))
    it.services.sessions.admit("one-scope", viewer)
    status = asyncio.run(statuses(it, "one-scope"))
    for name, (code, refused_scope) in status.items():
        doors = operation_of(name).get("security", [{}])
        opens = {} in doors or {"token": [scope]} in doors
        if opens:
            assert refused_scope is None, (name, scope)
        else:
            assert code == 403, (name, scope)


async def statuses(it: Street, token: str) -> dict[str, tuple[int, str | None]]:
    """Per operation the status, and the scope that was missing."""
    found = {}
    transport = httpx.ASGITransport(it.app)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for name, (address, body) in calls(it).items():
            method = name.partition(" ")[0]
            answer = await client.request(method, address, json=body, headers=headers)
            refusal = answer.json() if answer.is_client_error else {}
            found[name] = (answer.status_code, refusal.get("scope"))
    return found


def test_who_has_not_signed_in_is_told_so_where_it_is_described():
    async def visit() -> None:
        transport = httpx.ASGITransport(street().app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for name, (address, body) in calls(street()).items():
                answer = await client.request(name.partition(" ")[0], address, json=body)
                operation = operation_of(name)
                is_open = {} in operation.get("security", [{}])
                assert is_open == (answer.status_code != 401), name
                assert ("401" in operation["responses"]) == (not is_open), name

    asyncio.run(visit())


def test_every_problem_that_is_named_is_described():
    named = {
        answer["$ref"].rpartition("/")[2]
        for _, operation in operations()
        for answer in operation["responses"].values()
        if "$ref" in answer
    }
    assert named == set(DESCRIPTION["components"]["responses"])
